"""What each experiment computes, against what its source defines, found by another way."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import torch

from resnet_core import data
from resnet_core.architectures import parse
from resnet_core.config import DataConfig
from resnet_core.errors import ConfigError
from resnet_core.experiments import EXPERIMENTS, Measured, running
from tests.experiments_tools import images, loaded, measured

__all__ = ["images"]


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


# -- gates ----------------------------------------------------------------------------------------------------------------


def test_gates_are_the_sigmoid_of_their_convolution(images):
    one = loaded("Highway-8-w4")
    (found,) = measured("gates", images, one)
    test = images.test.part(0, 100)
    x = running.stem(one.model, one.normalize(test.images)).detach()
    block = one.model.blocks()[0]
    conv = block.gate.conv
    by_hand = torch.sigmoid(torch.nn.functional.conv2d(x, conv.weight, conv.bias, conv.stride, conv.padding)).detach()
    assert found.result.mean[0] == pytest.approx(float(by_hand.double().mean()), rel=1e-5)
    assert found.result.over_images[0] == pytest.approx(float(by_hand.double().flatten(1).mean(1).std()), rel=1e-4)
    assert found.result.start == -2 and found.result.bias.tolist() == [-2, -2, -2]
    with pytest.raises(ConfigError, match="it has no gates"):
        EXPERIMENTS["gates"].check(parse("ResNet-20"), "ResNet-20")


# -- construction ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, in_training",
    [
        ("plain-8-w4", False),
        ("plain-8-nobn-w4", True),
        ("ResNet-8-w4", True),
        ("ResNet-8-B-w4", True),
        ("ResNet-8-preact-w4", True),
        ("ResNet-8-rezero-w4", True),
        ("ResNet-8-nobn-w4", True),
        ("ResNet-11-bottleneck-w4", True),
    ],
)
def test_blocks_that_do_nothing_keep_the_logits_bit_for_bit(name, in_training, images):
    """GOLDEN: bit for bit in evaluation mode; in training a plain net's BN normalises again, and it is not the identity there."""
    one = loaded(name)
    (found,) = measured("construction", images, one, rounds=2)
    result = found.result
    assert result.is_equal and result.difference == 0 and result.wrong[0] == result.wrong[1]
    rounds = 3 if "bottleneck" in name else 2
    assert result.layers == (one.model.config.depth, one.model.config.depth + 2 * 3 * rounds) and result.name == name.replace(
        f"-{result.layers[0]}", f"-{result.layers[1]}"
    )
    assert (result.in_training < 1e-5) is in_training


def test_what_cannot_be_the_identity_is_said():
    for name, why in (
        ("ResNet-20-C", "skip of its blocks is not the identity"),
        ("plain-29-bottleneck", "narrower inside"),
        ("Highway-20", "skip of its blocks is not the identity"),
    ):
        with pytest.raises(ConfigError, match=why):
            EXPERIMENTS["construction"].check(parse(name), name)


# -- deletions and swaps --------------------------------------------------------------------------------------------------


def test_kendalls_tau():
    from resnet_core.experiments.shuffles import kendall

    assert kendall(range(18)) == 1
    for i, j, tau in ((3, 4, 0.98693), (0, 17, 0.56863)):  # GOLDEN: 1 - 4 (2 (j - i) - 1) / (n (n - 1))
        order = list(range(18))
        order[i], order[j] = order[j], order[i]
        assert kendall(order) == pytest.approx(tau, abs=1e-5)
    assert kendall([3, 2, 1, 0]) == -1


