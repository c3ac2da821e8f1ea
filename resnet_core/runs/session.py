"""One training of one run in this process, from its last checkpoint (or the start) to its end."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from resnet_core.config import RunConfig
from resnet_core.errors import CheckpointError, ConfigError, RunError, UserError
from resnet_core.runs import files
from resnet_core.runs.create import code_commit
from resnet_core.runs.records import RecordWriter
from resnet_core.runs.run import Run, read_state


def train(run: Run, data_dir: Path | None, should_stop: Callable[[], bool], note: Callable[..., None]) -> dict[str, Any]:
    """Trains ``run``; the caller holds its lock.

    The rows go to records.jsonl as they come. A checkpoint remembers how long that file was, and what was decided for this machine; a
    resumed training cuts the file back to there and computes in the same way, so that it goes on as if it had never ended.

    Args:
        note: called with changes for state.json, once all is loaded and the first iteration is about to begin.

    Returns:
        The ``end`` record of the trainer.
    """
    from resnet_core import data
    from resnet_core.training import checkpoint
    from resnet_core.training.engine import Trainer

    state, extra, warning = _newest(run.path / "checkpoints")
    plan = _plan(run.config, extra.get("plan") or read_state(run.path).get("plan"))
    trainer = Trainer(run.config, data.load(run.config.data, data_dir), plan)
    if state is not None:
        trainer.load_state(state)
    try:
        writer = RecordWriter(run.path / "records.jsonl", keep=extra.get("records_bytes", 0))
    except ValueError as error:
        raise RunError(f"{error}. The records are no longer whole, so run {run.id} cannot go on; train the configuration again.") from error
    files.log(f"{files.now()} process {os.getpid()} training {run.id} from iteration {trainer.iteration} on {plan.to_dict()}")
    note(plan=plan.to_dict(), machines=_machines(run, plan), commits=_commits(run), iteration=trainer.iteration, message=warning)
    try:
        for record in trainer.run(should_stop):
            if record["kind"] == "end":
                return record
            if record["kind"] != "checkpoint":
                writer.write(record)
                continue
            if not (run.path / "run.json").exists():
                raise RunError(f"{run.path} has been removed or damaged while it was trained.")
            writer.sync()
            checkpoint.save(run.path / "checkpoints", trainer.state(), {"records_bytes": writer.offset, "plan": plan.to_dict()})
        raise RuntimeError("the trainer ended without an end record")
    finally:
        writer.close()


def _newest(folder: Path) -> tuple[Any, dict[str, Any], str]:
    """State and extra of the newest checkpoint that can be read, and a warning if it is not the newest of all.

    Damaged ones are moved out of the way, not deleted. Without any, the training begins anew: that costs time, and nothing else.
    """
    from resnet_core.training import checkpoint

    warnings = []
    while (path := checkpoint.latest(folder)) is not None:
        try:
            state, extra = checkpoint.load(path)
            return state, extra, " ".join(warnings)
        except CheckpointError as error:
            aside = path.with_name(f".damaged-{path.name}-{files.now()}")
            path.rename(aside)
            files.log(f"{error} It was moved to {aside}.")
            warnings.append(f"The checkpoint {path.name} could not be read; the training went on from the one before it, or the start.")
    return None, {}, " ".join(warnings)


def _plan(config: RunConfig, recorded: dict[str, Any] | None):
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
        return (
            f"Out of memory after iteration {iteration}: {model.name} with batches of {batch} does not fit. "
            f"Lower the batch size ({batch}), the width ({model.width}) or the depth ({model.depth}), or free memory and resume.",
            True,
        )
    full = os.strerror(errno.ENOSPC)
    if not isinstance(error, OSError) and full in str(error):  # safetensors says it in its own kind of error
        error = OSError(errno.ENOSPC, full)
    if isinstance(error, OSError) and (message := files.os_problem(error, run.path)):
        return f"{message} Then resume the run.", True
    summary = (str(error).strip().splitlines() or ["no message"])[0]
    what = f"Unexpected error after iteration {iteration}: {type(error).__name__}: {summary}"
    return f"{what} The traceback is in {run.path / 'worker.log'}.", False


def _is_out_of_memory(error: BaseException) -> bool:
    # torch.OutOfMemoryError is a RuntimeError that says so; the CPU's allocator raises a bare RuntimeError.
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    text = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(sign in text for sign in ("out of memory", "can't allocate memory", "not enough memory"))
    )
