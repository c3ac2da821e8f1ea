"""Parameters and MACs: the published counts, the built nets, fvcore and torch's flop counter all say the same."""

import csv
import io
import json
import subprocess
import sys

import pytest
import torch
from torch import nn

from resnet_core.analysis import measured as measuring
from resnet_core.analysis.measured import flop_counter, measured
from resnet_core.analysis.shortcuts import percent, shortcut_differences
from resnet_core.architectures import ResNetConfig, parse
from resnet_core.architectures.net import Net, build_model
from resnet_core.architectures.resnet import BLOCKS, SHORTCUTS
from resnet_core.architectures.table import Complexity, complexity, rows_as_csv
from resnet_core.errors import ConfigError

# He et al. 2016, section 4.2; arithmetic, checked against two public implementations: depth -> (parameters, MACs), plain or A.
GOLDEN = {
    20: (269_722, 40_551_040),
    32: (464_154, 68_862_592),
    44: (658_586, 97_174_144),
    56: (853_018, 125_485_696),
    110: (1_727_962, 252_887_680),
    1202: (19_421_274, 2_829_238_912),
}
EXTRA_PARAMS_OF_B = 2_752
# Two 1x1 convolutions whose outputs have 32x16x16 and 64x8x8 values, from 16 and 32 channels.
EXTRA_MACS_OF_B = 16 * 32 * 16 * 16 + 32 * 64 * 8 * 8
VARIANTS = [ResNetConfig(20, shortcut, width, block) for shortcut in SHORTCUTS for block in BLOCKS for width in (5, 16)]
LARGE = [ResNetConfig(110, "none"), ResNetConfig(56, "A"), ResNetConfig(56, "B"), ResNetConfig(164, "C", block="bottleneck")]


def name(config):
    return f"{config.name}-{config.block}"


def without_weights(config):
    with torch.device("meta"):
        return Net(config)


@pytest.mark.parametrize("depth", GOLDEN)
@pytest.mark.parametrize("shortcut", ["none", "A", "B"])
def test_the_published_counts(depth, shortcut):
    params, macs = GOLDEN[depth]
    if shortcut == "B":
        params, macs = params + EXTRA_PARAMS_OF_B, macs + EXTRA_MACS_OF_B
    net = complexity(ResNetConfig(depth, shortcut))
    assert (net.params, net.macs, net.layers) == (params, macs, depth)
    assert sum(row.params for row in net.rows) == params
    assert sum(row.macs for row in net.rows) == macs
    assert sum(row.share for row in net.rows) == pytest.approx(1)
    assert sum(parameter.numel() for parameter in without_weights(net.config).parameters()) == params


@pytest.mark.parametrize("config", [*VARIANTS, ResNetConfig(1202, "C")], ids=name)
def test_every_row_is_a_module_of_the_built_net(config):
    kinds = {nn.Conv2d: "conv", nn.BatchNorm2d: "bn", nn.Linear: "fc"}
    built = []
    for module_name, module in without_weights(config).named_modules():
        if type(module) in kinds:
            kind = "projection" if module_name.endswith("shortcut.conv") else kinds[type(module)]
            geometry = (module.kernel_size[0], module.stride[0]) if isinstance(module, nn.Conv2d) else (None, None)
            built.append((module_name, kind, *geometry, sum(p.numel() for p in module.parameters())))
    assert [(row.name, row.kind, row.kernel, row.stride, row.params) for row in complexity(config).rows] == built


