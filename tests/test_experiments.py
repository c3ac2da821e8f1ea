"""The experiments: each is whole, computes what its source defines, leaves the net as it was, and says no more than its numbers."""

from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from resnet_core import data
from resnet_core.architectures import ResNetConfig, parse
from resnet_core.architectures.net import build_model
from resnet_core.config import DataConfig, Recipe, RunConfig
from resnet_core.errors import ConfigError, Stopped
from resnet_core.experiments import EXPERIMENTS, Measured, find_experiment, running
from resnet_core.experiments.base import shown
from resnet_core.nets import find
from resnet_core.nets.catalog import Net
from resnet_core.nets.loading import LoadedNet, load
from resnet_core.training import probe
from tests.nets_tools import write_checkpoint

#: The fewest of everything, so that each is quick.
SMALL = {"images": 100, "draws": 1, "batches": 1, "batch_size": 16, "train": 500}
NAMES = ("ResNet-8-w4", "ResNet-8-B-w4")
#: Of experiments that cannot be made with these.
OTHERS = {"reuse": ("DenseNet-7-k4", "DenseNet-BC-16-k4")}
#: What each kind of net has not; see ``refusal``.
WITHOUT_ADDITIONS, WITHOUT_CONCATENATIONS = ("ledger", "paths"), ("reuse",)


def loaded(name: str, seed: int = 0) -> LoadedNet:
    """An untrained net, in evaluation mode, whose BN has seen a batch."""
    net = build_model(parse(name), seed)
    images = data.load(DataConfig()).train.images[:64]
    mean = torch.full((3, 1, 1), 0.47)
    net(images.float().div(255).sub(mean))
    plan = probe.decide(RunConfig(recipe=Recipe(device="cpu", precision="fp32", compile="off")))
    about = Net(id=name, name=name, origin="file", model=net.config, path=Path("none"), card={})
    return LoadedNet(about, net.eval(), mean, None, plan)


@pytest.fixture(scope="module")
def images():
    return data.load(DataConfig())


def values(key: str, model: ResNetConfig, **given) -> dict:
    experiment = EXPERIMENTS[key]
    names = {each.name for each in experiment.parameters}
    return experiment.complete({name: value for name, value in (SMALL | given).items() if name in names}, model)


def measured(key: str, images, *nets: LoadedNet, **given) -> list[Measured]:
    module = EXPERIMENTS[key].functions
    return [
        Measured(one.net.id, one.net.name, one.model.config, module.measure(one, images, values(key, one.model.config, **given)))
        for one in nets
    ]


@pytest.mark.parametrize("key", EXPERIMENTS)
def test_each_is_whole(key, images):
    experiment, names = EXPERIMENTS[key], OTHERS.get(key, NAMES)
    nets = [loaded(name) for name in names]
    assert (
        experiment.key == key and experiment.question.endswith("?") and experiment.method.endswith(".") and experiment.limits.endswith(".")
    )
    before = [{name: value.clone() for name, value in one.model.state_dict().items()} for one in nets]
    results = measured(key, images, *nets)
    for one, weights in zip(nets, before, strict=True):
        assert not one.model.training and all(torch.equal(value, weights[name]) for name, value in one.model.state_dict().items())
        assert not any(module._forward_hooks or module._backward_hooks for module in one.model.modules())
    for each in results:
        assert json.loads(json.dumps(each.result.to_dict(), allow_nan=False))
    module = experiment.functions
    table = module.table(results)
    assert table.rows and {len(row) for row in table.rows} == {len(table.head)}
    assert all(shown(cell) for row in table.rows for cell in row)
    for dark in (False, True):
        assert module.figure(results, dark).data
    finding = module.finding(results)
    assert finding.endswith(".") and all(name in finding for name in names)
    usual = parse("DenseNet-40-k12" if key in OTHERS else "ResNet-20")
    assert not experiment.refusal(usual) and experiment.macs(usual, values(key, usual)) > 1e6


@pytest.mark.parametrize("key", EXPERIMENTS)
def test_each_tells_how_far_it_is_and_stops(key, images):
    one, seen = loaded(OTHERS.get(key, NAMES)[0]), []
    module = EXPERIMENTS[key].functions
    module.measure(one, images, values(key, one.model.config), lambda done, total: seen.append((done, total)), lambda: False)
    assert seen and seen[-1][0] == seen[-1][1] and seen == sorted(seen)
    with pytest.raises(Stopped):
        module.measure(one, images, values(key, one.model.config), None, lambda: True)
    assert not one.model.training


def test_a_key_or_a_parameter_that_is_none_names_the_right_ones():
    with pytest.raises(ConfigError, match="Is it lesions"):
        find_experiment("lesion")
    with pytest.raises(ConfigError, match=r"it has images"):
        EXPERIMENTS["lesions"].complete({"pictures": 3}, ResNetConfig(8))
    with pytest.raises(ConfigError, match="100 to 10,000"):
        EXPERIMENTS["lesions"].complete({"images": 3}, ResNetConfig(8))


