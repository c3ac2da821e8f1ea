"""What the Train page can be filled with at one click."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from resnet_core.architectures import ModelConfig, ResNetConfig, parse
from resnet_core.config import DEMO_DATA, DEMO_NETS, DEMO_RECIPE, DataConfig, Recipe, join_configs
from resnet_core.language import mark


@dataclass(frozen=True)
class Preset:
    """Nets trained by one recipe on one data set. ``about`` says what they are for."""

    name: str
    about: str
    nets: Sequence[ModelConfig]
    recipe: Recipe
    data: DataConfig


PRESETS = (
    Preset(
        mark("Demo"),
        mark("Trainings that end in minutes: plain and residual, 20 and 56 layers, on 300 images of the embedded sample."),
        DEMO_NETS,
        DEMO_RECIPE,
        DEMO_DATA,
    ),
    Preset(
        mark("Shortcuts A, B, C"),
        mark("The three shortcuts of section 3.3 against the plain net, on 300 images of the embedded sample."),
        [ResNetConfig(20, shortcut) for shortcut in ("none", "A", "B", "C")],
        DEMO_RECIPE,
        DEMO_DATA,
    ),
    Preset(
        mark("One part at a time"),
        mark(
            "ResNet-20 with one part changed: without BN, with pre-activation, with ReZero, without shortcuts "
            "(plain); and plain without BN. On 300 images of the embedded sample."
        ),
        [parse(name) for name in ("ResNet-20", "ResNet-20-nobn", "ResNet-20-preact", "ResNet-20-rezero", "plain-20", "plain-20-nobn")],
        DEMO_RECIPE,
        DEMO_DATA,
    ),
    Preset(
        mark("Dropout and BN"),
        mark(
            "ResNet-20 with and without batch normalisation, each without dropout and with 50 % before the classifier: is there anything "
            "left for dropout to do? On 300 images of the embedded sample."
        ),
        [parse(name) for name in ("ResNet-20", "ResNet-20-d50", "ResNet-20-nobn", "ResNet-20-nobn-d50")],
        DEMO_RECIPE,
        DEMO_DATA,
    ),
    Preset(
        mark("Compare by join"),
        mark(
            "Plain, Highway, ResNet and DenseNet: a block's branch and its skip are joined by nothing, a gate, "
            "addition or concatenation. On 300 images of the embedded sample; recorded, so that Compare shows it "
            "before it is trained."
        ),
        [config.model for config in join_configs()],
        DEMO_RECIPE,
        DEMO_DATA,
    ),
    Preset(
        mark("AlexNet's Figure 1"),
        mark(
            "ReLU against tanh in a net of four layers: how many iterations until the training error is 25 %? On "
            "the sample with seed 0, tanh was there first (248 iterations, ReLU 400), unlike in the paper, which "
            "trained on all of CIFAR-10, each at its own best rate."
        ),
        [parse(name) for name in ("AlexNet-Figure1", "AlexNet-Figure1-tanh")],
        Recipe(iterations=800, learning_rate=0.05, schedule="constant", augmentation="none"),
        DataConfig("sample"),
    ),
    Preset(
        mark("Paper, 20 to 56 layers"),
        mark(
            "Figure 6 of the paper: its recipe, 64,000 iterations of 128 images of the full CIFAR-10. Hours on a "
            "GPU, days to weeks on a CPU."
        ),
        [ResNetConfig(depth, shortcut) for shortcut in ("none", "A") for depth in (20, 32, 44, 56)],
        Recipe(),
        DataConfig("cifar10"),
    ),
    Preset(
        mark("Paper, 110 layers"),
        mark("The paper's recipe with the rule for 110 layers: rate 0.01 until the training error is under 80 %, then 0.1."),
        [ResNetConfig(110, "none"), ResNetConfig(110, "A")],
        Recipe(warmup="error"),
        DataConfig("cifar10"),
    ),
)
