"""What a training is made of: the net, the data, the recipe. The only place with defaults.

All configurations are frozen dataclasses of plain values. They are checked when they are made, travel with every artifact
as JSON (``to_dict`` / ``from_dict``), and two that are equal mean the same training: ``RunConfig.fingerprint``.

The defaults of ``Recipe`` are those of He et al., "Deep Residual Learning for Image Recognition" (CVPR 2016), section 4.2.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from resnet_core import architectures
from resnet_core.architectures import ModelConfig, ResNetConfig, parse
from resnet_core.checks import check_choice, check_real, check_whole
from resnet_core.checks import later as later
from resnet_core.data_config import DATASETS as DATASETS
from resnet_core.data_config import DataConfig
from resnet_core.data_config import Pictures as Pictures
from resnet_core.errors import ConfigError
from resnet_core.language import tr

SCHEDULES = ("step", "linear", "cosine", "constant", "plateau")
WARMUPS = ("none", "linear", "error")
AUGMENTATIONS = ("standard", "none", "crop", "scale", "resized")
PRECISIONS = ("auto", "fp32", "bf16")
DEVICES = ("auto", "cpu", "cuda", "mps")
COMPILES = ("auto", "on", "off")

#: An interval that is left to us: that part of a run, and at most so many iterations.
_INTERVALS = {"record_every": (100, 100), "test_every": (20, 1000), "layers_every": (20, 1000), "checkpoint_every": (10, 500)}

#: Section 4.2: the training stops at 64k iterations. Schedule fractions are told against this.
PAPER_ITERATIONS = 64_000


def _written(section: Any) -> dict[str, Any]:
    values = json.loads(json.dumps(dataclasses.asdict(section)))
    kept = [f.name for f in dataclasses.fields(section) if not f.metadata.get("later") or getattr(section, f.name) != f.default]
    return {name: values[name] for name in kept}


@dataclass(frozen=True)
class Recipe:
    """How a net is trained. Iterations, not epochs, are the clock. Defaults: section 4.2 of He et al. 2016.

    Attributes:
        iterations: parameter updates.
        batch_size: images per update.
        learning_rate: the highest rate of the schedule.
        schedule: ``step`` (multiplied by ``gamma`` at each milestone), ``linear`` (to 0), ``cosine`` (to 0), ``constant`` or ``plateau``
            (multiplied by ``gamma`` whenever the error has stopped falling, see ``patience``; when that is, nobody knows in advance).
        milestones: fractions of ``iterations`` at which ``step`` lowers the rate.
        gamma: the factor of ``step`` and of ``plateau``.
        warmup: ``none``; ``linear`` (from 0 over ``warmup_iterations``); or ``error`` (the 110-layer rule: train at
            ``warmup_learning_rate`` until the training error is below ``warmup_error`` %, then at the schedule's rate).
        warmup_iterations: length of the ``linear`` warm-up.
        warmup_learning_rate, warmup_error: of the ``error`` warm-up; the error in percent.
        momentum, weight_decay: of SGD; weight decay is on all parameters, as in fb.resnet.torch (the paper does not say).
        augmentation: ``standard`` (4 pixels of zero padding, random 32x32 crop, random horizontal flip), ``none``, or, flipped as well,
            ``crop`` (a random crop of images that are stored larger than the net's input, as 224 of 256; of others the whole image),
            ``scale`` (the image at a random scale, and a random crop of it: VGG, He et al.), ``resized`` (a random part of 8 to 100 % of
            the area, 3:4 to 4:3, resized: GoogLeNet).
        seed: of the initial weights and the batches.
        precision, device, compile: ``auto`` is decided by a probe on the machine and recorded with the run.
        record_every, test_every, layers_every, checkpoint_every: intervals in iterations; 0 picks one from the length.
        scale_range: of ``scale``, the smallest and the largest side in pixels that an image is resized to, as 256, 480; empty is 8/7 and
            15/7 of the net's input, which for 224 are those.
        pca_colour: standard deviation of a random shift of all of an image's colours along their principal axes (AlexNet: 0.1); 0 is none.
        colour_jitter: brightness, contrast and saturation are multiplied by up to 1 more or less this (fb.resnet.torch: 0.4); 0 is none.
        patience: of ``plateau``: a plateau is this many measurements in a row, one each ``test_every`` iterations, of which none is below
            the lowest error so far. It is the error on the validation images, without them that of the batches since the last measurement.
        replicas: so many graphics cards (or processes on a CPU) train one net, each on its part of every batch; each normalises by the
            statistics of its part, as on the paper's two cards, and those of the first one are kept.

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
    scale_range: tuple[int, ...] = later(())
    pca_colour: float = later(0.0)
    colour_jitter: float = later(0.0)
    patience: int = later(5)
    replicas: int = later(1)

    def __post_init__(self):
        check_whole("iterations", self.iterations, 1, 10_000_000)
        check_whole("batch_size", self.batch_size, 1, 4096)
        check_real("learning_rate", self.learning_rate, 0, 100, above=True)
        check_choice("schedule", self.schedule, SCHEDULES)
        object.__setattr__(self, "milestones", tuple(self.milestones))
        for milestone in self.milestones:
            check_real("milestones", milestone, 0, 1, above=True)
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ConfigError("milestones", "{milestones} must rise from one to the next.", milestones=list(self.milestones))
        check_real("gamma", self.gamma, 0, 1, above=True)
        check_choice("warmup", self.warmup, WARMUPS)
        check_whole("warmup_iterations", self.warmup_iterations, 0, self.iterations)
        if self.warmup == "linear" and self.warmup_iterations == 0:
            raise ConfigError("warmup_iterations", "a linear warm-up needs at least 1 iteration.")
        check_real("warmup_learning_rate", self.warmup_learning_rate, 0, 100, above=True)
        check_real("warmup_error", self.warmup_error, 0, 100)
        check_real("momentum", self.momentum, 0, 0.9999)
        check_real("weight_decay", self.weight_decay, 0, 1)
        check_choice("augmentation", self.augmentation, AUGMENTATIONS)
        check_whole("seed", self.seed, 0, 2**31 - 1)
        check_choice("precision", self.precision, PRECISIONS)
        check_choice("device", self.device, DEVICES)
        check_choice("compile", self.compile, COMPILES)
        for name in ("record_every", "test_every", "layers_every", "checkpoint_every"):
            check_whole(name, getattr(self, name), 0)
        self._check_scales()
        check_real("pca_colour", self.pca_colour, 0, 10)
        check_real("colour_jitter", self.colour_jitter, 0, 1)
        check_whole("patience", self.patience, 1, 1000)
        check_whole("replicas", self.replicas, 1, 64)
        if self.batch_size % self.replicas:
            raise ConfigError(
                "replicas", "{replicas} cannot share a batch of {batch} equally.", replicas=self.replicas, batch=self.batch_size
            )
        # 1 and 1.0 are the same rate, and must be the same in JSON: the fingerprint is made of that.
        for one in dataclasses.fields(self):
            if isinstance(one.default, float):
                object.__setattr__(self, one.name, float(getattr(self, one.name)))
        object.__setattr__(self, "milestones", tuple(float(m) for m in self.milestones))

    def _check_scales(self) -> None:
        object.__setattr__(self, "scale_range", tuple(self.scale_range))
        for scale in self.scale_range:
            check_whole("scale_range", scale, 1, 1024)
        if len(self.scale_range) not in (0, 2) or list(self.scale_range) != sorted(self.scale_range):
            raise ConfigError("scale_range", "{scales} are not the smallest and the largest side.", scales=list(self.scale_range))

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


def too_small(model: ModelConfig, side: int) -> str:
    """Say that a net cannot compute with images of that size."""
    own = model.plan().input[1]
    return tr(
        "{name} is made for images of {own}x{own} pixels, and cannot compute with {side}x{side}: its maps vanish on the way.",
        name=model.name,
        own=own,
        side=side,
    )


def made_for_larger(model: ModelConfig, side: int) -> str:
    """Say that a net is made for larger images than such, what is left of them at its end, and what to do; else empty."""
    plan = model.plan()
    own = plan.input[1]
    if side >= own or not plan.takes((3, side, side)):
        return ""
    left, due = (list(plan.maps((3, size, size)).values())[-1][1] for size in (side, own))
    return tr(
        "{name} is made for images of {own}x{own} pixels, and these have {side}x{side}: of its last maps, {due}x{due} there, {left}x{left} "
        "is left. It would train, but not as the net that it is known as. {advice}",
        name=model.name, own=own, side=side, due=due, left=left, advice=_instead(model, side),
    )  # fmt: skip


def doubts(configs: Iterable[RunConfig]) -> list[str]:
    """List what is to be said of trainings before they start, each sentence once: nets that are made for larger images."""
    return [said for said in dict.fromkeys(made_for_larger(config.model, config.data.side) for config in configs) if said]


def _instead(model: ModelConfig, side: int) -> str:
    """What to train in the place of a net that is made for larger images."""
    form = None
    with contextlib.suppress(ConfigError):
        form = parse("-".join([model.head, *([str(model.depth)] if model.is_numbered else []), "CIFAR"]))
    if form is not None and form.plan().input[1] == side:
        return tr("Choose {form}, its form for such images, or data with larger images (a folder of pictures).", form=form.name)
    return tr("Choose a net that is made for {side}x{side} pixels, or data with larger images (a folder of pictures).", side=side)


def fitted(model: ModelConfig, data: DataConfig) -> ModelConfig:
    """Give a net the outputs that the data have classes, unless its number of outputs was chosen (is not its family's usual one)."""
    usual = type(model)().num_classes
    return dataclasses.replace(model, num_classes=data.classes) if model.num_classes == usual != data.classes else model


@dataclass(frozen=True)
class Start:
    """What a training begins with instead of random weights: those of a trained net.

    Attributes:
        net: the name of the trained net, e.g. ``plain-20``.
        origin: its id among the nets that can be looked into: a run's id, or a checkpoint's name.
        iteration: parameter updates behind its weights, 0 where that is not known.
        weights: hexadecimal SHA-256 of the weights that the training begins with.
        kind: ``grown`` (made deeper by blocks that do nothing) or ``transferred`` (with a new classifier, to data of other classes).
        frozen: of a transferred net, how many groups of modules are not trained: the stem, then each stage, then what the head has before
            the classifier (``plan.groups``). Their BN keeps its running statistics, and normalises by them.
        stage_decay: of a transferred net, the factor of the learning rate from one group to the one before it; the classifier has 1.

    Raises:
        ConfigError: a field is out of its range.
    """

    net: str
    origin: str
    iteration: int
    weights: str
    kind: str = later("grown")
    frozen: int = later(0)
    stage_decay: float = later(1.0)

    def __post_init__(self):
        architectures.parse(self.net)
        check_whole("iteration", self.iteration, 0, 2**40)
        if not isinstance(self.origin, str) or len(self.origin) > 200:
            raise ConfigError("origin", "is not the id of a net.")
        if not isinstance(self.weights, str) or not re.fullmatch("[0-9a-f]{64}|", self.weights):
            raise ConfigError("weights", "is not a SHA-256 in hexadecimal digits.")
        check_choice("kind", self.kind, ("grown", "transferred"))
        check_whole("frozen", self.frozen, 0, 1000)
        check_real("stage_decay", self.stage_decay, 0, 1, above=True)
        object.__setattr__(self, "stage_decay", float(self.stage_decay))

    @property
    def is_grown(self) -> bool:
        """Whether it goes on with the same function, so that its curve goes on from that of the other net."""
        return self.kind == "grown"


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides the outcome of a training."""

    model: ModelConfig = field(default_factory=ResNetConfig)
    data: DataConfig = field(default_factory=DataConfig)
    recipe: Recipe = field(default_factory=Recipe)
    start: Start | None = None

    @property
    def name(self) -> str:
        """The net's name, and what it began with: ``plain-56 grown from plain-20``, ``ResNet-20 transferred, 3 groups frozen``."""
        if self.start is None:
            return self.model.name
        if self.start.is_grown:
            return f"{self.model.name} grown from {self.start.net}"
        frozen = self.start.frozen
        return f"{self.model.name} transferred" + (f", {frozen} group{'s' * (frozen > 1)} frozen" if frozen else "")

    def __post_init__(self):
        if self.model.num_classes != self.data.classes:
            outputs, classes = self.model.num_classes, self.data.classes
            raise ConfigError(
                "num_classes",
                "{name} has {outputs:,} outputs, and the data {classes} classes.",
                name=self.model.name,
                outputs=outputs,
                classes=classes,
            )
        if self.start and self.start.frozen > (groups := len(self.model.plan().groups)):
            raise ConfigError(
                "frozen", "{frozen} groups, and {name} has {groups}.", frozen=self.start.frozen, name=self.model.name, groups=groups
            )
        if not self.model.plan().takes((3, self.data.side, self.data.side)):
            why = f"{too_small(self.model, self.data.side)} {_instead(self.model, self.data.side)}"
            raise ConfigError("model", why)
        if self.recipe.augmentation == "scale" and self.recipe.scale_range and self.recipe.scale_range[0] < self.data.side:
            low, side = self.recipe.scale_range[0], self.data.side
            raise ConfigError("scale_range", "a crop of {side} pixels cannot be taken from images of {low}.", side=side, low=low)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return plain JSON values; ``from_dict`` is its inverse."""
        # A training from random weights is written, and has the fingerprint, that it had before there were others.
        sections: dict[str, Any] = {"data": self.data, "recipe": self.recipe} | ({"start": self.start} if self.start else {})
        return {"model": architectures.to_dict(self.model), **{name: _written(section) for name, section in sections.items()}}

    @classmethod
    def from_dict(cls, values: dict[str, dict[str, Any]]) -> RunConfig:
        """Raises ConfigError for an unknown section or field, and for every value that is out of its range."""
        sections = {"model": ModelConfig, "data": DataConfig, "recipe": Recipe, "start": Start}
        made: dict[str, Any] = {}
        if not isinstance(values, dict):
            raise ConfigError("config", "is not an object with the sections model, data, recipe and start.")
        for name, fields in values.items():
            if name not in sections:
                raise ConfigError(name, "is not a section of a configuration; they are {sections}.", sections=", ".join(sections))
            if not isinstance(fields, dict):
                raise ConfigError(name, "is not an object.")
            if name == "model":
                made[name] = architectures.from_dict(fields)
                continue
            known = {f.name for f in dataclasses.fields(sections[name])}
            for unknown in sorted(set(fields) - known):
                raise ConfigError(unknown, "is not a field of {name}; they are {known}.", name=name, known=", ".join(sorted(known)))
            try:
                made[name] = sections[name](**fields)
            except (TypeError, ValueError, OverflowError) as error:  # of another type altogether, as a number where a list belongs
                raise ConfigError(name, "has a field of the wrong type or size ({error}).", error=error) from error
        return cls(**made)

    @property
    def fingerprint(self) -> str:
        """Hexadecimal SHA-256 of the configuration: equal for two configurations exactly when they mean the same training."""
        return hashlib.sha256(json.dumps({**self.to_dict(), "model": self.model.identity()}, sort_keys=True).encode()).hexdigest()

    @property
    def epochs(self) -> float:
        return self.recipe.iterations * self.recipe.batch_size / self.data.train_images


#: The front page's demo: trainings that end within minutes, as they are on few images: 37.5 epochs. Clean training errors at the end, in
#: percent over ten seeds on one thread (benchmarks/demo_seeds.py): in bf16 plain-20 0.0 to 1.3, plain-56 57 to 85, both ResNets 0.0; in
#: fp32 ResNet-56 0.0 to 0.3. With 500 images one seed of ten was not through in fp32 (ResNet-56 9.6 after 448 iterations, another batch
#: size left it at 50.4), and four nets took longer than three minutes.
DEMO_DATA = DataConfig("sample", images_per_class=30)
DEMO_RECIPE = Recipe(iterations=352, batch_size=32, learning_rate=0.03, schedule="linear", augmentation="none", test_every=80)
DEMO_NETS = (ResNetConfig(20, "none"), ResNetConfig(56, "none"), ResNetConfig(20, "A"), ResNetConfig(56, "A"))


#: Nets of about the same number of parameters that differ in what joins a block's branch and its skip: nothing, a gate, addition,
#: concatenation. The DenseNet is of another depth too.
JOIN_NETS = ("plain-56", "Highway-56", "ResNet-56", "DenseNet-BC-100-k12")


def join_configs(seed: int = 0) -> list[RunConfig]:
    """Give the trainings of ``JOIN_NETS`` by the demo's recipe on its images."""
    return [RunConfig(parse(name), DEMO_DATA, dataclasses.replace(DEMO_RECIPE, seed=seed)) for name in JOIN_NETS]


def demo_configs(seed: int = 0, iterations: int | None = None) -> list[RunConfig]:
    """Give the four trainings of the demo: plain-20, plain-56, ResNet-20, ResNet-56. ``iterations`` shortens them."""
    changes: dict[str, Any] = {"seed": seed}
    if iterations is not None:
        changes["iterations"] = iterations
    recipe = dataclasses.replace(DEMO_RECIPE, **changes)
    return [RunConfig(model, DEMO_DATA, recipe) for model in DEMO_NETS]
