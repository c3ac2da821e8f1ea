"""What training scripts and tools make of a state_dict: it is read, told, and the net computes what it computed there."""

import copy
import io
import re
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils import prune

from resnet_core.architectures import ResNetConfig
from resnet_core.architectures.net import build_model
from resnet_core.imports import ImportRefused, inspection, reader
from tests.imports_files import legacy
from tests.imports_nets import Akamaster, Chenyaofo, randomized

FORMS = {"zip": torch.save, "legacy": legacy, "safetensors": save_file}


def examine(path):
    arrays, report = reader.read(path)
    return inspection.propose(arrays, report, "net", path.stat().st_size, "0" * 64)


def net(make=Chenyaofo, *args, seed=0, **kwargs) -> nn.Module:
    return randomized(make(8, *args, **kwargs, width=4), seed)


@torch.no_grad()
def assert_same_function(proposal, theirs: nn.Module, shortcut: str | None = None) -> None:
    shortcut = shortcut or proposal.shortcuts[0]
    ours = build_model(proposal.net(shortcut))
    ours.load_state_dict({key: torch.from_numpy(array) for key, array in proposal.arrays(shortcut).items()}, strict=True)
    x = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    expected = theirs.float().eval()(x)
    assert expected.std() > 0.1
    torch.testing.assert_close(ours.eval()(x), expected, rtol=1e-4, atol=1e-4)


def renamed(state, *pairs):
    for old, new in pairs:
        state = {new + key.removeprefix(old) if key.startswith(old) else key: value for key, value in state.items()}
    return state


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("prefix", ["model.", "backbone.", "net.", "encoder.", "module.model.", "_orig_mod.net.backbone."])
def test_one_prefix_of_every_key(prefix, form, tmp_path):
    theirs = net()
    FORMS[form](renamed(theirs.state_dict(), ("", prefix)), tmp_path / "file")
    proposal = examine(tmp_path / "file")
    assert proposal.notes == (f"The prefix {prefix!r} of every key was removed.",)
    assert_same_function(proposal, theirs)


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model_state", "model", "net", "weights", "ema"])
def test_every_key_under_which_scripts_keep_the_net(key, tmp_path):
    theirs = net()
    torch.save({"epoch": 3, key: theirs.state_dict()}, tmp_path / "file")
    proposal = examine(tmp_path / "file")
    assert proposal.notes == (f"Unwrapped from {key!r}; beside it were 'epoch'.",)
    assert_same_function(proposal, theirs)


def test_of_a_net_and_its_average_the_net_is_taken_and_that_is_told(tmp_path):
    theirs = net()
    torch.save({"ema": net(seed=1).state_dict(), "model": theirs.state_dict()}, tmp_path / "file")
    proposal = examine(tmp_path / "file")
    assert "It holds several nets ('model', 'ema'); 'model' was taken." in proposal.notes
    assert_same_function(proposal, theirs)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("prefix", ["", "module."])
def test_thops_counts(form, prefix, tmp_path):
    theirs = net()
    state = renamed(theirs.state_dict(), ("", prefix))
    for at in (prefix, f"{prefix}conv1.", f"{prefix}layer1.0."):
        state |= {f"{at}total_ops": torch.zeros(1, dtype=torch.float64), f"{at}total_params": torch.zeros(1, dtype=torch.float64)}
    FORMS[form](state, tmp_path / "file")
    proposal = examine(tmp_path / "file")
    assert any("and 5 more, which thop wrote, were left out." in note for note in proposal.notes)
    assert_same_function(proposal, theirs)


@pytest.mark.parametrize("form", FORMS)
def test_an_averaged_model(form, tmp_path):
    theirs = net()
    averaged = torch.optim.swa_utils.AveragedModel(theirs)
    FORMS[form](averaged.state_dict(), tmp_path / "file")
    proposal = examine(tmp_path / "file")
    assert any("'n_averaged', which torch.optim.swa_utils.AveragedModel wrote, was left out." in note for note in proposal.notes)
    assert_same_function(proposal, theirs)


