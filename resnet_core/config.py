"""What a training is made of: the net, the data, the recipe. The only place with defaults.

All configurations are frozen dataclasses of plain values. They are checked when they are made, travel with every artifact
as JSON (``to_dict`` / ``from_dict``), and two that are equal mean the same training: ``RunConfig.fingerprint``.

The defaults of ``Recipe`` are those of He et al., "Deep Residual Learning for Image Recognition" (CVPR 2016), section 4.2.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass, field
from typing import Any

from resnet_core.errors import ConfigError

#: ``none`` is the plain net; A, B and C are the options of section 3.3 and Table 3 of the paper.
SHORTCUTS = ("none", "A", "B", "C")
BLOCKS = ("basic", "bottleneck")
DATASETS = ("sample", "cifar10")
SCHEDULES = ("step", "linear", "cosine", "constant")
WARMUPS = ("none", "linear", "error")
AUGMENTATIONS = ("standard", "none")
PRECISIONS = ("auto", "fp32", "bf16")
DEVICES = ("auto", "cpu", "cuda", "mps")
COMPILES = ("auto", "on", "off")

#: An interval that is left to us: that part of a run, and at most so many iterations.
_INTERVALS = {"record_every": (100, 100), "test_every": (20, 1000), "layers_every": (20, 1000), "checkpoint_every": (10, 500)}

MIN_DEPTH, MAX_DEPTH = 8, 1202
MIN_WIDTH, MAX_WIDTH = 1, 256
#: Weighted layers in one round of blocks, one block a stage: 2 (basic) or 3 (bottleneck) layers in each of 3 stages.
LAYERS_PER_ROUND = {"basic": 6, "bottleneck": 9}
#: Section 4.2: the training stops at 64k iterations. Schedule fractions are told against this.
PAPER_ITERATIONS = 64_000


def _choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(name, f"{value!r} is not one of {', '.join(choices)}.")


def _whole(name: str, value: Any, low: int, high: int | None = None) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(name, f"{value!r} is not a whole number.")
    if value < low or (high is not None and value > high):
        bounds = f"at least {low}" if high is None else f"from {low} to {high}"
        raise ConfigError(name, f"{value} is out of range; it must be {bounds}.")


def _real(name: str, value: Any, low: float, high: float, *, above: bool = False) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ConfigError(name, f"{value!r} is not a finite number.")
    if value > high or value < low or (above and value == low):
        raise ConfigError(name, f"{value:g} is out of range; it must be {'above' if above else 'from'} {low:g} and at most {high:g}.")


def valid_depths(block: str = "basic", low: int = MIN_DEPTH, high: int = MAX_DEPTH) -> list[int]:
    """Every depth from ``low`` to ``high`` that the family has: 6n+2 for basic blocks, 9n+2 for bottlenecks."""
    step = LAYERS_PER_ROUND[block]
    return [depth for depth in range(step + 2, MAX_DEPTH + 1, step) if low <= depth <= high]


def nearest_depths(depth: int, block: str = "basic") -> list[int]:
    """The valid depths on both sides of ``depth`` (one, where it lies beyond the ends)."""
    step = LAYERS_PER_ROUND[block]
    if step + 2 <= depth <= MAX_DEPTH and (depth - 2) % step == 0:
        return [depth]
    depths = valid_depths(block)
    below = [d for d in depths if d <= depth][-1:]
    above = [d for d in depths if d >= depth][:1]
    return sorted(set(below + above))


@dataclass(frozen=True)
class ModelConfig:
    """A net of the CIFAR family of section 4.2 of He et al. 2016.

    Attributes:
        depth: weighted layers (the 3x3 convolutions, or the bottlenecks' convolutions, and the fully connected one; projections
            do not count): 6n+2 for basic blocks, 9n+2 for bottlenecks; 8 to 1202.
        shortcut: ``none`` (plain), ``A`` (identity, zero-padded, stride 2), ``B`` (projection where dimensions change),
            ``C`` (all shortcuts are projections).
        width: filters of the first stage; the others have 2 and 4 times as many.
        block: ``basic`` (two 3x3 convolutions) or ``bottleneck`` (1x1, 3x3, 1x1 with 4 times the filters).
        num_classes: outputs of the fully connected layer.

    Raises:
        ConfigError: a field is out of its range; for a depth, the message names the nearest valid ones.
    """

    depth: int = 20
    shortcut: str = "A"
    width: int = 16
    block: str = "basic"
    num_classes: int = 10

    def __post_init__(self):
        _choice("block", self.block, BLOCKS)
        _choice("shortcut", self.shortcut, SHORTCUTS)
        if isinstance(self.depth, bool) or not isinstance(self.depth, int):
            raise ConfigError("depth", f"{self.depth!r} is not a whole number.")
        nearest = nearest_depths(self.depth, self.block)
        if self.depth not in nearest:
            form = f"{LAYERS_PER_ROUND[self.block]}n+2"
            names = " and ".join(str(d) for d in nearest)
            raise ConfigError(
                "depth",
                f"{self.depth} is not of the form {form} ({self.block} blocks, up to {valid_depths(self.block)[-1]}); "
                f"the nearest valid {'depths are' if len(nearest) > 1 else 'depth is'} {names}.",
            )
        _whole("width", self.width, MIN_WIDTH, MAX_WIDTH)
        _whole("num_classes", self.num_classes, 2, 1000)

    @property
    def blocks_per_stage(self) -> int:
        """The paper's n."""
        return (self.depth - 2) // LAYERS_PER_ROUND[self.block]

    @property
    def is_plain(self) -> bool:
        return self.shortcut == "none"

    @property
    def name(self) -> str:
        """``plain-56``, ``ResNet-56`` (option A), ``ResNet-56-B``, ``ResNet-56-w32``, ``ResNet-164-bottleneck``."""
        parts = [f"{'plain' if self.is_plain else 'ResNet'}-{self.depth}"]
        if self.shortcut in ("B", "C"):
            parts.append(self.shortcut)
        if self.block != "basic":
            parts.append(self.block)
        if self.width != 16:
            parts.append(f"w{self.width}")
        return "-".join(parts)


