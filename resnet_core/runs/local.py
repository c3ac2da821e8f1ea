"""Trainings in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resnet_core.config import RunConfig
from resnet_core.errors import CheckpointError, ConfigError
from resnet_core.runs import files
from resnet_core.runs.create import START
from resnet_core.runs.executor import Begun, Note, ShouldStop
from resnet_core.runs.run import Run, read_state

if TYPE_CHECKING:
    from resnet_core.data import Cifar10
    from resnet_core.training.engine import Trainer
    from resnet_core.training.plan import Plan


class Local:
    """Trains where it is called."""

    def begin(self, run: Run, data_dir: Path | None, should_stop: ShouldStop, note: Note) -> LocalTraining:
        """Load the data set and the newest checkpoint that is whole. Raises DataError."""
        from resnet_core import data

        return LocalTraining(run, data.load(run.config.data, data_dir))


class LocalTraining:
    """A run's training in this process.

    Attributes:
        begun: see ``executor.Begun``.
    """

    def __init__(self, run: Run, dataset: Cifar10):
        import torch

        from resnet_core.training.timing import machine_name

        self._trainer, extra, warnings = _restored(run, dataset)
        plan = self._trainer.plan
        self.begun = Begun(plan.to_dict(), machine_name(torch.device(plan.device)), self._trainer.iteration, extra, warnings)

    def records(self, should_stop: ShouldStop) -> Iterator[dict[str, Any]]:
        """Train, see ``Trainer.run``."""
        return self._trainer.run(should_stop)

    def save(self, folder: Path, extra: dict[str, Any]) -> Path:
        """Write the checkpoint, see ``checkpoint.save``."""
        from resnet_core.training import checkpoint

        return checkpoint.save(folder, self._trainer.state(), extra)


def set_aside(path: Path, error: CheckpointError) -> str:
    """Move a damaged checkpoint out of the way, and give the sentence that people are told."""
    aside = path.with_name(f".damaged-{path.name}-{files.now()}")
    path.rename(aside)
    files.log(f"{error} It was moved to {aside}.")
    return f"The checkpoint {path.name} could not be read; the training went on from the one before it, or the start."


def _restored(run: Run, dataset: Cifar10) -> tuple[Trainer, dict[str, Any], list[str]]:
    """A trainer that goes on from the newest checkpoint that is whole, the checkpoint's ``extra``, and a warning for each that is not.

    Damaged ones are moved out of the way, not deleted. Without any, the training begins anew: that costs time, and nothing else.
    """
    from resnet_core.training import checkpoint, saved
    from resnet_core.training.engine import Trainer

    warnings: list[str] = []
    plan = read_state(run.path).get("plan")
    while (path := saved.latest(run.path / "checkpoints")) is not None:
        try:
            state, extra = checkpoint.load(path)
            trainer = Trainer(run.config, dataset, _plan(run.config, extra.get("plan") or plan))
            trainer.load_state(state)
            return trainer, extra, warnings
        except CheckpointError as error:
            warnings.append(set_aside(path, error))
    trainer = Trainer(run.config, dataset, _plan(run.config, plan))
    if run.config.start:
        trainer.begin_with(checkpoint.read_tensors(run.path / START, run.config.start.weights))
    return trainer, {}, warnings


def _plan(config: RunConfig, recorded: dict[str, Any] | None) -> Plan:
    """The recorded plan, so that the run goes on bit for bit; a new one at the first start, or where that device is no longer."""
    from resnet_core.kernels import build
    from resnet_core.training import probe
    from resnet_core.training.device import pick_device
    from resnet_core.training.plan import Plan

    if recorded:
        try:
            pick_device(recorded["device"])
            followed = Plan.from_dict(recorded)
            if followed.fused and build.library() is None:
                files.log(f"It goes on with torch's own steps, whose sums are others: there are no kernels here ({build.why_not()}).")
            elif followed.amx and not build.has_amx():
                files.log("It goes on with torch's own convolutions, whose sums are others: this processor has no AMX.")
            return followed
        except (ConfigError, KeyError, TypeError) as error:
            files.log(f"The recorded plan {recorded} cannot be followed here ({error}); probing anew.")
    return probe.decide(config)