@pytest.mark.parametrize("form", FORMS)
def test_a_pruned_net(form, tmp_path):
    theirs = net()
    for module in (theirs.conv1, theirs.layer2[0].conv2, theirs.fc):
        prune.l1_unstructured(module, "weight", 0.5)
    state = theirs.state_dict()
    assert "conv1.weight_orig" in state and "conv1.weight" not in state
    FORMS[form](state, tmp_path / "file")
    proposal = examine(tmp_path / "file")
    assert any("Pruned: 'conv1.weight' and 2 more" in note for note in proposal.notes)
    assert (proposal.tensors["conv1.weight"] == 0).mean() == 0.5
    assert_same_function(proposal, theirs)


@pytest.mark.parametrize("change", ["mask away", "mask of another shape", "both"])
def test_a_pruned_tensor_without_its_mask(change, tmp_path):
    theirs = net()
    prune.l1_unstructured(theirs.conv1, "weight", 0.5)
    state = dict(theirs.state_dict())
    if change == "mask away":
        del state["conv1.weight_mask"]
    elif change == "both":
        state["conv1.weight"] = state["conv1.weight_orig"]
    else:
        state["conv1.weight_mask"] = torch.ones(4)
    torch.save(state, tmp_path / "file")
    with pytest.raises(ImportRefused, match=r"'conv1.weight_orig' is a pruned tensor, but there is no 'conv1.weight_mask' of its shape"):
        examine(tmp_path / "file")


@pytest.mark.parametrize("form", ["zip", "legacy"])
@pytest.mark.parametrize("core", [b"numpy._core", b"numpy.core"], ids=["numpy 2", "numpy 1"])
def test_numbers_of_numpy_beside_the_state_dict(core, form, tmp_path):
    theirs = net()
    beside = {"best": np.float64(92.5), "loss": np.float32(0.3), "history": np.arange(5.0), "epoch": np.int64(3)}
    FORMS[form]({"state_dict": theirs.state_dict(), **beside}, tmp_path / "file")
    as_written_by(core, tmp_path / "file")
    proposal = examine(tmp_path / "file")
    assert any("beside it were 'best', 'loss', 'history', 'epoch'" in note for note in proposal.notes)
    assert_same_function(proposal, theirs)


def as_written_by(core: bytes, path) -> None:
    """Another numpy's names in the pickle, which are lines of text there."""
    names = re.compile(rb"numpy\._?core(?=\.)")
    if not zipfile.is_zipfile(path):
        path.write_bytes(names.sub(core, path.read_bytes()))
        assert core + b".multiarray" in path.read_bytes()
        return
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as old, zipfile.ZipFile(path, "w") as archive:
        for name in old.namelist():
            content = old.read(name)
            archive.writestr(name, names.sub(core, content) if name.endswith("data.pkl") else content)
            assert not name.endswith("data.pkl") or core + b".multiarray" in archive.read(name)


def test_numpys_objects_are_not_made(tmp_path):
    """A dtype of objects, whatever stands for its bytes, and a value among the weights."""
    torch.save({**net().state_dict(), "best": np.float64(92.5)}, tmp_path / "file")
    with pytest.raises(ImportRefused, match="Its entry 'best' is numpy's, not a tensor"):
        examine(tmp_path / "file")
    torch.save({"state_dict": net().state_dict(), "o": np.array([np, 1], dtype=object)[1:]}, tmp_path / "file")
    assert examine(tmp_path / "file").model == ResNetConfig(8, "B", width=4)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("counters_too", [False, True])
def test_half_precision(form, dtype, counters_too, tmp_path):
    theirs = net()
    state = {key: t.to(dtype) if counters_too or t.is_floating_point() else t for key, t in theirs.state_dict().items()}
    FORMS[form](state, tmp_path / "file")
    proposal = examine(tmp_path / "file")
    assert proposal.tensors["bn1.num_batches_tracked"] == 7 and proposal.tensors["bn1.num_batches_tracked"].dtype == np.int64
    assert any("they were converted to float32" in note for note in proposal.notes)
    theirs.load_state_dict({key: t.float() for key, t in state.items()})
    assert_same_function(proposal, theirs)


