"""The trainings that a lecture is about, by their names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from resnet_core.errors import DataError
from resnet_core.figures.series import RunRecords
from resnet_core.language import mark
from resnet_core.nets import Net, shipped_nets
from resnet_core.nets.growth import records_before
from resnet_core.runs import Run, RunStatus, RunStore


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


def of_net(net: Net, layers: bool = True) -> RunRecords:
    """A net that was trained with this project (else ValueError), with the train and test rows of its training, and those of the layers."""
    result = {"train_error": net.train_error, "test_error": net.test_error} if net.state == "finished" else None
    return RunRecords(net.id, net.name, net.training, _rows(net, layers), net.state, net.precision, result)


def of_run(run: Run, status: RunStatus | None = None, layers: bool = True) -> RunRecords:
    """A run with its train and test rows as far as they are written, and those of the layers.

    Args:
        status: where it was looked at already.
    """
    status, before = status or run.state(), records_before(run.config, run.path.parent)
    precision = (status.plan or {}).get("precision")
    return RunRecords(run.id, run.name, run.config, _rows(run, layers), status.state, precision, status.result, before)


def _rows(of: Net | Run, layers: bool) -> list[dict[str, Any]]:
    return of.records() if layers else of.records("train") + of.records("test")
