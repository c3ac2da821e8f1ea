"""What the command line says: results on stdout, everything else on stderr, one line for an error."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from resnet_core.runs import Run, RunStatus
from resnet_core.runs.brief import newest


def prepare_streams() -> None:
    """Makes the standard streams take whatever is said: closed ones lead nowhere, and what a terminal cannot show is spelled out."""
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(fd)
        except OSError:
            # A closed descriptor is given to the next file that is opened, which would then be printed into.
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            setattr(sys, name, open(fd, "r" if fd == 0 else "w", closefd=False))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def bytes_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """The bar of a download, on a terminal: takes bytes done and bytes in all."""
    from tqdm import tqdm

    with tqdm(desc=title, unit="B", unit_scale=True, unit_divisor=1024, disable=None) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total or None
            bar.update(done - bar.n)

        yield progress


def stdout_problem() -> str:
    """Why stdout takes nothing; empty where it does. Found by an empty line: what it refused need not be in its buffer any more."""
    try:
        sys.stdout.write("\n")
        sys.stdout.flush()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def drop(stream: TextIO) -> None:
    """Forgets what a standard stream could not take; Python would complain once more when it flushes at its end."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


def note(text: str) -> None:
    """A line for the person at the terminal, on stderr; where that takes none, the work goes on."""
    try:
        print(f"resnet-lab: {one_line(text)}", file=sys.stderr, flush=True)
    except OSError:
        drop(sys.stderr)


def error(text: str) -> None:
    """The one line that an error is told in, on stderr."""
    note(f"error: {text}")


def one_line(text: str) -> str:
    return " ".join(line.strip() for line in text.splitlines() if line.strip())


def emit(value: dict[str, Any]) -> None:
    """One JSON object as the last line of stdout."""
    print(json.dumps(value, allow_nan=False), flush=True)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Columns as wide as they need be; the first ``left`` of them are flush left, the others flush right."""
    widths = [max(len(row[k]) for row in [head, *rows]) for k in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) if k < left else cell.rjust(width) for k, (cell, width) in enumerate(zip(row, widths, strict=True)))
        for row in [head, *rows]
    ]
    return "\n".join(line.rstrip() for line in lines)


def percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} %"


def speed(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def errors(run: Run, status: RunStatus) -> dict[str, float | None]:
    """Errors in percent: the final ones of an ended training, before that the newest recorded; None where there is none yet.

    The clean training error, of the trained net on images without augmentation, is measured at the end only.
    """
    names = ["train_error", "test_error", *(["validation_error"] if run.config.data.validation else [])]
    return {name: newest(status, name) for name in names} | {"clean_train_error": (status.result or {}).get("clean_train_error")}


def summary(run: Run, status: RunStatus) -> dict[str, Any]:
    """What ``--json`` tells of a run; the errors are those of ``errors``."""
    from resnet_core.architectures.table import complexity

    net = complexity(run.config.model, run.config.data.side)
    return {
        "run": run.id,
        "name": run.name,
        "family": run.config.model.family,
        "state": status.state,
        "iteration": status.iteration,
        "iterations": status.iterations,
        **errors(run, status),
        "images_per_second": status.images_per_second,
        "params": net.params,
        "macs": net.macs,
        "weights_sha256": (status.result or {}).get("weights_sha256"),
        "message": status.message,
    }


def report(told: dict[str, Any], config_label: str) -> str:
    """``summary`` for people."""
    lines = [
        (f"{told['name']}, {config_label}", ""),
        ("run", told["run"]),
        ("state", f"{told['state']}, {told['iteration']:,} of {told['iterations']:,} iterations"),
        ("training error", percent(told["train_error"])),
        ("  clean", percent(told["clean_train_error"])),
        ("test error", percent(told["test_error"])),
        ("speed", f"{speed(told['images_per_second'])} images per second"),
        ("net", f"{told['params']:,} parameters, {told['macs']:,} MACs"),
        ("weights SHA-256", told["weights_sha256"] or "-"),
    ]
    if "validation_error" in told:
        lines.insert(6, ("validation error", percent(told["validation_error"])))
    return "\n".join(f"  {label:<18}{text}" if text else label for label, text in lines)