def test_it_is_run_with_a_net_by_its_name(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(tmp_path))
    write_checkpoint(tmp_path, "tiny", ResNetConfig(8, "A", 4))
    from resnet_core.experiments import run

    found = run(EXPERIMENTS["lesions"], find("tiny"), DataConfig(), {"images": 100})
    assert found.key == "tiny" and found.result.n == 100 and load(find("tiny"))


# -- lesions --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ResNet-8-w4", "ResNet-8-B-w4", "ResNet-8-preact-w4", "ResNet-11-bottleneck-w4"])
def test_a_deleted_block_is_one_whose_branch_is_zero(name, images):
    one = loaded(name)
    (found,) = measured("lesions", images, one)
    test = images.test.part(0, 100)
    for i, block in enumerate(one.model.blocks()):
        other = copy.deepcopy(one.model)
        zeroed = other.blocks()[i]
        last = [part.name for part in block.unit.branch if part.kind in ("conv", "bn")][-1]
        module = zeroed.get_submodule(last)
        torch.nn.init.zeros_(module.weight)
        if module.bias is not None:
            torch.nn.init.zeros_(module.bias)
        with torch.no_grad():
            wrong = int((other(one.normalize(test.images)).argmax(1) != test.labels).sum())
        assert wrong == found.result.wrong[i]
    assert found.result.whole == int((one.logits(test.images).argmax(1) != test.labels).sum())


@pytest.mark.parametrize("name", ["Highway-20-w4", "DenseNet-40-k4", "WRN-16-1", "VGG-11-CIFAR", "AlexNet-CIFAR", "ResNet-18-CIFAR-w4"])
def test_each_experiment_is_made_with_nets_of_other_families_or_says_why_not(name, images):
    one = loaded(name)
    few = dataclasses.replace(images, train=images.train.part(0, 100), test=images.test.part(0, 20))
    for key, experiment in EXPERIMENTS.items():
        if why := experiment.refusal(one.model.config):
            assert why.endswith(".") and key in (*WITHOUT_ADDITIONS, *WITHOUT_CONCATENATIONS)
        else:
            (found,) = measured(key, few, one)
            assert found.result.to_dict() and not one.model.training


def test_a_plain_block_gives_way_to_the_identity():
    net = build_model(parse("plain-8-w4")).eval()
    x = torch.rand(2, 4, 32, 32)
    first, second, _ = net.blocks()
    assert torch.equal(running.without(first, x), x)  # x is not negative, so the ReLU behind it does nothing
    smaller = running.without(second, x)
    assert smaller.shape == (2, 8, 16, 16) and torch.equal(smaller[:, :4], x[:, :, ::2, ::2]) and not smaller[:, 4:].any()


def test_the_parts_of_a_net_are_the_net():
    net = build_model(parse("ResNet-8-preact-w4")).eval()
    x = torch.randn(2, 3, 32, 32)
    *before, last = running.inputs(net, x)
    assert len(before) == 3 and torch.equal(running.head(net, last), net(x))
    assert torch.equal(running.through(net.blocks(), running.stem(net, x)), last)


def test_what_the_lesions_say():
    from resnet_core.experiments.lesions import Lesions, finding, table

    found = Lesions(("layer1.0", "layer2.0"), np.array([False, True]), np.array([12, 40]), 10, 100)
    each = Measured("a", "ResNet-8", ResNetConfig(8), found)
    assert found.increase.tolist() == [2.0, 30.0]
    assert table([each]).rows == (("ResNet-8", 10.0, 16.0, 30.0, "layer2.0"),)
    assert finding([each]) == (
        "Error that the deletion of one block adds, on 100 test images: ResNet-8: 16.0 points in the median, 30.0 at most."
    )


# -- paths ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ResNet-8-w4", "ResNet-8-B-w4", "ResNet-8-preact-w4"])
def test_the_gradients_of_all_paths_sum_to_the_ordinary_one(name, images):
    """Veit et al. 2016: backward is linear, the activations being those of the whole net (float64)."""
    from resnet_core.experiments.paths import Walker

    one = loaded(name)
    one.model.double()
    one = dataclasses.replace(one, mean=one.mean.double())
    batch = images.train.part(0, 4)

    class Double:
        model, device = one.model, one.device

        @staticmethod
        def normalize(pixels):
            return pixels.double().div(255).sub(one.mean)

    walker = Walker(Double, batch.images, batch.labels)
    n = len(one.model.blocks())
    total = sum(walker.gradient({i for i in range(n) if mask >> i & 1}) for mask in range(2**n))
    x = running.stem(one.model, Double.normalize(batch.images)).detach().requires_grad_()
    loss = torch.nn.functional.cross_entropy(running.head(one.model, running.through(one.model.blocks(), x)).float(), batch.labels)
    (ordinary,) = torch.autograd.grad(loss, x)
    assert torch.allclose(total, ordinary, rtol=1e-5, atol=1e-9) and ordinary.abs().max() > 1e-5


