"""Where trainings are computed: in the worker process itself, or on any node of a Ray cluster. The rest of a run knows no difference.

A worker asks its executor to begin a training, and writes what comes of it into the run's folder. Which executor that is the pool tells
that a run waits in: ``ray``, or the name of a device.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from resnet_core.errors import RunError
from resnet_core.runs.run import Run

LOCAL, RAY = "local", "ray"
VARIABLE = "RESNET_LAB_EXECUTOR"
Note = Callable[..., None]
#: Whether the training is to end at a checkpoint. Whoever asks says with ``gets_on=False`` that nothing is heard of what computes.
ShouldStop = Callable[..., bool]


@dataclass(frozen=True)
class Begun:
    """What is known of a training that is about to go on.

    Attributes:
        plan: what was decided for the machine that computes it, see ``training.plan``.
        machine: its processor or graphics card.
        iteration: parameter updates done already.
        extra: what was kept with the checkpoint that it goes on from; empty where it begins anew.
        warnings: a sentence for each checkpoint that could not be read.
    """

    plan: dict[str, Any]
    machine: str
    iteration: int
    extra: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


class Training(Protocol):
    """One training, from its last checkpoint (or the start) on, wherever it is computed."""

    @property
    def begun(self) -> Begun:
        """What is known of it before its first record."""

    def records(self, should_stop: ShouldStop) -> Iterator[dict[str, Any]]:
        """Give the records of ``Trainer.run`` as they come. Raises NodeLost where what computes them has gone."""

    def save(self, folder: Path, extra: dict[str, Any]) -> Path:
        """Keep the state that the training was in at the ``checkpoint`` record that has just come, with ``extra``."""


class Executor(Protocol):
    """What trains runs, one after another."""

    def begin(self, run: Run, data_dir: Path | None, should_stop: ShouldStop, note: Note) -> Training:
        """Load all that the training needs.

        Args:
            note: called with changes for state.json that people should see meanwhile.

        Raises:
            Stopped: ``should_stop`` said so before there was a place to compute in.
            NodeLost: that place has gone.
        """


class NodeLost(Exception):
    """What computed a training is gone, and the training with it, since its last checkpoint. The message says what is known of it."""


def chosen() -> str:
    """Give the executor that new trainings are for, ``LOCAL`` or ``RAY``, as RESNET_LAB_EXECUTOR says.

    Raises:
        RunError: it says something else, or Ray, which is not installed.
    """
    name = os.environ.get(VARIABLE, "").strip().lower() or LOCAL
    if name not in (LOCAL, RAY):
        raise RunError("{variable}: {name!r} is not {local} or {ray}.", variable=VARIABLE, name=name, local=LOCAL, ray=RAY)
    if name == RAY:
        _need_ray()
    return name


def _need_ray() -> None:
    if importlib.util.find_spec("ray") is None:
        raise RunError(
            "Ray is not installed. Install the extra ray, or train without it: {variable}={local}.", variable=VARIABLE, local=LOCAL
        )


def of(pool: str, home: Path) -> Executor:
    """Make the executor of a pool.

    Raises:
        RunError: it is Ray's, and Ray is not installed.
    """
    if pool == RAY:
        _need_ray()
        from resnet_core.runs.cluster import own

        own.prepare(home)
        from resnet_core.runs.cluster.executor import RayExecutor

        return RayExecutor(home)
    from resnet_core.runs.local import Local

    return Local()