@dataclass(frozen=True)
class ImageNetConfig:
    """A ResNet of section 4.1 of He et al. 2016 (Table 1), as torchvision has them; imported, not trained here.

    Its shortcuts are option B. In bottlenecks the stride is in the 3x3 convolution, not in the first 1x1 as in the paper.

    Attributes:
        layers: blocks of each of the four stages.
        block: ``basic`` or ``bottleneck``.
        num_classes: outputs of the fully connected layer.
        width: filters of the first stage's 3x3 convolutions; the others have 2, 4 and 8 times as many.

    Raises:
        ConfigError: a field is out of its range.
    """

    layers: tuple[int, int, int, int] = (2, 2, 2, 2)
    block: str = "basic"
    num_classes: int = 1000
    width: int = 64

    def __post_init__(self):
        _choice("block", self.block, BLOCKS)
        if not isinstance(self.layers, tuple) or len(self.layers) != 4:
            raise ConfigError("layers", f"{self.layers!r} are not four numbers of blocks.")
        for blocks in self.layers:
            _whole("layers", blocks, 1, 100)
        _whole("num_classes", self.num_classes, 2, 1000)
        _whole("width", self.width, MIN_WIDTH, MAX_WIDTH)

    @property
    def depth(self) -> int:
        """Weighted layers: the blocks' convolutions, the first convolution and the fully connected layer."""
        return LAYERS_PER_ROUND[self.block] // 3 * sum(self.layers) + 2

    @property
    def shortcut(self) -> str:
        return "B"

    @property
    def is_plain(self) -> bool:
        return False

    @property
    def name(self) -> str:
        """``ResNet-18-ImageNet``, ``ResNet-50-ImageNet``, ``ResNet-18-w32-ImageNet``."""
        return f"ResNet-{self.depth}{'' if self.width == 64 else f'-w{self.width}'}-ImageNet"


_TRAIN_IMAGES = {"sample": 5_000, "cifar10": 50_000}


