"""The head's side of a training on a cluster: it sends a run to a node, and writes down what comes back."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from resnet_core.config import RunConfig
from resnet_core.errors import CheckpointError, ConfigError, Stopped
from resnet_core.language import mark, tr
from resnet_core.runs import files, launch
from resnet_core.runs.cluster import own
from resnet_core.runs.cluster.node import Shelf, Trainee
from resnet_core.runs.create import START
from resnet_core.runs.executor import RAY, Begun, NodeLost, Note, ShouldStop
from resnet_core.runs.local import set_aside
from resnet_core.runs.run import Run
from resnet_core.slots import threads
from resnet_core.training import saved

#: Seconds between two looks at the request to stop while nothing comes; and between two questions whether the node still computes.
LOOK_SECONDS = 0.1
PULSE_SECONDS = 1.0
#: Processor time, as a part of the time that passes, from which on a node computes.
_BUSY = 0.05
#: Seconds without an answer from a node after which people are told: what is imported there takes some too.
TELL_SECONDS = 10.0


class RayExecutor:
    """Trains on whichever node of the cluster has room; keeps the process there for the next run that needs as much."""

    def __init__(self, home: Path):
        self._home = home
        self._node: Any = None
        self._needs: dict[str, float] = {}

    def begin(self, run: Run, data_dir: Path | None, should_stop: ShouldStop, note: Note) -> RemoteTraining:
        """Find a node, and send the run there. Raises DataError, Stopped, NodeLost."""
        if not ray.is_initialized():
            own.connect(self._home)
        needs, places = _needs(run.config)
        launch.tell_places(self._home, RAY, places)
        try:
            arrays = None if run.config.data.is_embedded else _shelved(run.config, data_dir)
            if self._node is None or needs != self._needs:
                self._give_back()
                self._node, self._needs = ray.remote(Trainee).options(**needs, max_concurrency=2).remote(), needs
            _wait(self._node.ready.remote(), should_stop, note)
            return RemoteTraining(run, self._node, arrays, should_stop)
        except (NodeLost, Stopped, RayError) as error:
            self._give_back()
            if isinstance(error, RayTaskError):
                raise _cause(error) from error
            if isinstance(error, RayError):
                raise NodeLost(_summary(error)) from error
            raise

    def _give_back(self) -> None:
        if self._node is not None:
            ray.kill(self._node)
        self._node = None


class RemoteTraining:
    """A run's training on a node, see ``executor.Training``."""

    def __init__(self, run: Run, node: Any, arrays: Any, should_stop: ShouldStop):
        self._node = node
        contents, warnings = _contents(run)
        self._events = node.train.options(num_returns="streaming").remote(run.id, contents, arrays)
        self._checkpoint: tuple[dict[str, Any], dict[str, bytes]] | None = None
        (begun,) = next(self._come(should_stop))
        self.begun: Begun = dataclasses.replace(begun, warnings=warnings + begun.warnings)

    def records(self, should_stop: ShouldStop) -> Iterator[dict[str, Any]]:
        """Give the records as they come. Raises NodeLost."""
        for record, checkpoint in self._come(should_stop):
            self._checkpoint = checkpoint
            yield record

    def save(self, folder: Path, extra: dict[str, Any]) -> Path:
        """Write the checkpoint that has come, see ``saved.keep``."""
        assert self._checkpoint is not None
        values, contents = self._checkpoint

        def fill(place: Path) -> None:
            for name, content in contents.items():
                (place / name).write_bytes(content)

        return saved.keep(folder, values, extra, fill)

    def _come(self, should_stop: ShouldStop) -> Iterator[Any]:
        """What the node yields, as it comes."""
        asked, pulse = False, _Pulse(self._node)
        while True:
            while not ray.wait([self._events], timeout=LOOK_SECONDS)[0]:
                if should_stop(gets_on=pulse.beats()) and not asked:
                    self._node.stop.remote()
                    asked = True
            if should_stop() and not asked:
                self._node.stop.remote()
                asked = True
            try:
                yield ray.get(next(self._events))
            except RayTaskError as error:
                raise _cause(error) from error
            except RayError as error:
                raise NodeLost(_summary(error)) from error
            except StopIteration:
                return


