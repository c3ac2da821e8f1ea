"""A computation in a process of its own: the same numbers, bounded memory, and an end with whoever waits for it."""

import dataclasses
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
import torchvision

from resnet_core import apart as apart_module
from resnet_core.analysis.evaluation import examine_nets
from resnet_core.apart import MOST_BYTES, ApartFailed, apart
from resnet_core.architectures import ImageNetConfig, ResNetConfig
from resnet_core.architectures.table import complexity
from resnet_core.attribution.compute import attribute_net
from resnet_core.config import DataConfig
from resnet_core.errors import Stopped
from resnet_core.imports import cost
from resnet_core.imports.cost import macs_per_image
from resnet_core.imports.trial import trial
from resnet_core.nets import find
from tests.command_line import named
from tests.imports_nets import Akamaster, Chenyaofo, randomized
from tests.imports_tools import proposal_of
from tests.waiting import wait_for

ROOT = Path(__file__).parents[1]
MAP = "resnet_core.attribution.compute:attribute_net"
TRIAL = "resnet_core.imports.trial:trial"


@pytest.fixture
def proposal(tmp_path):
    return proposal_of(randomized(Chenyaofo(8, width=4)), tmp_path / "net.pt")


def processes(of: psutil.Process | None = None) -> list[psutil.Process]:
    return named("resnet_core.apart", among=of and of.children())


def test_the_outcome_is_that_of_the_trial(tmp_path):
    proposal, seen = proposal_of(randomized(Akamaster(8, "A", 4)), tmp_path / "net.pt"), []
    choices = [("imagenet", "A-both"), ("half", "none")]
    found = apart(TRIAL, proposal, progress=lambda done, total: seen.append((done, total)), choices=choices)
    assert found == trial(proposal, choices=choices)
    assert found.suggested is found.attempts[0] and found.images == 1000
    assert seen == [(500, 2000), (1000, 2000), (1500, 2000), (2000, 2000)]
    assert processes() == []


def test_a_trial_without_errors(tmp_path):
    found = apart(TRIAL, proposal_of(randomized(Chenyaofo(8, 100, 4)), tmp_path / "net.pt"))
    assert found.images == 0 and "100 classes" in found.note and found.attempts[0].error is None


def test_one_nobody_waits_for_is_ended(proposal):
    seen = []
    with pytest.raises(Stopped):
        apart(TRIAL, proposal, should_stop=lambda: seen.append(len(processes())) or len(seen) > 3)
    assert seen[1:] == [1, 1, 1] and processes() == []  # one that has just begun may have no name yet


def test_one_that_progresses_can_be_stopped_too(proposal):
    begun = []
    with pytest.raises(Stopped):
        apart(TRIAL, proposal, progress=lambda done, total: begun.append(done), should_stop=lambda: bool(begun))
    assert begun == [500] and processes() == []


