"""What Predict computes, kept in the viewer's session: plain results and copies of nets that nobody else has. Nothing of it is on disk.

Only what does not depend on a viewer's image is shared: what nets say of the test set (here), and the feature indices (on disk).
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from pages.ui import analyses
from pages.ui.jobs import JOBS, Job, Progress, ShouldStop
from resnet_core.analysis.protocols import PROTOCOLS, Protocol, cost, why_not
from resnet_core.apart import apart
from resnet_core.errors import UserError
from resnet_core.imports.cost import HEAVY
from resnet_core.language import tr
from resnet_core.nets import Net

if TYPE_CHECKING:
    from resnet_core.attribution.compute import Attribution
    from resnet_core.nets.loading import LoadedNet

#: A session keeps so many results (a map has 4 to 16 kB), and nets, in fp32 and in what is fastest here; of large ones fewer.
_MOST_RESULTS, _MOST_NETS, _MOST_NET_BYTES = 500, 8, 256 << 20
_RESULTS, _NETS = "predict.results", "predict.nets"
#: Attribution and the answer it explains are in fp32; so the bars are too, and both say the same.
PRECISION = "fp32"
#: Multiply-adds that are done at once, without a button; about a second on two cores. A backward pass counts as two forward ones.
AT_ONCE = 60e9
#: Steps of the bar that a map is worth.
_MAP_STEPS = 20


@dataclass(frozen=True)
class Failed:
    """In the place of a result: why there is none."""

    error: UserError

    @property
    def message(self) -> str:
        """Fit to be shown, in the language of who looks."""
        return str(self.error)


@dataclass(frozen=True)
class Task:
    """One result.

    Attributes:
        key: equal keys mean equal results.
        work: called with ``progress(done, total)`` and ``should_stop()``, in a thread: it knows no session.
        steps: how many steps of the bar it is worth.
        light: it takes a moment, and does not wait for other viewers' computations.
    """

    key: Hashable
    work: Callable[[Progress, ShouldStop], Any]
    steps: int = 1
    light: bool = False


def is_kept(key: Hashable) -> bool:
    return key in _held(_RESULTS)


def results(text: str, tasks: Sequence[Task]) -> list[Any]:
    """The result of each task, or ``Failed``: from the session, or computed now, behind a bar if that takes more than a moment.

    Results that are ready when the viewer turns to something else are kept.

    Args:
        text: before the count.
    """
    held = _held(_RESULTS)
    missing = [task for task in tasks if task.key not in held]
    if missing:
        total = sum(task.steps for task in missing)

        def work(job: Job) -> None:
            done = 0
            for task in missing:
                if job.should_stop():
                    return
                job.progress(done, total)
                scaled = _scaled(job.progress, done, task.steps, total)
                try:
                    held[task.key] = task.work(scaled, job.should_stop)
                except UserError as error:
                    held[task.key] = Failed(error)
                done += task.steps

        # The job is this session's alone: what it computes goes into what the session holds.
        # A key that no job has had: what was computed may have been forgotten since.
        JOBS.outcome(object(), text, work, unit=tr("steps"), light=all(task.light for task in missing))
    found = [held[task.key] for task in tasks]
    for task in tasks:
        held.move_to_end(task.key)
    while len(held) > _MOST_RESULTS:
        held.popitem(last=False)
    return found


def _scaled(progress: Progress, before: int, steps: int, total: int) -> Progress:
    return lambda done, of: progress(before + round(steps * done / of) if of else before, total)


def _held(name: str) -> OrderedDict:
    return st.session_state.setdefault(name, OrderedDict())


def loader(precision: str = PRECISION) -> Callable[[Net], LoadedNet]:
    """Gives nets as this session's own copies; to be made before a thread begins, and called in it."""
    held = _held(_NETS)

    def load(net: Net) -> LoadedNet:
        from resnet_core.nets import loading

        key = (net.version, precision)
        if key not in held:
            loaded = loading.load(net, precision=precision)
            key = (loaded.net.version, precision)  # a run may have saved newer weights at this very moment
            held[key] = loaded
            while len(held) > _MOST_NETS or (len(held) > 1 and sum(map(_bytes, held.values())) > _MOST_NET_BYTES):
                held.popitem(last=False)
        held.move_to_end(key)
        return held[key]

    return load