def test_lengths_of_paths_are_binomial():
    from resnet_core.experiments.paths import Paths, between

    found = Paths(54, np.ones(55), np.ones(55), np.ones(55), 1, 1)
    assert found.paths[19:36].sum() == pytest.approx(0.98017, abs=1e-5)
    assert found.paths[5:18].sum() == pytest.approx(0.00453667, abs=1e-8)
    assert found.share == pytest.approx(found.paths) and between(found.share, 0.9) == (21, 33)


# -- ledger ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ResNet-8-w4", "ResNet-8-B-w4"])
def test_at_the_last_addition_the_shares_are_the_logit_without_its_bias(name, images):
    (found,) = measured("ledger", images, loaded(name))
    result = found.result
    assert result.skip[-1] + result.branch[-1] == pytest.approx(result.logit - result.bias, rel=1e-4)
    assert result.rest[-1] == pytest.approx(result.bias, abs=1e-4) and abs(result.rest[0]) > 1e-3  # what later shifts add


def test_a_plain_net_has_no_ledger_and_no_paths():
    for key in ("ledger", "paths"):
        with pytest.raises(ConfigError, match="plain-20: it has no additions"):
            EXPERIMENTS[key].check(parse("plain-20"), "plain-20")


# -- readout --------------------------------------------------------------------------------------------------------------


def test_the_readout_is_ridge_regression():
    """Against the normal equations of the augmented problem, solved by least squares."""
    from resnet_core.experiments.readout import ridge

    generator = torch.Generator().manual_seed(0)
    x, queries = (torch.randn(n, 5, generator=generator, dtype=torch.float64) * 3 + 1 for n in (40, 7))
    labels = torch.randint(0, 3, (40,), generator=generator)
    mean, std = x.mean(0), x.std(0)
    rows = torch.cat([(x - mean) / std, 2.0**0.5 * torch.eye(5, dtype=torch.float64)])
    wanted = torch.nn.functional.one_hot(labels, 3).double()
    centred = torch.cat([wanted - wanted.mean(0), torch.zeros(5, 3, dtype=torch.float64)])
    weights = torch.linalg.lstsq(rows, centred).solution
    assert torch.allclose(ridge(x, labels, queries, 2.0, 3), (queries - mean) / std @ weights + wanted.mean(0))
    constant = torch.cat([x, torch.ones(40, 1, dtype=torch.float64)], 1)
    more = torch.cat([queries, torch.ones(7, 1, dtype=torch.float64)], 1)
    assert torch.allclose(ridge(constant, labels, more, 2.0, 3), ridge(x, labels, queries, 2.0, 3))


# -- CKA ------------------------------------------------------------------------------------------------------------------


def test_cka_of_a_net_with_itself_is_1_and_does_not_see_rotations(images):
    (found,) = measured("cka", images, loaded("ResNet-8-w4"))
    like = found.result.like(found.result)
    assert np.allclose(np.diag(like), 1, atol=1e-4) and np.allclose(like, like.T, atol=1e-5) and like.min() >= 0
    one = loaded("ResNet-8-w4")
    rotation = torch.linalg.qr(torch.randn(16, 16, generator=torch.Generator().manual_seed(1)))[0]
    last = one.model.blocks()[-1]
    last.register_forward_hook(lambda module, args, y: 2 * torch.einsum("ij,bjhw->bihw", rotation, y))
    (rotated,) = measured("cka", images, one)
    assert np.allclose(found.result.like(rotated.result)[:, -1], like[:, -1], atol=1e-3)


# -- neighbours -----------------------------------------------------------------------------------------------------------


def test_the_vote_of_neighbours_is_that_of_a_loop(images):
    from resnet_core.analysis.neighbours import FeatureIndex, features

    one = loaded("ResNet-8-w4")
    few = dataclasses.replace(images, train=images.train.part(0, 200))
    (found,) = measured("neighbours", few, one)
    index, test = FeatureIndex(features(one, few.train.images)), images.test.part(0, 100)
    queries, wrong = features(one, test.images), {1: 0, 3: 0, 10: 0}
    for query, label in zip(queries, test.labels.tolist(), strict=True):
        votes = few.train.labels[index.nearest(query, 10)[0]].tolist()
        for k in wrong:
            counts = {c: votes[:k].count(c) for c in votes[:k]}
            most = [c for c in counts if counts[c] == max(counts.values())]
            wrong[k] += (most[0] if len(most) == 1 else None) not in (label, None)
            if len(most) > 1:  # of a tie, the nearer side; which is whichever of them counts more by its places
                wrong[k] += max(most, key=lambda c: sum(1 + 1e-4 * (100 - i) / 100 for i in range(k) if votes[i] == c)) != label
    assert {k: int(found.result.wrong[i]) for i, k in enumerate((1, 3, 10))} == wrong
    assert found.result.classifier == int((one.logits(test.images).argmax(1) != test.labels).sum())