def test_it_dies_with_its_parent(proposal, tmp_path):
    (tmp_path / "proposal").write_bytes(pickle.dumps(proposal))
    code = (
        "import pickle\nfrom pathlib import Path\nfrom resnet_core.apart import apart\n"
        f"apart({TRIAL!r}, pickle.loads(Path({str(tmp_path / 'proposal')!r}).read_bytes()), choices=[('half', 'B')] * 10_000)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    wait_for(lambda: processes(psutil.Process(parent.pid)), "its process")
    (orphan,) = processes(psutil.Process(parent.pid))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_for(lambda: not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE, "its end")


def test_what_the_system_ends_or_does_not_start_is_told(proposal, monkeypatch):
    def kill_it() -> bool:
        for each in processes():
            os.kill(each.pid, signal.SIGKILL)
        return False

    with pytest.raises(ApartFailed, match=r"signal 9, SIGKILL.*where memory is short"):
        apart(TRIAL, proposal, should_stop=kill_it)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/bin/false")
        with pytest.raises(ApartFailed, match="no fault of yours"):
            apart(TRIAL, proposal)
    monkeypatch.setattr(sys, "executable", "/nowhere")
    with pytest.raises(ApartFailed, match=r"could not be started .No such file"):
        apart(TRIAL, proposal)


@pytest.mark.skipif(torch.cuda.is_available(), reason="with a GPU the memory of the process is not limited")
def test_more_memory_than_a_trial_may_have_is_refused(proposal, tmp_path):
    """As if its batches were not bounded: the process has a limit all the same."""
    code = (
        "from resnet_core import apart\nfrom resnet_core.imports import trial\nimport torch\n"
        "apart.MOST_BYTES = 2 << 30\ntrial.trial = lambda *args, **kwargs: torch.zeros(1 << 30)\napart.main()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    pickle.dump((TRIAL, (proposal,), {}), process.stdin)
    process.stdin.flush()
    assert b"takes more than the 2 GiB of memory that one computation may have" in process.stdout.read()
    process.stdin.close()
    process.wait()


def test_what_it_raises_is_told(tmp_path):
    with pytest.raises(ApartFailed, match="CIFAR-10"):
        apart(
            "resnet_core.analysis.evaluation:examine_nets",
            [find(str(ROOT / "checkpoints" / "resnet-20"))],
            DataConfig("cifar10"),
            str(tmp_path),
        )


def test_an_evaluation_apart_is_the_same(monkeypatch):
    arguments = [find(str(ROOT / "checkpoints" / "resnet-20"))], DataConfig()
    ((there,), _), ((here,), _) = apart("resnet_core.analysis.evaluation:examine_nets", *arguments), examine_nets(*arguments)
    assert there.to_dict() == here.to_dict() and there.evaluation.worst == here.evaluation.worst and here.evaluation.n == 1000


def test_a_map_apart_is_the_same():
    net, pixels = find(str(ROOT / "checkpoints" / "resnet-20")), np.arange(32 * 32 * 3, dtype=np.uint8).reshape(32, 32, 3)
    arguments = net, pixels, "integrated-gradients", 3
    there, here = (call(*arguments, steps=4) for call in (lambda *a, **o: apart(MAP, *a, **o), attribute_net))
    assert np.array_equal(there.map, here.map) and there.delta == here.delta and there.parameters == here.parameters


# -- what it takes ----------------------------------------------------------------------------------------------------------------


def test_the_size_of_the_batches_is_that_of_the_trial(tmp_path, monkeypatch):
    proposal, seen = proposal_of(randomized(Chenyaofo(8, width=4)), tmp_path / "net.pt"), []
    whole = trial(proposal, choices=[("half", "B")])
    monkeypatch.setattr("resnet_core.activations.BUDGET", 4 * 4 * 4 * 1024 * 300)
    parts = trial(proposal, lambda done, total: seen.append(done), choices=[("half", "B")])
    assert seen == [300, 600, 900, 1000]
    assert parts.suggested.error == whole.suggested.error and parts.suggested.loss == pytest.approx(whole.suggested.loss, abs=1e-5)


@pytest.mark.parametrize("name, layers, block", [("resnet18", (2, 2, 2, 2), "basic"), ("resnet50", (3, 4, 6, 3), "bottleneck")])
def test_macs_of_an_imagenet_net_are_those_of_its_convolutions(name, layers, block):
    net, counted = torchvision.models.get_model(name, num_classes=10).eval(), []

    def count(module, args, output):
        counted.append(module.weight[0].numel() * output[0].numel())

    for module in net.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            module.register_forward_hook(count)
    net(torch.zeros(1, 3, 224, 224))  # its own size
    told = macs_per_image(ImageNetConfig(layers, block, 10))
    assert 0.9 * sum(counted) < told <= sum(counted)  # the projections are left out


def test_macs_of_a_cifar_net_are_those_of_the_complexity_page():
    assert macs_per_image(ResNetConfig(56, "A")) == complexity(ResNetConfig(56, "A")).macs


def test_a_cost_is_told_in_passes_and_resnet_56s():
    usual, large = cost.cost(ResNetConfig(56, "A"), 21_000), cost.cost(ResNetConfig(11, "B", width=256, block="bottleneck"), 7_000)
    assert not usual.is_heavy and large.is_heavy
    assert str(large) == "7,000 passes of an image, each 34 times the work of a ResNet-56: 30 trillion multiply-adds"


def test_what_takes_long_is_said_before_it_begins():
    assert cost.said_before(cost.HEAVY) == ""
    images = 12.5e12 / macs_per_image(ResNetConfig(56, "A"))
    assert cost.said_before(12.5e12) == (
        f"This takes long: 12 trillion multiply-adds, those of {images:,.0f} images through a ResNet-56. It ends when you leave."
    )


def test_a_proposal_arrives_as_it_is(proposal):
    again, choices = pickle.loads(pickle.dumps((proposal, None)))
    fields = [field.name for field in dataclasses.fields(proposal) if field.name != "tensors"]
    assert all(getattr(again, name) == getattr(proposal, name) for name in fields) and choices is None
    assert all(np.array_equal(again.tensors[key], array) for key, array in proposal.tensors.items())
    assert MOST_BYTES == 4 << 30 and apart_module._NICENESS > 0