def test_deletions_and_swaps_are_those_of_a_net_whose_blocks_are_moved(images):
    from resnet_core.experiments.shuffles import swaps

    one = loaded("ResNet-20-w4")
    (found,) = measured("shuffles", images, one, draws=2)
    (alone,) = measured("lesions", images, one)
    result = found.result
    assert result.counts == (1, 2, 3, 5) and result.whole == 100 * alone.result.whole / 100
    movable = [i for i, unit in enumerate(one.model.plan.units) if not unit.dimensions_change]
    assert set(result.deleted[0]) <= {float(alone.result.wrong[i]) for i in movable}
    # The draws again, the swaps by moving modules.
    draw = np.random.default_rng(0)
    for k in result.counts:
        for _ in range(2):
            draw.choice(movable, k, replace=False)
    order = swaps(one.model.config, 1, draw)
    other = copy.deepcopy(one.model)
    blocks, units = other.blocks(), one.model.plan.units
    for place, block in zip(units, [blocks[i] for i in order], strict=True):
        stage, _, index = place.name.rpartition(".")
        other.get_submodule(stage)._modules[index] = block
    test = images.test.part(0, 100)
    with torch.no_grad():
        assert result.swapped[0, 0] == float((other(one.normalize(test.images)).argmax(1) != test.labels).sum())
    assert (result.tau <= 1).all() and result.tau[0, 0] < 1


# -- doctor ---------------------------------------------------------------------------------------------------------------


def test_the_interval_is_wilsons_and_calibration_that_of_a_loop():
    from resnet_core.experiments.doctor import BINS, calibration, wilson

    assert wilson(10, 100) == pytest.approx((5.5229, 17.4367), abs=1e-3) and wilson(0, 50)[0] == pytest.approx(0, abs=1e-12)
    draw = np.random.default_rng(0)
    confidence, right = draw.random(500), draw.random(500) < 0.7
    means, parts, counts = calibration(confidence, right)
    for i in range(BINS):
        inside = (confidence >= i / BINS) & (confidence < (i + 1) / BINS)
        assert counts[i] == inside.sum()
        assert means[i] == pytest.approx(confidence[inside].mean()) and parts[i] == pytest.approx(right[inside].mean())


def test_the_doctor_finds_dead_channels_and_statistics_that_do_not_fit(images):
    one = loaded("ResNet-8-w4")
    (sound,) = measured("doctor", images, one)
    test = images.test.part(0, 100)
    logits = one.logits(test.images)
    assert sound.result.wrong == int((logits.argmax(1) != test.labels).sum())
    assert sound.result.loss == pytest.approx(float(torch.nn.functional.cross_entropy(logits, test.labels)), rel=1e-5)
    confidence = logits.double().softmax(1).max(1).values
    assert [each[3] for each in sound.result.surest] == sorted((each[3] for each in sound.result.surest), reverse=True)
    assert sound.result.surest[0][3] == pytest.approx(float(confidence[logits.argmax(1) != test.labels].max()))
    # One channel can never be positive, and one BN has statistics of other data.
    sick = loaded("ResNet-8-w4")
    block = sick.model.blocks()[0]
    with torch.no_grad():
        block.bn1.bias[2] = -1000.0
        block.bn1.running_mean += 0.0
    (found,) = measured("doctor", images, sick)
    assert found.result.dead == sound.result.dead + 1 and found.result.dead_by_layer["layer1.0.relu1"] == 1
    # BN anew is what BN makes of the training images, whatever its statistics were.
    with torch.no_grad():
        sick.model.bn1.running_var *= 100
    (wrong,) = measured("doctor", images, sick)
    assert wrong.result.wrong_anew == found.result.wrong_anew
    anew = loaded("ResNet-8-w4")
    for module in anew.model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None
    anew.model.train()
    with torch.no_grad():
        for start in range(0, 1000, 250):
            anew.model(anew.normalize(images.train.images[start : start + 250]))
    anew.model.eval()
    assert sound.result.wrong_anew == int((anew.logits(test.images).argmax(1) != test.labels).sum())
    (bare,) = measured("doctor", images, loaded("ResNet-8-nobn-w4"))
    assert bare.result.wrong_anew is None and bare.result.to_dict()["error_with_new_bn_statistics"] is None


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
