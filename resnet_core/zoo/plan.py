"""Which nets ship, in the order in which they are trained, and how far each of them is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from resnet_core.architectures import ResNetConfig
from resnet_core.config import PAPER_ITERATIONS, DataConfig, Recipe, RunConfig
from resnet_core.errors import UserError
from resnet_core.nets import folder as folders
from resnet_core.nets.catalog import shipped_folder
from resnet_core.runs import Run, RunStatus, RunStore

#: A quarter of the paper's 64,000 iterations; the rate falls at half and three quarters of them, as there.
ITERATIONS = 16_000
#: In the order of training: the pairs that show degradation first.
DEPTHS = (20, 56, 110, 32, 44)
#: Seeds of the paper's whole schedule: its ResNet-110 was trained five times.
SEEDS = 5


def _config(depth: int, shortcut: str, iterations: int = ITERATIONS, seed: int = 0) -> RunConfig:
    # Section 4.2: for 110 layers a rate of 0.1 is "slightly too large to start converging".
    warmup = "error" if depth == 110 else "none"
    # Not compiled: what compiling gains differs between machines, and a training may be continued on another one.
    recipe = Recipe(iterations=iterations, warmup=warmup, test_every=400, layers_every=400, compile="off", seed=seed)
    return RunConfig(ResNetConfig(depth, shortcut), DataConfig("cifar10"), recipe)


#: The pairs, and then what Table 3 compares, at 20 layers.
_NETS = (*((depth, shortcut) for depth in DEPTHS for shortcut in ("none", "A")), (20, "B"), (20, "C"))
CONFIGS: tuple[RunConfig, ...] = tuple(_config(*net) for net in _NETS)


def full() -> tuple[RunConfig, ...]:
    """Give the same nets at the paper's whole schedule, seed by seed: each seed is a comparison by itself."""
    return tuple(_config(*net, PAPER_ITERATIONS, seed) for seed in range(SEEDS) for net in _NETS)


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
    """What a net is called in ``checkpoints/``: ``resnet-56``; at the paper's whole schedule ``resnet-56-full-s0``, with its seed."""
    name = config.model.name.lower()
    return f"{name}-full-s{config.recipe.seed}" if config.recipe.iterations == PAPER_ITERATIONS else name


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
