"""One training of one run in this process, from its last checkpoint (or the start) to its end."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resnet_core.config import RunConfig
from resnet_core.errors import CheckpointError, ConfigError, RunError, UserError
from resnet_core.language import tr
from resnet_core.runs import files
from resnet_core.runs.create import START, code_commit
from resnet_core.runs.records import RecordWriter
from resnet_core.runs.rows import is_whole
from resnet_core.runs.run import Run, read_state

if TYPE_CHECKING:
    from resnet_core.data import Cifar10
    from resnet_core.training.engine import Trainer
    from resnet_core.training.plan import Plan


def train(run: Run, data_dir: Path | None, should_stop: Callable[[], bool], note: Callable[..., None]) -> dict[str, Any]:
    """Trains ``run``; the caller holds its lock.

    The rows go to records.jsonl as they come. A checkpoint remembers how long that file was, and what was decided for this machine; a
    resumed training cuts the file back to there and computes in the same way, so that it goes on as if it had never ended.

    Args:
        note: called with changes for state.json, once all is loaded and the first iteration is about to begin.

    Returns:
        The ``end`` record of the trainer, and as ``lost`` what is to be said of rows that are missing.
    """
    from resnet_core import data
    from resnet_core.training import checkpoint

    trainer, extra, warnings = _restored(run, data.load(run.config.data, data_dir))
    plan = trainer.plan
    writer, lost = _writer(run.path / "records.jsonl", extra.get("records_bytes"))
    warning = " ".join(filter(None, [*warnings, lost]))
    files.log(f"{files.now()} process {os.getpid()} training {run.id} from iteration {trainer.iteration} on {plan.to_dict()}")
    note(plan=plan.to_dict(), machines=_machines(run, plan), commits=_commits(run), iteration=trainer.iteration, message=warning)
    try:
        for record in trainer.run(should_stop):
            if record["kind"] == "end":
                return {**record, "lost": lost}
            if record["kind"] != "checkpoint":
                writer.write(record)
                continue
            if not (run.path / "run.json").exists():
                raise RunError("{path} has been removed or damaged while it was trained.", path=run.path)
            writer.sync()
            checkpoint.save(run.path / "checkpoints", trainer.state(), {"records_bytes": writer.offset, "plan": plan.to_dict()})
        raise RuntimeError("the trainer ended without an end record")
    finally:
        writer.close()


def _restored(run: Run, dataset: Cifar10) -> tuple[Trainer, dict[str, Any], list[str]]:
    """A trainer that goes on from the newest checkpoint that is whole, the checkpoint's ``extra``, and a warning for each that is not.

    Damaged ones are moved out of the way, not deleted. Without any, the training begins anew: that costs time, and nothing else.
    """
    from resnet_core.training import checkpoint
    from resnet_core.training.engine import Trainer

    warnings: list[str] = []
    plan = read_state(run.path).get("plan")
    while (path := checkpoint.latest(run.path / "checkpoints")) is not None:
        try:
            state, extra = checkpoint.load(path)
            trainer = Trainer(run.config, dataset, _plan(run.config, extra.get("plan") or plan))
            trainer.load_state(state)
            return trainer, extra, warnings
        except CheckpointError as error:
            aside = path.with_name(f".damaged-{path.name}-{files.now()}")
            path.rename(aside)
            files.log(f"{error} It was moved to {aside}.")
            warnings.append(f"The checkpoint {path.name} could not be read; the training went on from the one before it, or the start.")
    trainer = Trainer(run.config, dataset, _plan(run.config, plan))
    if run.config.start:
        trainer.begin_with(checkpoint.read_tensors(run.path / START, run.config.start.weights))
    return trainer, {}, warnings


def _writer(path: Path, keep: Any) -> tuple[RecordWriter, str]:
    """Appends to the rows up to the checkpoint, and says where some are missing: that costs the curve, and not the training.

    Where the file is no file, it is moved out of the way.
    """
    if not path.is_file() and os.path.lexists(path):
        aside = path.with_name(f".damaged-{path.name}-{files.now()}")
        path.rename(aside)
        files.log(f"{path} is no file. It was moved to {aside}.")
    known = is_whole(keep, 0, 2**62)
    writer = RecordWriter(path, keep if known else 0)
    lost = writer.lost or not (known or keep is None)
    if lost:
        files.log(f"{path}: {writer.lost} bytes before the checkpoint are missing.")
    return writer, tr("Rows from before its checkpoint were missing in records.jsonl: the curve has a gap.") if lost else ""


def _plan(config: RunConfig, recorded: dict[str, Any] | None) -> Plan:
    """The recorded plan, so that the run goes on bit for bit; a new one at the first start, or where that device is no longer."""
    from resnet_core.training import probe
    from resnet_core.training.device import pick_device
    from resnet_core.training.plan import Plan

    if recorded:
        try:
            pick_device(recorded["device"])
            return Plan.from_dict(recorded)
        except (ConfigError, KeyError, TypeError) as error:
            files.log(f"The recorded plan {recorded} cannot be followed here ({error}); probing anew.")
    return probe.decide(config)


def _machines(run: Run, plan: Any) -> list[str]:
    """Those that have trained it so far, and this one."""
    import torch

    from resnet_core.training.timing import machine_name

    first = (plan.reason or {}).get("machine")
    known = run.machines or ([first] if first else [])
    return list(dict.fromkeys([*known, machine_name(torch.device(plan.device))]))


def _commits(run: Run) -> list[str]:
    """Those whose code has trained it so far, and that of this process."""
    known = run.commits if run.checkpoints else []
    return list(dict.fromkeys([*known, *filter(None, [code_commit()])]))


def explain(error: BaseException, run: Run, iteration: int) -> tuple[str, bool]:
    """The message for a training that failed, and whether the process is still fit for another one."""
    if isinstance(error, UserError):
        return str(error), True
    if _is_out_of_memory(error):
        model, batch = run.config.model, run.config.recipe.batch_size
        width = tr(", the width ({width})", width=model.width) if hasattr(model, "width") else ""
        return (
            tr(
                "Out of memory after iteration {iteration}: {name} with batches of {batch} does not fit. Lower the "
                "batch size ({batch}){width} or the depth ({depth}), or free memory and resume.",
                iteration=iteration,
                name=model.name,
                batch=batch,
                width=width,
                depth=model.depth,
            ),
            True,
        )
    full = os.strerror(errno.ENOSPC)
    if not isinstance(error, OSError) and full in str(error):  # safetensors says it in its own kind of error
        error = OSError(errno.ENOSPC, full)
    if isinstance(error, OSError) and (message := files.os_problem(error, run.path)):
        return tr("{message} Then resume the run.", message=message), True
    summary = (str(error).strip().splitlines() or [tr("no message")])[0]
    what = tr(
        "Unexpected error after iteration {iteration}: {name}: {summary}", iteration=iteration, name=type(error).__name__, summary=summary
    )
    return tr("{what} The traceback is in {path}.", what=what, path=run.path / "worker.log"), False


def _is_out_of_memory(error: BaseException) -> bool:
    # torch.OutOfMemoryError is a RuntimeError that says so; the CPU's allocator raises a bare RuntimeError.
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    text = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(sign in text for sign in ("out of memory", "can't allocate memory", "not enough memory"))
    )
