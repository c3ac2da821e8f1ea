"""What a list shows of a run, and what runs are counted, sorted and found by: a line of plain values, small enough for all runs at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from resnet_core.language import tr
from resnet_core.runs.run import Run, RunStatus


class Brief(NamedTuple):
    """A run in one line, as it was when it was read.

    Attributes:
        name: for people.
        model: the name of its net.
        train_error, test_error: in percent, the final ones, else the newest; None where there is none yet.
        ticket: its place in the order of the queue that it stands in, or has stood in.
        kind: net, batch size, device and precision, where its speed is known (``RunStatus.pace``); else empty.
    """

    id: str
    name: str
    model: str
    seed: int
    created: str
    owner: str
    fingerprint: str
    state: str
    iteration: int
    iterations: int
    train_error: float | None
    test_error: float | None
    images_per_second: float | None
    started: str | None
    ticket: int
    kind: str

    def is_meant(self, words: Sequence[str]) -> bool:
        """Whether each of the words, in lower case, stands in its name, its id or its state."""
        text = f"{self.name} {self.id} {self.state} {tr(self.state)}".casefold()
        return all(word in text for word in words)


def newest(status: RunStatus, name: str) -> float | None:
    """Give the final ``train_error``, ``test_error`` or ``validation_error``, else the newest recorded one, else None."""
    row = status.last_train if name == "train_error" else status.last_test
    found: float | None = (status.result or {}).get(name, (row or {}).get(name))
    return found


def of(run: Run, status: RunStatus, ticket: int) -> Brief:
    """Sum up a run."""
    config = run.config
    device, precision = ((status.plan or {}).get(name) for name in ("device", "precision"))
    is_known = None not in (status.pace, device, precision)
    return Brief(
        id=run.id,
        name=run.name,
        model=config.model.name,
        seed=config.recipe.seed,
        created=run.created,
        owner=run.owner,
        fingerprint=run.fingerprint,
        state=status.state,
        iteration=status.iteration,
        iterations=status.iterations,
        train_error=newest(status, "train_error"),
        test_error=newest(status, "test_error"),
        images_per_second=status.images_per_second,
        started=status.started,
        ticket=ticket,
        kind=f"{config.model.name} {config.recipe.batch_size} {device} {precision}" if is_known else "",
    )