def _bytes(loaded: LoadedNet) -> int:
    return sum(tensor.nbytes for tensor in loaded.model.state_dict().values())


def key_of(pixels: np.ndarray) -> str:
    """Equal for equal images."""
    return hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest()[:24]


def tensor(pixels: np.ndarray) -> Any:
    """uint8 (H, W, 3) -> uint8 (3, H, W), torch."""
    import torch

    return torch.from_numpy(np.array(pixels)).permute(2, 0, 1).contiguous()


SeenBy = Callable[[Net, Protocol], np.ndarray]


def predictions(nets: Sequence[Net], seen_by: SeenBy, protocol: Protocol) -> dict[str, tuple[Net, np.ndarray] | Failed]:
    """Net id -> the net as it was asked (what explains its answer is to take the same weights), float32 (classes,) probabilities.

    Args:
        seen_by: gives the picture that a net's views are made of, uint8 (side, side, 3).
        protocol: its views, where a net can be tested like that; else one.
    """
    found = results(tr("Asking the nets"), prediction_tasks(nets, seen_by, protocol))
    return {net.id: answer for net, answer in zip(nets, found, strict=True)}


def prediction_tasks(nets: Sequence[Net], seen_by: SeenBy, protocol: Protocol) -> list[Task]:
    """Make one task for each net, whose result is as in ``predictions``."""
    load = loader()

    def said(net: Net, pixels: np.ndarray, key: str) -> tuple[Net, np.ndarray]:
        from resnet_core.analysis import prediction

        loaded = load(net)
        return loaded.net, prediction.predict(loaded, prediction.stack([pixels]), key)[0]

    tasks = []
    for net in nets:
        able = PROTOCOLS["single"] if why_not(net, protocol) else protocol
        pixels, light = seen_by(net, able), cost(net, able).macs <= AT_ONCE
        key = ("prediction", net.version, key_of(pixels), able.key)
        tasks.append(Task(key, lambda *_, net=net, pixels=pixels, able=able: said(net, pixels, able.key), light=light))
    return tasks


def map_key(net: Net, pixels: np.ndarray, method: str, target: int, values: Mapping[str, Any]) -> Hashable:
    return "map", net.version, key_of(pixels), method, target, tuple(sorted(values.items()))


def map_task(net: Net, pixels: np.ndarray, method: str, target: int, values: Mapping[str, Any], macs: float = 0.0) -> Task:
    """An ``Attribution``.

    Args:
        values: all parameters, checked.
        macs: the multiply-adds it takes; one of very many is computed in a process of its own, bounded in memory and ended at once.
    """
    load = loader()

    def work(progress: Progress, should_stop: ShouldStop) -> Attribution:
        from resnet_core.attribution import compute

        if macs > HEAVY:
            told: dict[str, Any] = {"progress": progress, "should_stop": should_stop}
            return apart("resnet_core.attribution.compute:attribute_net", net, np.array(pixels), method, target, **told, **values)
        return compute.attribute(load(net), tensor(pixels), method, target, progress=progress, should_stop=should_stop, **values)

    return Task(map_key(net, pixels, method, target, values), work, _MAP_STEPS)


# ---------------------------------------------------------------- the test set and the training set


def test_answers(nets: Sequence[Net], dataset: str) -> list[np.ndarray]:
    """Give for each net (N, classes): its probabilities of all test images, computed once per net for all viewers.

    Raises:
        UserError: a net cannot be asked.
    """
    where = analyses.folder()

    def asking(net: Net) -> Callable[[Job], np.ndarray]:
        def work(job: Job) -> np.ndarray:
            from resnet_core.analysis.prediction import predict
            from resnet_core.nets.loading import load

            images = analyses.images_of(dataset, "test", where).images
            return predict(load(net, precision=PRECISION), images, progress=job.progress, should_stop=job.should_stop)

        return work

    return [JOBS.outcome(("answers", net.version, dataset), net.name, asking(net), unit=tr("test images")) for net in nets]
