"""In what configurations differ, which comparisons mix several things up, and configurations made from one by varying a thing."""

from __future__ import annotations

import pytest

from resnet_core.architectures import ModelConfig, changed, parse
from resnet_core.config import DataConfig, Recipe, RunConfig, demo_configs
from resnet_core.differences import confounded, differing, varied
from resnet_core.errors import ConfigError


def run(net: str, **recipe) -> RunConfig:
    return RunConfig(parse(net), DataConfig(), Recipe(**recipe))


def pairs(configs: list[RunConfig]) -> list[tuple]:
    return [(step.first, step.second, *step.things) for step in confounded(configs)]


@pytest.mark.parametrize(
    ("configs", "words"),
    [
        ([], []),
        ([run("ResNet-20")] * 2, []),
        (demo_configs(), ["depth", "shortcut"]),
        ([run("ResNet-20"), run("ResNet-20", seed=1)], ["seed"]),
        ([run("ResNet-20", seed=1), run("ResNet-20-w8", batch_size=64, warmup="error")], ["width", "batch size", "warm-up", "seed"]),
        ([run("ResNet-20"), run("ResNet-20-nobn"), run("ResNet-20-preact"), run("ResNet-20-rezero")],
         ["normalisation", "activation order", "branch scale"]),
        ([run("ResNet-20"), RunConfig(data=DataConfig(images_per_class=50))], ["images per class"]),
    ],
)  # fmt: skip
def test_in_what_they_differ(configs, words):
    assert differing(configs) == words


def test_a_comparison_of_two_things_at_once_is_named():
    mixed = [run("ResNet-20", batch_size=32), run("ResNet-56", batch_size=64)]
    assert pairs(mixed) == [(0, 1, "depth", "batch size")]
    # A third one between them tells the two apart.
    assert pairs([*mixed, run("ResNet-56", batch_size=32)]) == []


def test_what_differs_in_one_thing_step_by_step_can_be_compared():
    assert pairs(demo_configs()) == []
    assert pairs([]) == pairs([run("ResNet-20")]) == pairs([run("ResNet-20")] * 3) == []
    # Of plain-20 and the net without BN the first differs from ResNet-20 in its shortcut, the second in its normalisation.
    assert pairs([run("plain-20"), run("ResNet-20-nobn"), run("ResNet-20")]) == []
    assert pairs([run("plain-20"), run("ResNet-20-nobn")]) == [(0, 1, "shortcut", "normalisation")]


def test_the_seed_is_no_second_thing():
    assert pairs([run("ResNet-20"), run("ResNet-56", seed=1)]) == []
    assert pairs([run("ResNet-20", seed=seed, batch_size=16) for seed in (0, 1)] + [run("plain-56")]) == [
        (0, 2, "depth", "shortcut", "batch size")
    ]


def test_the_nearest_of_two_groups_are_told_once():
    plain = [run(net, learning_rate=0.1) for net in ("plain-20", "plain-56")]
    groups = [*plain, *(run(net, learning_rate=0.2) for net in ("ResNet-20", "ResNet-56"))]
    assert pairs(groups) == [(0, 2, "shortcut", "learning rate")]


def test_of_two_families_what_both_have_is_compared(toys):
    from tests.toy_family import ToyConfig

    nets: list[ModelConfig] = [parse("ResNet-20"), ToyConfig(6), ToyConfig(22)]
    six, deep = (RunConfig(net) for net in nets[1:])
    assert pairs([run("ResNet-20"), six]) == [(0, 1, "family", "depth")]
    assert differing([run("ResNet-20"), deep]) == ["family", "depth"]


def test_every_combination_is_made():
    base = run("ResNet-20-preact", iterations=10)
    made, impossible = varied(base, {"depth": (20, 56), "shortcut": ("none", "B"), "seed": (0, 1)})
    names = [(config.model.name, config.recipe.seed) for config in made]
    nets = ("plain-20-preact", "ResNet-20-B-preact", "plain-56-preact", "ResNet-56-B-preact")
    assert names == [(name, seed) for name in nets for seed in (0, 1)]
    assert {config.recipe.iterations for config in made} == {10} and impossible == []
    assert differing(made) == ["depth", "shortcut", "seed"] and confounded(made) == []


def test_a_field_of_the_recipe_can_be_varied():
    made, _ = varied(run("ResNet-20"), {"learning_rate": (0.1, 0.05, 0.1)})
    assert [config.recipe.learning_rate for config in made] == [0.1, 0.05]
    assert varied(run("ResNet-20"), {}) == ([run("ResNet-20")], [])


def test_a_combination_that_cannot_be_is_left_out_and_told():
    made, impossible = varied(run("ResNet-20"), {"shortcut": ("none", "A"), "branch": ("plain", "rezero"), "seed": (0, 1)})
    assert [config.model.name for config in made[::2]] == ["plain-20", "ResNet-20", "ResNet-20-rezero"]
    assert impossible == ["branch: rezero needs a shortcut: a plain net whose blocks are multiplied by 0 passes nothing on."]
    made, impossible = varied(run("ResNet-20"), {"depth": (20, 21), "learning_rate": (-1.0,)})
    assert made == [] and [text.split(":")[0] for text in impossible] == ["learning_rate", "depth"]


@pytest.mark.parametrize(
    ("net", "values", "other"),
    [
        ("ResNet-20-w8", {"depth": 56}, "ResNet-56-w8"),
        ("ResNet-29-bottleneck", {"block": "basic", "depth": 32}, "ResNet-32"),
        ("ResNet-18-ImageNet", {"depth": 50, "width": 32}, "ResNet-50-w32-ImageNet"),
        ("ResNet-18-ImageNet", {"num_classes": 10}, "ResNet-18-c10-ImageNet"),
    ],
)
def test_a_net_with_another_depth(net, values, other):
    assert changed(parse(net), **values).name == other


def test_a_depth_that_there_is_not_is_refused():
    with pytest.raises(ConfigError, match="nearest valid depths are 20 and 26"):
        changed(parse("ResNet-20"), depth=21)
    with pytest.raises(ConfigError, match="18, 34, 50, 101, 152"):
        changed(parse("ResNet-18-ImageNet"), depth=20)
