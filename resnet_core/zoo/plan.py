"""Which nets ship, in the order in which they are trained, and how far each of them is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from resnet_core.architectures import parse
from resnet_core.config import PAPER_ITERATIONS, DataConfig, Recipe, RunConfig
from resnet_core.errors import UserError
from resnet_core.nets import folder as folders
from resnet_core.nets.catalog import shipped_folder
from resnet_core.runs import Run, RunStatus, RunStore

#: A quarter of the paper's 64,000 iterations; the rate falls at half and three quarters of them, as there.
ITERATIONS = 16_000
#: In the order of training: the pairs that show degradation first, and then what Table 3 compares, at 20 layers.
NETS = (*(f"{kind}-{depth}" for depth in (20, 56, 110, 32, 44) for kind in ("plain", "ResNet")), "ResNet-20-B", "ResNet-20-C")
#: Trained with more seeds than one, so that a difference can be set beside what chance alone does.
REPEATED, REPEATS = ("plain-20", "ResNet-20", "plain-56", "ResNet-56"), (1, 2)
#: About as many MACs as ResNet-56 or fewer: another order within the block, and another join than addition.
OTHERS = ("ResNet-56-preact", "Highway-56", "DenseNet-BC-58-k12", "ResNeXt-20-4x4d")
#: Seeds of the paper's whole schedule: its ResNet-110 was trained five times.
SEEDS = 5


def _config(net: str, iterations: int = ITERATIONS, seed: int = 0, warmup: str = "") -> RunConfig:
    # Section 4.2: for 110 layers a rate of 0.1 is "slightly too large to start converging".
    warmup = warmup or ("error" if net.endswith("-110") else "none")
    # Not compiled: what compiling gains differs between machines, and a training may be continued on another one.
    recipe = Recipe(iterations=iterations, warmup=warmup, test_every=400, layers_every=400, compile="off", seed=seed)
    return RunConfig(parse(net), DataConfig("cifar10"), recipe)


CONFIGS: tuple[RunConfig, ...] = (
    *(_config(net) for net in NETS),
    *(_config(net, seed=seed) for seed in REPEATS for net in REPEATED),
    *(_config(net) for net in OTHERS),
    # The sentence of Section 4.2 above, put to the test.
    _config("ResNet-110", warmup="none"),
)


def full() -> tuple[RunConfig, ...]:
    """Give the same nets at the paper's whole schedule, seed by seed: each seed is a comparison by itself."""
    return tuple(_config(net, PAPER_ITERATIONS, seed) for seed in range(SEEDS) for net in NETS)


@dataclass(frozen=True)
class Entry:
    """One net of the zoo.

    Attributes:
        name: of its folder in ``checkpoints/``, e.g. ``resnet-56``.
        config: how it is trained.
        folder: where it is or will be.
        shipped: it is there, and its checksum is right.
        problem: why a folder that is there does not count; empty otherwise.
        run, status: of its training, where there is one.
    """

    name: str
    config: RunConfig
    folder: Path
    shipped: bool
    problem: str = ""
    run: Run | None = None
    status: RunStatus | None = None


def training_home() -> Path:
    """Where the trainings of shipped nets lie until they are finished: hidden among the checkpoints, so that they can travel with them."""
    return shipped_folder() / ".training"


def entries(store: RunStore, configs: tuple[RunConfig, ...] = CONFIGS) -> list[Entry]:
    """All nets of the zoo, in the order of training."""
    return [_entry(store, config) for config in configs]


def name_of(config: RunConfig) -> str:
    """Name a net's folder in ``checkpoints/``: by the net, and by what its training has of its own.

    ``resnet-56``; with another seed than 0 ``resnet-56-s1``; 110 layers without the warm-up ``resnet-110-nowarmup``; at the paper's whole
    schedule ``resnet-56-full-s0``, always with its seed.
    """
    recipe, name = config.recipe, config.model.name.lower()
    if recipe.iterations == PAPER_ITERATIONS:
        return f"{name}-full-s{recipe.seed}"
    unwarmed = "-nowarmup" if getattr(config.model, "depth", 0) >= 110 and recipe.warmup == "none" else ""
    return name + unwarmed + (f"-s{recipe.seed}" if recipe.seed else "")


def _entry(store: RunStore, config: RunConfig) -> Entry:
    name = name_of(config)
    folder = shipped_folder() / name
    problem, shipped = "", False
    if folder.is_dir():
        try:
            card = folders.read_folder(folder)
            shipped = card.get("config") is not None and RunConfig.from_dict(card["config"]) == config
            problem = "" if shipped else f"Checkpoint {name} was trained in another way than the zoo's."
        except UserError as error:
            problem = str(error)
    run = store.find(config)
    return Entry(name, config, folder, shipped, problem, run, run.state() if run else None)