@pytest.mark.parametrize(
    "config", [*VARIANTS, *map(parse, ("DenseNet-40-k4", "Highway-20-w4", "Highway-19"))], ids=lambda config: config.name
)
def test_output_shapes_and_shortcuts_are_those_of_the_built_net(config):
    net, model, shapes = complexity(config), build_model(config).eval(), {}
    hooks = [
        module.register_forward_hook(lambda _module, _input, output, key=module_name: shapes.update({key: tuple(output.shape[1:])}))
        for module_name, module in model.named_modules()
    ]
    model(torch.zeros(1, 3, 32, 32))
    for hook in hooks:
        hook.remove()
    assert {row.name: row.output_shape for row in net.rows}.items() <= shapes.items()
    assert {s.name: s.output_shape for s in net.shortcuts}.items() <= shapes.items()
    kinds = {(): "identity", ("pad",): "zero-padded", ("conv", "bn"): "projection"}
    blocks = [(block.unit.name, block) for block in model.blocks() if block.shortcut is not None]
    parts = [kinds[tuple(name for name, _ in block.shortcut.named_children())] for _, block in blocks]
    built = [
        (f"{name}.shortcut", kind, block.unit.dimensions_change and kind != "identity")  # else it is pooling behind the join
        for (name, block), kind in zip(blocks, parts, strict=True)
    ]
    assert [(s.name, s.kind, s.dimensions_change) for s in net.shortcuts] == built
    assert [s.params for s in net.shortcuts] == [sum(p.numel() for p in block.shortcut.parameters()) for _, block in blocks]


@pytest.mark.parametrize(
    "net, activation",
    [("ResNet-20", "ReLU"), ("ResNet-20-tanh", "tanh"), ("ResNet-20-preact", ""), ("Highway-19", ""), ("DenseNet-40-k12", "")],
)
def test_what_follows_a_join_is_named(net, activation):
    assert {shortcut.activation for shortcut in complexity(parse(net)).shortcuts} == {activation}


@pytest.mark.parametrize("config", VARIANTS + LARGE, ids=name)
def test_fvcore_and_the_flop_counter_agree_with_the_arithmetic(config):
    net, found = complexity(config), measured(config)
    assert (found.params, found.macs) == (net.params, net.macs)
    assert found.layers == {row.name: (row.params, row.macs) for row in net.rows}
    assert found.uncounted > 0
    assert flop_counter(config) == 2 * net.macs


def test_the_flop_counter_agrees_at_1202_layers():
    assert flop_counter(ResNetConfig(1202, "B")) == 2 * (GOLDEN[1202][1] + EXTRA_MACS_OF_B)


def test_measuring_is_silent(capfd, recwarn, caplog):
    measured(ResNetConfig(8))
    captured = capfd.readouterr()
    assert (captured.out, captured.err, list(recwarn), caplog.records) == ("", "", [], [])


def test_a_net_that_would_not_fit_is_not_built(monkeypatch):
    monkeypatch.setattr(measuring, "MAX_PARAMS", 100_000)
    with pytest.raises(ConfigError, match=r"ResNet-20 has 269,722 parameters .* too large .* smaller width or depth"):
        measured(ResNetConfig(20))


def test_the_largest_net_of_all_is_counted_by_arithmetic_and_refused_by_fvcore():
    largest = ResNetConfig(1202, "C", 256)
    assert complexity(largest).params == sum(parameter.numel() for parameter in without_weights(largest).parameters())
    with pytest.raises(ConfigError, match="too large"):
        measured(largest)


