"""The trainings that a lecture is about, by their names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from resnet_core.errors import DataError
from resnet_core.figures.series import RunRecords
from resnet_core.language import mark
from resnet_core.nets import Net, shipped_nets
from resnet_core.nets.growth import records_before
from resnet_core.runs import Run, RunStore


def trainings(names: Sequence[str], home: Path | str | None = None) -> list[RunRecords]:
    """Find shipped nets and runs with all their records, those of the layers too; each once.

    Args:
        names: of shipped nets, or ids or names of runs.

    Raises:
        RunError: there is no such run.
        DataError: one has no record of its training.
    """
    shipped = {net.id: net for net in shipped_nets() if net.config is not None}
    found = [of_net(shipped[name]) if name in shipped else of_run(RunStore(home).get(name)) for name in names]
    for run in found:
        if not any(record["kind"] == "train" for record in run.records):
            raise DataError(mark("{name} has no record of its training yet."), name=run.name)
    return list({run.run_id: run for run in found}.values())


def of_net(net: Net) -> RunRecords:
    """A net that ships, with all records of its training."""
    result = {"train_error": net.train_error, "test_error": net.test_error}
    return RunRecords(net.id, net.name, net.training, net.records(), net.state, net.precision, result)


def of_run(run: Run) -> RunRecords:
    """A run with all its records as far as they are written."""
    status, before = run.state(), records_before(run.config, run.path.parent)
    return RunRecords(
        run.id, run.name, run.config, run.records(), status.state, (status.plan or {}).get("precision"), status.result, before
    )
