"""One training of one run, from its last checkpoint (or the start) to its end: what an executor computes goes into the run's folder."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

from resnet_core.errors import RunError, Stopped, UserError
from resnet_core.language import tr
from resnet_core.runs import files
from resnet_core.runs.create import code_commit
from resnet_core.runs.executor import Begun, Executor, NodeLost, Note, ShouldStop, Training
from resnet_core.runs.local import Local
from resnet_core.runs.records import RecordWriter
from resnet_core.runs.rows import is_whole
from resnet_core.runs.run import Run

#: Nodes in a row that a training may lose before its next checkpoint: it may be the training that ends them, by want of memory.
MOST_LOST = 3


def train(run: Run, data_dir: Path | None, should_stop: ShouldStop, note: Note, executor: Executor | None = None) -> dict[str, Any]:
    """Trains ``run``; the caller holds its lock.

    The rows go to records.jsonl as they come. A checkpoint remembers how long that file was, and what was decided for this machine; a
    resumed training cuts the file back to there and computes in the same way, so that it goes on as if it had never ended. Where the node
    that computes it is lost, it is resumed at once, on another one.

    Args:
        note: called with changes for state.json, once all is loaded and the first iteration is about to begin.
        executor: where it is computed; in this process by default.

    Returns:
        The ``end`` record of the trainer, and as ``lost`` what is to be said of rows that are missing.

    Raises:
        RunError: as many nodes as ``MOST_LOST`` were lost between two checkpoints.
    """
    where: Executor = executor or Local()
    losses, since = 0, -1
    while True:
        try:
            return _train(run, where.begin(run, data_dir, should_stop, note), should_stop, note)
        except Stopped:
            at = run.saved_iteration or 0
            message = tr("Stopped at iteration {iteration:,} of {iterations:,}.", iteration=at, iterations=run.config.recipe.iterations)
            return {"kind": "end", "state": "stopped", "iteration": at, "message": message}
        except NodeLost as error:
            files.log(f"{files.now()} the node is lost: {error}")
            at = run.saved_iteration or 0
            losses, since = (losses + 1 if at == since else 1), at
            if losses >= MOST_LOST:
                raise RunError(
                    "{losses} nodes in a row were lost after iteration {at}, before its next checkpoint. The last one: {error}",
                    losses=losses,
                    at=at,
                    error=error,
                ) from error
            note(message=tr("The node that trained it was lost; it goes on from iteration {at} on another one.", at=at))


def _train(run: Run, training: Training, should_stop: ShouldStop, note: Note) -> dict[str, Any]:
    begun = training.begun
    writer, lost = _writer(run.path / "records.jsonl", begun.extra.get("records_bytes"))
    warning = " ".join(filter(None, [*begun.warnings, lost]))
    files.log(f"{files.now()} process {os.getpid()} training {run.id} from iteration {begun.iteration} on {begun.plan}")
    note(
        plan=begun.plan,
        machines=_machines(run, begun),
        commits=_commits(run),
        iteration=begun.iteration,
        message=warning,
    )
    try:
        for record in training.records(should_stop):
            if record["kind"] == "end":
                return {**record, "lost": lost}
            if record["kind"] != "checkpoint":
                writer.write(record)
                continue
            if not (run.path / "run.json").exists():
                raise RunError("{path} has been removed or damaged while it was trained.", path=run.path)
            writer.sync()
            training.save(run.path / "checkpoints", {"records_bytes": writer.offset, "plan": begun.plan})
        raise RuntimeError("the trainer ended without an end record")
    finally:
        writer.close()


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


def _machines(run: Run, begun: Begun) -> list[str]:
    """Those that have trained it so far, and the one that does now."""
    first = (begun.plan.get("reason") or {}).get("machine")
    known = run.machines or ([first] if first else [])
    return list(dict.fromkeys([*known, begun.machine]))


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