@dataclass(frozen=True)
class DataConfig:
    """Which images are trained and tested on.

    Attributes:
        dataset: ``sample`` (embedded: 5,000 training and 1,000 test images of CIFAR-10) or ``cifar10`` (50,000 and 10,000).
        validation: hold out the last tenth of the training images (45k/5k on the full set, as in section 4.2) and
            report its error too. The test set selects nothing either way.
        images_per_class: train on the first so many images of each class only; 0 takes all. The test images stay all.
    """

    dataset: str = "sample"
    validation: bool = False
    images_per_class: int = 0

    def __post_init__(self):
        _choice("dataset", self.dataset, DATASETS)
        if not isinstance(self.validation, bool):
            raise ConfigError("validation", f"{self.validation!r} is neither true nor false.")
        _whole("images_per_class", self.images_per_class, 0, _TRAIN_IMAGES[self.dataset] // 10)

    @property
    def label(self) -> str:
        """``sample (5,000 images)``, ``sample (500 images)``, ``CIFAR-10 (45,000 images + 5,000 for validation)``."""
        title = {"sample": "sample", "cifar10": "CIFAR-10"}[self.dataset]
        held_out = f" + {self._all_images - self.train_images:,} for validation" if self.validation else ""
        return f"{title} ({self.train_images:,} images{held_out})"

    @property
    def train_images(self) -> int:
        """Images that are trained on."""
        return self._all_images - (self._all_images // 10 if self.validation else 0)

    @property
    def _all_images(self) -> int:
        return 10 * self.images_per_class or _TRAIN_IMAGES[self.dataset]


@dataclass(frozen=True)
class Recipe:
    """How a net is trained. Iterations, not epochs, are the clock. Defaults: section 4.2 of He et al. 2016.

    Attributes:
        iterations: parameter updates.
        batch_size: images per update.
        learning_rate: the highest rate of the schedule.
        schedule: ``step`` (multiplied by ``gamma`` at each milestone), ``linear`` (to 0), ``cosine`` (to 0) or ``constant``.
        milestones: fractions of ``iterations`` at which ``step`` lowers the rate.
        gamma: the factor of ``step``.
        warmup: ``none``; ``linear`` (from 0 over ``warmup_iterations``); or ``error`` (the 110-layer rule: train at
            ``warmup_learning_rate`` until the training error is below ``warmup_error`` %, then at the schedule's rate).
        warmup_iterations: length of the ``linear`` warm-up.
        warmup_learning_rate, warmup_error: of the ``error`` warm-up; the error in percent.
        momentum, weight_decay: of SGD; weight decay is on all parameters, as in fb.resnet.torch (the paper does not say).
        augmentation: ``standard`` (4 pixels of zero padding, random 32x32 crop, random horizontal flip) or ``none``.
        seed: of the initial weights and the batches.
        precision, device, compile: ``auto`` is decided by a probe on the machine and recorded with the run.
        record_every, test_every, layers_every, checkpoint_every: intervals in iterations; 0 picks one from the length.

    Raises:
        ConfigError: a field is out of its range.
    """

    iterations: int = PAPER_ITERATIONS
    batch_size: int = 128
    learning_rate: float = 0.1
    schedule: str = "step"
    milestones: tuple[float, ...] = (0.5, 0.75)
    gamma: float = 0.1
    warmup: str = "none"
    warmup_iterations: int = 0
    warmup_learning_rate: float = 0.01
    warmup_error: float = 80.0
    momentum: float = 0.9
    weight_decay: float = 1e-4
    augmentation: str = "standard"
    seed: int = 0
    precision: str = "auto"
    device: str = "auto"
    compile: str = "auto"
    record_every: int = 0
    test_every: int = 0
    layers_every: int = 0
    checkpoint_every: int = 0

    def __post_init__(self):
        _whole("iterations", self.iterations, 1, 10_000_000)
        _whole("batch_size", self.batch_size, 1, 4096)
        _real("learning_rate", self.learning_rate, 0, 100, above=True)
        _choice("schedule", self.schedule, SCHEDULES)
        object.__setattr__(self, "milestones", tuple(self.milestones))
        for milestone in self.milestones:
            _real("milestones", milestone, 0, 1, above=True)
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ConfigError("milestones", f"{list(self.milestones)} must rise from one to the next.")
        _real("gamma", self.gamma, 0, 1, above=True)
        _choice("warmup", self.warmup, WARMUPS)
        _whole("warmup_iterations", self.warmup_iterations, 0, self.iterations)
        if self.warmup == "linear" and self.warmup_iterations == 0:
            raise ConfigError("warmup_iterations", "a linear warm-up needs at least 1 iteration.")
        _real("warmup_learning_rate", self.warmup_learning_rate, 0, 100, above=True)
        _real("warmup_error", self.warmup_error, 0, 100)
        _real("momentum", self.momentum, 0, 0.9999)
        _real("weight_decay", self.weight_decay, 0, 1)
        _choice("augmentation", self.augmentation, AUGMENTATIONS)
        _whole("seed", self.seed, 0, 2**31 - 1)
        _choice("precision", self.precision, PRECISIONS)
        _choice("device", self.device, DEVICES)
        _choice("compile", self.compile, COMPILES)
        for name in ("record_every", "test_every", "layers_every", "checkpoint_every"):
            _whole(name, getattr(self, name), 0)
        # 1 and 1.0 are the same rate, and must be the same in JSON: the fingerprint is made of that.
        for name in ("learning_rate", "gamma", "warmup_learning_rate", "warmup_error", "momentum", "weight_decay"):
            object.__setattr__(self, name, float(getattr(self, name)))
        object.__setattr__(self, "milestones", tuple(float(m) for m in self.milestones))

    @property
    def schedule_fraction(self) -> float:
        """Images seen, as a fraction of the paper's 64k iterations of 128."""
        return self.iterations * self.batch_size / (PAPER_ITERATIONS * 128)

    def interval(self, name: str) -> int:
        """The interval ``record_every``, ``test_every``, ``layers_every`` or ``checkpoint_every``, 0 resolved, in iterations."""
        value = getattr(self, name)
        if value:
            return value
        parts, most = _INTERVALS[name]
        return max(1, min(self.iterations // parts, most))


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides the outcome of a training."""

    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    recipe: Recipe = field(default_factory=Recipe)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Plain JSON values; ``from_dict`` is its inverse."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def from_dict(cls, values: dict[str, dict[str, Any]]) -> RunConfig:
        """Raises ConfigError for an unknown section or field, and for every value that is out of its range."""
        sections = {"model": ModelConfig, "data": DataConfig, "recipe": Recipe}
        made = {}
        if not isinstance(values, dict):
            raise ConfigError("config", "is not an object with the sections model, data and recipe.")
        for name, fields in values.items():
            if name not in sections:
                raise ConfigError(name, f"is not a section of a configuration; they are {', '.join(sections)}.")
            if not isinstance(fields, dict):
                raise ConfigError(name, "is not an object.")
            known = {f.name for f in dataclasses.fields(sections[name])}
            for unknown in sorted(set(fields) - known):
                raise ConfigError(unknown, f"is not a field of {name}; they are {', '.join(sorted(known))}.")
            try:
                made[name] = sections[name](**fields)
            except (TypeError, ValueError, OverflowError) as error:  # of another type altogether, as a number where a list belongs
                raise ConfigError(name, f"has a field of the wrong type or size ({error}).") from error
        return cls(**made)

    @property
    def fingerprint(self) -> str:
        """Hexadecimal SHA-256 of the configuration: equal for two configurations exactly when they mean the same training."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()

    @property
    def epochs(self) -> float:
        return self.recipe.iterations * self.recipe.batch_size / self.data.train_images


#: The front page's demo: trainings that end within minutes, as they are on few images: 28.7 epochs. Clean training errors at the end, in
#: percent over ten seeds on one thread (benchmarks/demo_seeds.py): in bf16 plain-20 0.2 to 4.8, plain-56 70 to 84, ResNet-20 0.0,
#: ResNet-56 0.0 to 0.6; in fp32 0.6 to 10.8, 61 to 87, 0.0, and 0.0 to 0.4 but for one seed of ten with 9.6. With 384 iterations
#: ResNet-56 is not through (3.8); with steps instead of a line plain-20 is not either (23.6).
DEMO_DATA = DataConfig("sample", images_per_class=50)
DEMO_RECIPE = Recipe(iterations=448, batch_size=32, learning_rate=0.03, schedule="linear", augmentation="none", test_every=100)
DEMO_NETS = (ModelConfig(20, "none"), ModelConfig(56, "none"), ModelConfig(20, "A"), ModelConfig(56, "A"))


def demo_configs(seed: int = 0, iterations: int | None = None) -> list[RunConfig]:
    """Give the four trainings of the demo: plain-20, plain-56, ResNet-20, ResNet-56. ``iterations`` shortens them."""
    changes: dict[str, Any] = {"seed": seed}
    if iterations is not None:
        changes["iterations"] = iterations
    recipe = dataclasses.replace(DEMO_RECIPE, **changes)
    return [RunConfig(model, DEMO_DATA, recipe) for model in DEMO_NETS]