def test_the_arithmetic_needs_no_torch():
    code = (
        "import sys; from resnet_core.architectures.table import complexity; from resnet_core.config import ResNetConfig; "
        "import resnet_core.analysis.measured, resnet_core.analysis.shortcuts, resnet_core.architectures; "
        "print(complexity(ResNetConfig(1202)).macs, [m for m in ('torch', 'fvcore', 'streamlit') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "2829238912 []"


def test_the_dictionary_is_plain_json_with_every_row():
    net = complexity(ResNetConfig(56, "B"))
    values = json.loads(json.dumps(net.to_dict()))
    assert (values["params"], values["macs"]) == (855_770, 125_747_840)
    assert len(values["layers"]) == len(net.rows) == 2 * 55 + 2 * 2 + 1
    assert values["layers"][0] == {
        "name": "conv1",
        "kind": "conv",
        "output_shape": [16, 32, 32],
        "kernel": 3,
        "stride": 1,
        "params": 432,
        "macs": 442_368,
        "share": 442_368 / 125_747_840,
        "stage": None,
        "block": None,
    }


def test_the_csv_has_every_row_and_the_totals_in_it():
    net = complexity(ResNetConfig(20, "C"))
    rows = list(csv.DictReader(io.StringIO(rows_as_csv(net))))
    assert [row["layer"] for row in rows] == [row.name for row in net.rows]
    assert sum(int(row["params"]) for row in rows) == net.params
    assert sum(int(row["macs"]) for row in rows) == net.macs
    assert {row["net"] for row in rows} == {"ResNet-20-C"}
    assert (rows[0]["output_channels"], rows[0]["output_height"], rows[0]["output_width"]) == ("16", "32", "32")


@pytest.mark.parametrize(
    "typed, expected",
    [
        ("plain-56", ResNetConfig(56, "none")),
        ("ResNet-110", ResNetConfig(110, "A")),
        (" resnet 20 b ", ResNetConfig(20, "B")),
        ("56", ResNetConfig(56, "A")),
        ("ResNet-164-C-bottleneck-w32", ResNetConfig(164, "C", 32, "bottleneck")),
    ],
)
def test_a_net_is_found_by_its_name(typed, expected):
    assert parse(typed) == expected


@pytest.mark.parametrize("config", VARIANTS, ids=name)
def test_names_and_configurations_are_inverses(config):
    assert parse(config.name) == config


@pytest.mark.parametrize(
    "typed, message",
    [
        ("ResNet-57", "nearest valid depths are 56 and 62"),
        ("plain-9", "nearest valid depths are 8 and 14"),
        ("ResNet-56-w300", "width: 300 is out of range"),
        ("plain-56-B", "'plain-56-B' does not name a net"),
        ("", "'' does not name a net"),
        ("<b>VGG</b>", "does not name a net"),
        ("ResNet-" + "9" * 5000, "does not name a net"),
    ],
)
def test_a_wrong_name_is_refused_with_what_to_write_instead(typed, message):
    with pytest.raises(ConfigError, match=message):
        parse(typed)


def test_the_difference_between_the_shortcuts_is_spelled_out():
    plain, a, b, c = shortcut_differences(ResNetConfig(56, "C"))
    assert [d.net.config.shortcut for d in (plain, a, b, c)] == ["none", "A", "B", "C"]
    assert (plain.params, plain.macs, a.params, a.macs) == (0, 0, 0, 0)
    assert (b.params, b.macs) == (EXTRA_PARAMS_OF_B, EXTRA_MACS_OF_B)
    assert plain.text == "Plain has no shortcuts: 853,018 parameters and 125,485,696 MACs."
    assert a.text.startswith("A adds no parameters and no MACs. Where dimensions change (2 of 27 shortcuts) it fills the new channels with")
    assert b.text == (
        "B adds 2,752 parameters (0.32 %) and 262,144 MACs (0.21 %): two 1×1 projections, each with its BN, where dimensions change; "
        "the other shortcuts stay identities."
    )
    assert c.text == (
        "C adds 47,840 parameters (5.61 %) and 6,815,744 MACs (5.43 %): all 27 shortcuts are 1×1 projections, each with its BN."
    )


def test_a_bottleneck_net_changes_dimensions_three_times():
    _, a, b, _ = shortcut_differences(ResNetConfig(11, "A", block="bottleneck"))
    assert "(3 of 3 shortcuts)" in a.text and "Elsewhere" not in a.text
    assert "three 1×1 projections" in b.text and b.text.endswith("no shortcut is left an identity.")


@pytest.mark.parametrize("part, whole, text", [(2_752, 19_421_274, "0.014 %"), (1, 100, "1.00 %"), (1, 3, "33.3 %")])
def test_percent_keeps_two_or_three_figures(part, whole, text):
    assert percent(part, whole) == text


def test_complexity_is_frozen():
    net = complexity(ResNetConfig(20))
    assert isinstance(net, Complexity)
    with pytest.raises(AttributeError):
        net.params = 0