# -- feature reuse --------------------------------------------------------------------------------------------------------


def test_reuse_is_the_mean_absolute_weight_on_each_source():
    """By hand: every weight of layer t on source s is +-(10 t + s), so that the mean absolute weight is that number."""
    one = loaded("DenseNet-10-k3")  # three blocks of two layers; the stem gives 16 channels
    widths = {1: [16, 3, 3], 2: [22, 3, 3], 3: [28, 3, 3]}
    modules = {stage: [f"layer{stage}.0.conv1", f"layer{stage}.1.conv1", f"layer{stage}.2.conv" if stage < 3 else "fc"] for stage in widths}
    with torch.no_grad():
        for stage, names in modules.items():
            for target, name in enumerate(names):
                weight = one.model.get_parameter(f"{name}.weight")
                assert weight.shape[1] == sum(widths[stage][: target + 1])
                signs = 1 - 2 * (torch.arange(weight.numel()) % 2).reshape(weight.shape)
                start = 0
                for source, width in enumerate(widths[stage][: target + 1]):
                    weight[:, start : start + width] = (10 * target + source + 1) * signs[:, start : start + width]
                    start += width
    (found,) = measured("reuse", data.load(DataConfig()), one)
    assert found.result.targets == tuple(tuple(names) for names in modules.values())
    for block in found.result.weights:
        assert np.array_equal(block, [[1, np.nan, np.nan], [11, 12, np.nan], [21, 22, 23]], equal_nan=True)
    assert found.result.to_dict()["blocks"][1][1] == {"target": "layer2.1.conv1", "weights": [11.0, 12.0]}
    table = EXPERIMENTS["reuse"].functions.table([found])
    assert table.rows[0] == ("DenseNet-10-k3", 1, 2, 6.0, 6.5, 8.0, 22.0)
    figure = EXPERIMENTS["reuse"].functions.figure([found])
    assert [list(trace.x) for trace in figure.data] == [["1", "2", "transition"]] * 2 + [["1", "2", "classifier"]]
    assert list(figure.data[0].y) == ["input", "1", "2"]
    assert np.allclose(figure.data[0].z, np.array([[1, 11, 21], [np.nan, 12, 22], [np.nan, np.nan, 23]]) / 23, equal_nan=True)


def test_what_reuse_says_of_the_nearest_layer_and_of_the_input():
    from resnet_core.experiments.reuse import Reuse, finding

    nan = np.nan
    weights = np.array([[1, nan, nan, nan], [1, 1, nan, nan], [1, 2, 6, nan], [5, 5, 5, 5]])
    found = Reuse((("a", "b", "c", "d"),), (weights,))
    assert (found.nearest, found.input) == (2.0, 1 / 3)
    assert finding([Measured("a", "DenseNet-13", parse("DenseNet-13-k4"), found)]) == (
        "Mean absolute weight of a layer, against its mean over all its sources: DenseNet-13: 2.00 times on the nearest layer, 0.33 times "
        "on the block's input."
    )
    short = Measured("b", "DenseNet-7", parse("DenseNet-7-k4"), Reuse((("a", "b"),), (weights[:2, :2],)))
    assert finding([short]).endswith("DenseNet-7: no block has three layers to compare.")


@pytest.mark.parametrize("name", ["DenseNet-BC-16-k4", "DenseNet-121"])
def test_what_reads_a_block_has_as_many_input_channels_as_its_sources(name):
    from resnet_core.experiments.reuse import readers

    tensors = parse(name).plan().tensors()
    blocks = readers(parse(name))
    for block in blocks:
        assert all(tensors[f"{reader.name}.weight"][1] == sum(reader.channels) for reader in block)
        assert [len(reader.channels) for reader in block] == list(range(1, len(block) + 1))
    assert blocks[-1][-1].name == "fc" and sum(len(block) for block in blocks) == (7 + 13 + 25 + 17 if name == "DenseNet-121" else 3 * 3)


def test_nets_without_concatenations_have_no_reuse():
    for name in ("ResNet-20", "plain-20", "Highway-20", "GoogLeNet"):
        with pytest.raises(ConfigError, match=f"{name}: .* no concatenations of skips"):
            EXPERIMENTS["reuse"].check(parse(name), name)
