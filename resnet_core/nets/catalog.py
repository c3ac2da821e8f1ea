"""Everything one can look into, as one list: the shipped checkpoints, the imported ones, and the runs that have a checkpoint."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import resnet_core
from resnet_core.config import DATASETS, DataConfig, RunConfig
from resnet_core.datasets import CIFAR10_CLASSES
from resnet_core.errors import CheckpointError, RunError, UserError
from resnet_core.language import tr
from resnet_core.nets import classes
from resnet_core.nets import folder as folders
from resnet_core.runs import Run, RunStatus, RunStore
from resnet_core.runs.records import reader

#: Names the folder of the shipped checkpoints, instead of ``checkpoints/`` beside the package.
ENVIRONMENT = "RESNET_LAB_CHECKPOINTS"
IMPORTED = ".imported"


@dataclass(frozen=True)
class Net:
    """One net with weights.

    Attributes:
        id: unique in a catalog, and stable: a shipped or imported checkpoint's name, or a run's id; the path of a file.
        name: for people.
        origin: ``shipped``, ``imported``, ``run`` or ``file``.
        model: the net's configuration, a ``ModelConfig`` or an ``ImageNetConfig``.
        path: its folder; of a ``file``, that file.
        config: of the whole training, where it was trained with this project.
        card: a checkpoint's ``card.json``; empty for a run.
        state: of a run; of a checkpoint ``finished``, or ``stopped`` where its training was taken away before its end.
        iteration: parameter updates behind these weights, if known.
        train_error, test_error: final, in percent, as recorded (a run's newest while it runs); None if unknown.
        precision: of its training, if known.
        read: the ``version`` of the weights, where this describes what has been loaded; else empty, and they are those on disk.
    """

    id: str
    name: str
    origin: str
    model: Any
    path: Path
    config: RunConfig | None = None
    card: dict[str, Any] = field(default_factory=dict, compare=False)
    state: str = "finished"
    iteration: int | None = None
    train_error: float | None = None
    test_error: float | None = None
    precision: str | None = None
    read: str = field(default="", compare=False)

    @property
    def side(self) -> int:
        """Height and width of the images that it takes: those it was trained on here, else those that it is made for.

        The mean image of CIFAR-10 is for images of its own size.
        """
        if self.config is not None:
            return self.config.data.side
        mean_of = 32 if self.card.get("normalization") == "pixel-mean" else self.card.get("side")
        return int(mean_of or self.model.plan().input[1])

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """The classes that it tells apart, in the order of its outputs; None where that is not known.

        A net from elsewhere with ten outputs that does not name them is taken for one of CIFAR-10's.
        """
        if self.config is not None:
            return self.config.data.class_names
        if names := classes.known(self.card, self.model.num_classes):
            return names
        return CIFAR10_CLASSES if self.model.num_classes == len(CIFAR10_CLASSES) else None

    @property
    def classes_of(self) -> str:
        """The data set whose classes it tells apart, as ``CIFAR-10``; meant for nets of which classes are known."""
        if self.config is not None:
            return self.config.data.whole_title
        keys = sorted(DATASETS, key=lambda key: key != self.card.get("dataset"))  # two data sets of digits have the same classes
        found = next((DataConfig(key) for key in keys if DataConfig(key).class_names == self.class_names), None)
        return found.whole_title if found else tr("another data set")

    def refusal(self, data: DataConfig) -> str:
        """Say why its answers cannot be held against the classes of these images; empty where they can."""
        if self.class_names == data.class_names:
            return ""
        told: dict[str, Any] = {"name": self.name, "classes": self.model.num_classes, "theirs": data.whole_title}
        if self.class_names is None:
            return tr("{name} tells {classes:,} classes apart that nothing is known of, and these images are {theirs}'s.", **told)
        return tr("{name} tells {own}'s {classes:,} classes apart, and these images are {theirs}'s.", own=self.classes_of, **told)

    @property
    def enlarged(self) -> str:
        """Say that images of CIFAR-10 are enlarged for it; empty where they are not: it was trained here, on images of its size."""
        return (
            ""
            if self.side == 32 or self.config is not None
            else tr("{name} is shown the images enlarged from 32x32 to {side}x{side} pixels.", name=self.name, side=self.side)
        )

    @property
    def training(self) -> RunConfig:
        """``config``, of a net that was trained with this project.

        Raises:
            ValueError: it was not.
        """
        if self.config is None:
            raise ValueError(f"{self.name} was not trained with this project")
        return self.config

    @property
    def weights(self) -> Path:
        """The safetensors file of the weights as they are now; of a run, its newest checkpoint's.

        Raises:
            CheckpointError: the run has none.
        """
        if self.origin == "file":
            return self.path
        if self.origin != "run":
            return self.path / folders.WEIGHTS
        saved = Run(self.path).checkpoints
        if not saved:
            raise CheckpointError("Run {id} has no checkpoint yet; it can be looked into after its first.", id=self.id)
        return saved[-1] / "model.safetensors"

    @property
    def version(self) -> str:
        """Changes when the weights do: a key for what was computed from them.

        Raises:
            CheckpointError: there are none (any more).
        """
        if self.read:
            return self.read
        try:
            return self.version_of(self.weights)
        except OSError as error:
            raise CheckpointError(
                "The weights of {name} are no longer there ({strerror}). Choose another net.", name=self.name, strerror=error.strerror
            ) from error

    def version_of(self, path: Path) -> str:
        """The version of the weights in ``path``. Raises OSError."""
        status = path.stat()
        return f"{self.id}:{path.parent.name}:{status.st_mtime_ns}:{status.st_size}"

    def records(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The rows of its training, in order; none for imported checkpoints and files. They are shared: do not change them."""
        return [] if self.origin == "file" else reader(self.path / folders.RECORDS).records(kind)


@dataclass(frozen=True)
class Catalog:
    """What there is to look into.

    Attributes:
        nets: shipped (in the order of plain and residual by depth), imported, then runs, oldest first.
        problems: what was left out and why, one sentence each.
        left: runs that were not asked for.
    """

    nets: list[Net]
    problems: list[str]
    left: int = 0

    def get(self, net_id: str) -> Net | None:
        return next((net for net in self.nets if net.id == net_id), None)


def shipped_folder() -> Path:
    """``checkpoints/`` beside the package, in the app that was installed with it, or what RESNET_LAB_CHECKPOINTS names."""
    if named := os.environ.get(ENVIRONMENT):
        return Path(named)
    beside = Path(resnet_core.__file__).parents[1]
    installed = beside / "resnet_lab_app" / "checkpoints"
    return installed if installed.is_dir() else beside / "checkpoints"


def imported_folder(home: Path | str | None = None) -> Path:
    """Where imported checkpoints are kept: in the folder of the runs, hidden from the run store."""
    return RunStore(home).home / IMPORTED


def catalog(
    home: Path | str | None = None, unsaved: bool = False, newest: int | None = None, also: Collection[str] = (), search: str = ""
) -> Catalog:
    """All nets that can be looked into. Cheap: checksums are computed once, records are read when asked for.

    Args:
        unsaved: also the runs that have rows of their layers and no checkpoint yet: their ``iteration`` is None, and there are no weights.
        newest, also, search: not all runs, but so many of the newest that are meant, and those with these ids; see ``Look.reach``.
    """
    problems: list[str] = []
    shipped = shipped_nets(problems)
    imported = _checkpoints(imported_folder(home), "imported", problems)
    imported.sort(key=lambda net: (str(net.card.get("created")), net.id))
    looked = RunStore(home).look()
    wanted = looked.runs if newest is None else looked.reach(newest, also, search)
    runs = [net for net in (_run(*pair) for pair in wanted) if net.iteration is not None or (unsaved and net.records("layers"))]
    return Catalog(shipped + imported + runs, problems, len(looked.runs) - len(wanted))


def shipped_nets(problems: list[str] | None = None) -> list[Net]:
    """The checkpoints that ship, plain and residual by depth. What is left out, and why, is added to ``problems``."""
    problems = [] if problems is None else problems
    root = shipped_folder()
    if os.environ.get(ENVIRONMENT) and not root.exists():
        problems.append(
            tr(
                "{environment} names {root}, which is not there. Set it to a folder of checkpoints, or unset it.",
                environment=ENVIRONMENT,
                root=root,
            )
        )
    found = _checkpoints(root, "shipped", problems)
    return sorted(found, key=lambda net: (net.model.depth, not net.model.is_plain, net.id))


def find(spec: str, home: Path | str | None = None) -> Net:
    """The net that ``spec`` names: a shipped or imported checkpoint, a run (id, name, or the beginning of an id), or a weights file.

    What a file says of itself is believed, as long as it has our format: one from elsewhere goes through ``resnet_core.imports``. A
    checkpoint's folder may be named too.

    Raises:
        CheckpointError: it is a damaged checkpoint, a run without one, or a file that this project has not written.
        RunError: there is nothing of that name.
    """
    text = str(spec).strip()
    for root, origin in ((shipped_folder(), "shipped"), (imported_folder(home), "imported")):
        if text and "/" not in text and not text.startswith(".") and os.path.isdir(root / text):
            return _checkpoint(root / text, origin)
    try:
        path = Path(os.path.expanduser(text))
        if text and path.is_file():
            return _file(path)
        if text and path.is_dir() and (path / folders.CARD).is_file():
            return _named_folder(path.resolve(), home)
    except OSError:  # no name for a file: too long
        pass
    try:
        run = RunStore(home).get(text)
    except RunError as error:
        names = ", ".join(net.id for net in catalog(home, newest=0).nets)
        known = tr(" Checkpoints: {names}.", names=names) if names else ""
        raise RunError("No checkpoint, file or run is called {text!r}. {error}{known}", text=text, error=error, known=known) from None
    net = _run(run, run.state())
    if net.iteration is None:
        raise CheckpointError("Run {id} has no checkpoint yet; it can be looked into after its first.", id=run.id)
    return net


def _named_folder(path: Path, home: Path | str | None) -> Net:
    """One of ours as it stands in the catalog; of any other folder the weights file, which is trusted no more than a file alone."""
    for root, origin in ((shipped_folder(), "shipped"), (imported_folder(home), "imported")):
        if path.parent == root.resolve():
            return _checkpoint(path, origin)
    folders.read_folder(path)  # damage is named before the file is looked into
    return replace(_file(path / folders.WEIGHTS), name=path.name)


def _checkpoints(root: Path, origin: str, problems: list[str]) -> list[Net]:
    found = []
    try:
        names = sorted(entry.name for entry in os.scandir(root) if entry.is_dir() and not entry.name.startswith("."))
    except FileNotFoundError:
        return []
    except OSError as error:
        problems.append(tr("The checkpoints in {root} cannot be listed: {strerror}.", root=root, strerror=error.strerror))
        return []
    for name in names:
        try:
            found.append(_checkpoint(root / name, origin))
        except UserError as error:
            problems.append(str(error))
    return found


def _checkpoint(path: Path, origin: str) -> Net:
    card = folders.read_folder(path)
    config = RunConfig.from_dict(card["config"]) if card.get("config") else None
    iteration = card.get("iterations", config.recipe.iterations) if config else None
    return Net(
        id=path.name,
        name=str(card.get("name") or path.name),
        origin=origin,
        model=folders.model_from_dict(card["model"]),
        path=path,
        config=config,
        card=card,
        state="stopped" if config and iteration != config.recipe.iterations else "finished",
        iteration=iteration,
        train_error=card.get("train_error"),
        test_error=card.get("test_error"),
        precision=card.get("precision"),
    )


#: Nets of runs, each with the status it was made of and its newest checkpoint. A run that has ended has one and the same status at each
#: look until its files change.
_NETS: dict[Path, tuple[RunStatus, int | None, Net]] = {}


def _run(run: Run, status: RunStatus) -> Net:
    saved, known = run.saved_iteration, _NETS.get(run.path)
    if known is None or known[0] is not status or known[1] != saved:
        known = _NETS[run.path] = status, saved, _net(run, status, saved)
    return known[2]


def _net(run: Run, status: RunStatus, saved: int | None) -> Net:
    result, train, test = status.result or {}, status.last_train or {}, status.last_test or {}
    return Net(
        id=run.id,
        name=run.name,
        origin="run",
        model=run.config.model,
        path=run.path,
        config=run.config,
        state=status.state,
        iteration=saved,
        train_error=result.get("train_error", train.get("train_error")),
        test_error=result.get("test_error", test.get("test_error")),
        precision=(status.plan or {}).get("precision"),
    )


def _file(path: Path) -> Net:
    metadata = folders.read_metadata(path)
    if metadata.get("format") != folders.FORMAT or "model" not in metadata:
        raise CheckpointError(
            "{path} was not written by ResNet Lab. Import it first: python -m resnet_core import {name}", path=path, name=path.name
        )
    try:
        model = folders.model_from_dict(json.loads(metadata["model"]))
    except (ValueError, RecursionError, CheckpointError) as error:
        raise CheckpointError("{path}: its metadata do not describe a net ({error}).", path=path, error=error) from error
    names, dataset, _ = classes.from_metadata(metadata, model.num_classes)
    card = {
        "normalization": metadata.get("normalization"),
        "side": folders.trained_side(path),
        "classes": list(names),
        "dataset": dataset,
    }
    return Net(id=str(path), name=path.stem, origin="file", model=model, path=path.resolve(), card=card)