def with_biases(theirs: nn.Module) -> nn.Module:
    theirs, generator = copy.deepcopy(theirs), torch.Generator().manual_seed(5)
    for module in theirs.modules():
        if isinstance(module, nn.Conv2d):
            module.bias = nn.Parameter(torch.randn(module.out_channels, generator=generator))
    return theirs


@pytest.mark.parametrize("option", ["A", "B", "C", "none"])
def test_biases_before_bn_are_folded(option, tmp_path):
    theirs = with_biases(net(Akamaster, option))
    torch.save(theirs.state_dict(), tmp_path / "file")
    proposal = examine(tmp_path / "file")
    count = {"A": 7, "none": 7, "B": 9, "C": 10}[option]
    assert f"The biases of {count} convolutions were folded into the BN that follows each; the function is the same." in proposal.notes
    assert_same_function(proposal, theirs, {"A": "A-both"}.get(option, option))


def test_biases_of_projections_called_downsample_are_folded(tmp_path):
    theirs = with_biases(net())
    save_file(renamed(theirs.state_dict(), ("", "model.")), tmp_path / "file")
    proposal = examine(tmp_path / "file")
    assert any("The biases of 9 convolutions" in note for note in proposal.notes)
    assert_same_function(proposal, theirs)


@pytest.mark.parametrize(
    "conv, bn", [("conv", "bn"), ("conv0", "bn0"), ("stem.0", "stem.1"), ("stem.conv", "stem.bn"), ("stem.conv1", "stem.bn1")]
)
@pytest.mark.parametrize("make", [Akamaster, Chenyaofo])
def test_other_names_of_the_stem(make, conv, bn, tmp_path):
    theirs = with_biases(net(make))
    torch.save(renamed(theirs.state_dict(), ("conv1.", f"{conv}."), ("bn1.", f"{bn}."), ("", "module.")), tmp_path / "file")
    proposal = examine(tmp_path / "file")
    assert any(note.startswith(f"{conv!r} and {bn!r} were taken for conv1 and bn1") for note in proposal.notes)
    assert_same_function(proposal, theirs, "A-both" if make is Akamaster else None)


@pytest.mark.parametrize("what", ["pruned", "biased"])
def test_what_is_too_large_only_once_it_is_reckoned_is_refused(what, tmp_path):
    state = dict(net().state_dict())
    if what == "pruned":
        state["conv1.weight_orig"] = state["conv1.weight_mask"] = torch.full_like(state.pop("conv1.weight"), 1e30)
    else:
        state["bn1.running_mean"], state["conv1.bias"] = torch.full((4,), 3e38), torch.full((4,), -3e38)
    torch.save(state, tmp_path / "file")
    with pytest.raises(ImportRefused, match="has values that are too large for float32"):
        examine(tmp_path / "file")


def test_another_name_of_the_stem_never_hides_a_tensor(tmp_path):
    state = renamed(net().state_dict(), ("conv1.", "conv."), ("bn1.", "bn."))
    for beside in ({"conv1.bias": torch.zeros(4)}, {"bn1.more": torch.zeros(4)}):
        torch.save({**state, "conv.bias": torch.zeros(4), "bn.more": torch.zeros(4), **beside}, tmp_path / "file")
        with pytest.raises(ImportRefused):
            examine(tmp_path / "file")


def test_everything_at_once(tmp_path):
    theirs = with_biases(net(Akamaster, "A"))
    prune.l1_unstructured(theirs.layer3[0].conv1, "weight", 0.3)
    state = renamed(theirs.state_dict(), ("conv1.", "stem.conv."), ("bn1.", "stem.bn."), ("", "module.net."))
    state |= {"module.net.total_ops": torch.zeros(1, dtype=torch.float64), "n_averaged": torch.tensor(3)}
    torch.save({"model_state": state, "best": np.float64(91.0)}, tmp_path / "file")
    proposal = examine(tmp_path / "file")
    assert len(proposal.notes) == 7
    assert_same_function(proposal, theirs, "A-both")