class _Pulse:
    """Whether a node still computes, asked once in a while and without waiting for the answer."""

    def __init__(self, node: Any):
        self._node = node
        self._asked, self._answer = time.monotonic(), node.pulse.remote()
        self._before: tuple[float, float] | None = None

    def beats(self) -> bool:
        """Whether it has computed between the two newest answers; False while there is no new one."""
        now = time.monotonic()
        if now - self._asked < PULSE_SECONDS or not ray.wait([self._answer], timeout=0)[0]:
            return False
        try:
            spent = ray.get(self._answer)
        except RayError:  # what it means is said where its events are waited for
            return False
        before, self._before = self._before, (now, spent)
        self._asked, self._answer = now, self._node.pulse.remote()
        return before is None or spent - before[1] >= _BUSY * (now - before[0])


def _needs(config: RunConfig) -> tuple[dict[str, float], int]:
    """What a training takes of a node, and how many of them the cluster holds at once.

    One GPU for each of its replicas where the cluster has some and the recipe does not ask for another device; else as many cores of a
    node as the training has threads, see ``slots.threads``.
    """
    alive = [node["Resources"] for node in _nodes() if node["Alive"]]
    gpus = int(sum(node.get("GPU", 0) for node in alive))
    if config.recipe.device == "cuda" and not gpus:
        raise ConfigError("device", mark("no node of the cluster has a GPU that Ray knows of; choose cpu or auto."))
    replicas = config.recipe.replicas
    if gpus and config.recipe.device in ("cuda", "auto"):
        return {"num_gpus": replicas, "num_cpus": 0}, max(1, gpus // replicas)
    cores = max((int(node.get("CPU", 0)) for node in alive), default=1)
    needed = max(replicas, threads(config, max(1, cores)))
    return {"num_cpus": needed}, max(1, sum(int(node.get("CPU", 0)) // needed for node in alive))


def _nodes() -> list[dict[str, Any]]:
    listed: Callable[[], list[dict[str, Any]]] = ray.nodes  # which Ray has left without types
    return listed()


def _shelved(config: RunConfig, data_dir: Path | None) -> Any:
    """The reference to the data set's arrays."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    options = {"name": "shelf", "get_if_exists": True, "lifetime": "detached", "num_cpus": 0, "scheduling_strategy": here}
    shelf: Any = ray.remote(Shelf).options(**options).remote()
    return ray.get(shelf.get.remote(config.data, data_dir and str(data_dir)))[0]


def _contents(run: Run) -> tuple[dict[str, bytes], list[str]]:
    """The files of a run that a training reads, and a warning for each checkpoint that is damaged, and not sent."""
    paths, warnings = [run.path / "run.json", run.path / "state.json", run.path / START], []
    for folder in saved.checkpoints(run.path / "checkpoints"):
        try:
            saved.verify(folder)
            paths += sorted(folder.iterdir())
        except CheckpointError as error:
            warnings.append(set_aside(folder, error))
    return {str(path.relative_to(run.path)): path.read_bytes() for path in paths if path.is_file()}, warnings


def _wait(ready: Any, should_stop: ShouldStop, note: Note) -> None:
    """Until a node has room, and what is needed there is imported."""
    begin, told = time.monotonic(), False
    while not ray.wait([ready], timeout=LOOK_SECONDS)[0]:
        if should_stop():
            raise Stopped
        if not told and time.monotonic() - begin >= TELL_SECONDS:
            told = True
            note(message=tr("It waits for a place on the cluster."))
    ray.get(ready)


def _cause(error: RayTaskError) -> BaseException:
    """The error as it was raised on the node; its traceback there goes to the log."""
    files.log(str(error))
    cause = error.cause
    return cause if isinstance(cause, BaseException) else RuntimeError(_summary(error))


def _summary(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
