"""What the analysis pages compute, kept for all viewers: plain arrays by weights, data and number of images; never a model.

A computation runs in a thread of its own while the page shows how far it is. It ends when the viewer turns to something else. What takes
all processors for long is done one at a time in a server (``turn``); what is kept already, or takes a moment, does not wait for it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import streamlit as st

from pages.ui.owner import at_the_servers_machine
from resnet_core import data
from resnet_core.config import DataConfig
from resnet_core.errors import DataError, Stopped
from resnet_core.nets import NORMALIZATIONS, Net

if TYPE_CHECKING:
    from resnet_core.analysis.gradients import AtInitialization, Gradients
    from resnet_core.analysis.responses import Responses

T = TypeVar("T")
Progress = Callable[[int, int], None]
ShouldStop = Callable[[], bool]

#: Seconds between two looks at a computation; one that is ready within the first shows no bar.
_POLL = 0.1
_ONE_AT_A_TIME = threading.RLock()
#: Of a thread that computes: what its page looks at.
_thread = threading.local()


@contextlib.contextmanager
def turn(should_stop: ShouldStop, waits: Callable[[bool], None] | None = None) -> Iterator[None]:
    """Around a long computation: one at a time. The page says that it waits.

    Args:
        waits: told when waiting begins and ends; by default ``with_progress`` is, whose thread this is.

    Raises:
        Stopped: ``should_stop`` returned True while it waited.
    """
    seen: dict[str, Any] = getattr(_thread, "seen", {})
    say = waits or (lambda waiting: seen.update(waits=waiting))
    try:
        while not _ONE_AT_A_TIME.acquire(timeout=_POLL):
            say(True)
            if should_stop():
                raise Stopped
    finally:
        say(False)
    try:
        yield
    finally:
        _ONE_AT_A_TIME.release()


def folder() -> str | None:
    """The folder of CIFAR-10 that was typed on the Train page in this session, if any."""
    return (st.session_state.get("train.data_dir") or None) if at_the_servers_machine() else None


def datasets() -> list[str]:
    """``sample``, and ``cifar10`` where it is on this machine."""
    try:
        data.check(DataConfig("cifar10"), folder())
    except DataError:
        return ["sample"]
    return ["sample", "cifar10"]


def with_progress(text: str, work: Callable[[Progress, ShouldStop], T], meanwhile: Callable[[], None] = lambda: None) -> T:
    """Does ``work`` while a progress bar shows how far it is; the bar goes with the end. A rerun of the page stops it.

    Args:
        text: Markdown, before the count.
        work: called with ``progress(done, total)`` and ``should_stop()``.
        meanwhile: called once if it takes long enough for a bar, to show something until then.
    """
    place = st.empty()
    done: dict[str, Any] = {"part": (0, 0)}
    stop = threading.Event()

    def run() -> None:
        _thread.seen = done
        try:
            done["result"] = work(lambda *part: done.update(part=part), stop.is_set)
        except BaseException as error:
            done["error"] = error

    thread = threading.Thread(target=run, name="analysis", daemon=True)
    thread.start()
    try:
        thread.join(_POLL)
        if thread.is_alive():
            meanwhile()
        while thread.is_alive():
            count, total = done["part"]
            how_far = " waits for another computation" if done.get("waits") else f" {count:,} of {total:,}" if total else " …"
            place.progress(count / total if total else 0.0, text=f"{text}:{how_far}")
            thread.join(_POLL)
    finally:
        stop.set()
        place.empty()
    if "error" in done:
        raise done["error"]
    return done["result"]


@st.cache_resource(show_spinner=False, max_entries=4)
def images_of(dataset: str, split: str, where: str | None) -> data.Split:
    """All images of a split, ``train`` or ``test``, which all viewers share: nobody may write into them."""
    return getattr(data.load(DataConfig(dataset), where), split)


def responses(net: Net, dataset: str, count: int, progress: Progress, should_stop: ShouldStop, where: str | None) -> tuple[Net, Responses]:
    """``layer_responses`` of the net's weights as they are now, on the first ``count`` test images; and the net as it was measured.

    That is further than ``net`` where it is a run that went on while it waited for its turn.
    """
    from resnet_core.analysis.responses import Responses

    read, found = _responses(net.version, dataset, count, net, progress, should_stop, where)
    return dataclasses.replace(net, **read), Responses(**found)


@st.cache_data(show_spinner=False, max_entries=500)
def _responses(
    version: str, dataset: str, count: int, _net: Net, _progress: Progress, _should_stop: ShouldStop, _where: str | None
) -> tuple[dict, dict]:
    from resnet_core.analysis.responses import layer_responses
    from resnet_core.nets.loading import load

    with turn(_should_stop):
        loaded = load(_net)
        images = images_of(dataset, "test", _where).images[:count]
        found = layer_responses(loaded.model, images, loaded.normalize, loaded.plan, progress=_progress, should_stop=_should_stop)
    return _as_read(loaded.net), _plain(found)


def untrained_ratio(net: Net, dataset: str, count: int, progress: Progress, should_stop: ShouldStop, where: str | None) -> np.ndarray:
    """(B,), |F(x)| / |x| of the same net before its first update (its own seed, else 0), on the same images, with batch statistics."""
    seed = net.config.recipe.seed if net.config else 0
    return np.array(_untrained_ratio(net.version, seed, dataset, count, net, progress, should_stop, where))


@st.cache_data(show_spinner=False, max_entries=500)
def _untrained_ratio(
    version: str, seed: int, dataset: str, count: int, _net: Net, _progress: Progress, _should_stop: ShouldStop, _where: str | None
) -> list[float]:
    import torch

    from resnet_core.analysis.responses import layer_responses
    from resnet_core.architectures.net import build_model
    from resnet_core.nets.loading import load

    with turn(_should_stop):
        loaded = load(_net)
        fresh = build_model(_net.model, seed).to(loaded.device).to(memory_format=torch.channels_last)
        images = images_of(dataset, "test", _where).images[:count]
        found = layer_responses(
            fresh, images, loaded.normalize, loaded.plan, batch_statistics=True, progress=_progress, should_stop=_should_stop
        )
    return found.ratio.tolist()


def gradients(
    net: Net, dataset: str, batches: int, size: int, progress: Progress, should_stop: ShouldStop, where: str | None
) -> tuple[Net, Gradients]:
    """``layer_gradients``, as ``responses``, on the first ``batches`` batches of ``size`` training images."""
    from resnet_core.analysis.gradients import Gradients

    read, found = _gradients(net.version, dataset, batches, size, net, progress, should_stop, where)
    return dataclasses.replace(net, **read), Gradients(**found)


@st.cache_data(show_spinner=False, max_entries=500)
def _gradients(
    version: str, dataset: str, batches: int, size: int, _net: Net, _progress: Progress, _should_stop: ShouldStop, _where: str | None
) -> tuple[dict, dict]:
    from resnet_core.analysis.gradients import layer_gradients
    from resnet_core.nets.loading import load

    with turn(_should_stop):
        loaded, train = load(_net), images_of(dataset, "train", _where)
        found = layer_gradients(
            loaded.model,
            train.images,
            train.labels,
            loaded.normalize,
            loaded.plan,
            batches=batches,
            batch_size=size,
            progress=_progress,
            should_stop=_should_stop,
        )
    return _as_read(loaded.net), _plain(found)


def at_initialization(
    depths: Sequence[int], shortcut: str, batch_norm: bool, images: int, progress: Progress, should_stop: ShouldStop
) -> list[AtInitialization]:
    """``gradients_at_initialization`` with seed 0, on the sample's first training images, normalised as in the paper."""
    from resnet_core.analysis.gradients import AtInitialization, Gradients
    from resnet_core.architectures import ResNetConfig

    found = []
    for done, depth in enumerate(depths):
        gradients = Gradients(**_at_initialization(depth, shortcut, batch_norm, images, should_stop))
        found.append(AtInitialization(ResNetConfig(depth, shortcut), batch_norm, 0, gradients))
        progress(done + 1, len(depths))
    return found


@st.cache_data(show_spinner=False, max_entries=200)
def _at_initialization(depth: int, shortcut: str, batch_norm: bool, images: int, _should_stop: ShouldStop) -> dict:
    import torch

    from resnet_core.analysis.gradients import gradients_at_initialization

    train = images_of("sample", "train", None)
    mean, _ = NORMALIZATIONS["pixel-mean"].arrays()
    x = train.images[:images].float().div(255).sub(torch.from_numpy(mean)).contiguous(memory_format=torch.channels_last)
    with turn(_should_stop):
        (found,) = gradients_at_initialization([depth], shortcut, batch_norm, 0, x, train.labels[:images], should_stop=_should_stop)
    return _plain(found.gradients)


def _as_read(net: Net) -> dict[str, Any]:
    """What a net that was loaded says of its weights."""
    return {"read": net.read, "iteration": net.iteration}


def _plain(found: Any) -> dict[str, Any]:
    """A result as plain values: classes do not outlive a hot reload."""
    return {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
