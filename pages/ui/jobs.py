"""Whatever takes longer than a moment: once for all viewers, one after the other, in a thread of the app, with progress to look at.

What a page cannot be drawn without, it waits for; the viewer who turns to something else ends it, unless another waits too::

    found = JOBS.outcome(key, title, lambda job: compute(progress=job.progress, should_stop=job.should_stop))

What takes so long that somebody has asked for it with a button goes on while its viewers look at other pages, and ends when the last of
them has left the app::

    job = JOBS.start(key, title, work)
    job_panel(job)  # a bar while it runs; draws the page again when it is through

Who asks for the same later finds the result: plain values, never a model. Trainings are no jobs: they outlive the app.
"""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from pages.ui.guard import LOG
from pages.ui.labels import duration, escaped
from pages.ui.permitted import ask, may
from pages.ui.viewers import Viewers
from resnet_core.errors import UserError
from resnet_core.language import tr

Progress = Callable[[int, int], None]
ShouldStop = Callable[[], bool]

#: Seconds between two looks at one that runs.
POLL = 0.5
#: Seconds between two looks at one that a page waits for; what is ready within the first shows no bar.
_MOMENT = 0.1
#: Seconds left that are worth telling.
_TOLD = 5
#: Those that are done and not looked at for longest are forgotten.
_KEPT = 500
#: So many at once of those that do not wait for others.
_LIGHT = 4


@dataclass(eq=False)
class Job:
    """One computation: what became of it, and how far it is.

    Attributes:
        key: what is computed, of which weights, how; equal keys mean equal results.
        title: for people, e.g. ``ResNet-56 on the sample``.
        state: ``waiting``, ``running``, ``done``, ``failed`` or ``stopped``.
        done, total: steps; ``total`` is 0 before anything is known.
        result: of one that is done; preview: what it has been able to show on the way, until then.
        exception: what one has failed with.
        viewers: those for whom it is computed: it ends when all of them have left.
        ended: set when nothing more happens to it.
    """

    key: Hashable
    title: str
    state: str = "waiting"
    done: int = 0
    total: int = 0
    result: Any = None
    preview: Any = None
    exception: Exception | None = None
    viewers: Viewers = field(default_factory=Viewers)
    ended: threading.Event = field(default_factory=threading.Event)
    _stop: threading.Event = field(default_factory=threading.Event)
    _first: tuple[float, int] | None = None  # when it was heard of first, and how far it was then

    @property
    def error(self) -> str:
        """Why it failed, fit to be shown, in the language of who looks; empty of one that did not."""
        if self.exception is None or isinstance(self.exception, UserError):
            return str(self.exception or "")
        return tr(
            "{title}: something went wrong that is no fault of yours ({name}). The details are in the terminal where the app was started.",
            title=self.title,
            name=type(self.exception).__name__,
        )

    @property
    def is_active(self) -> bool:
        return self.state in ("waiting", "running")

    def progress(self, done: int, total: int) -> None:
        self.done, self.total = done, total
        self._first = self._first or (time.monotonic(), done)

    @property
    def seconds_left(self) -> float | None:
        """At the pace so far; None while that is not known."""
        if self._first is None or self.done <= self._first[1]:
            return None
        begun, already = self._first
        return (time.monotonic() - begun) * (self.total - self.done) / (self.done - already)

    def show(self, preview: Any) -> None:
        """Has the pages that look at it drawn again with what is known so far."""
        self.preview = preview

    def should_stop(self) -> bool:
        return self._stop.is_set() or self.viewers.have_left()

    def stop(self) -> None:
        """It ends as soon as it asks ``should_stop``."""
        self._stop.set()

    def run(self, work: Callable[[Job], Any]) -> None:
        try:
            self._run(work)
        finally:
            self.ended.set()

    def _run(self, work: Callable[[Job], Any]) -> None:
        if self.should_stop():
            self.state = "stopped"
            return
        self.state = "running"
        try:
            self.result = work(self)
            self.state = "done"
        except UserError as error:
            self.exception, self.state = error, "failed"
        except Exception as error:
            if self.should_stop():
                self.state = "stopped"
                return
            LOG.error("%s", self.title, exc_info=error)
            self.exception, self.state = error, "failed"


class Jobs:
    """The jobs of this server. One works at a time, as each uses all processors, and beside it what takes but a moment."""

    def __init__(self) -> None:
        self._jobs: collections.OrderedDict[Hashable, Job] = collections.OrderedDict()
        self._mutex = threading.Lock()
        self._pool = ThreadPoolExecutor(1, "analysis")
        self._light = ThreadPoolExecutor(_LIGHT, "light")

    def get(self, key: Hashable) -> Job | None:
        """The job of that key, if there was one that is not forgotten; none that ended because all who wanted it have left."""
        with self._mutex:
            job = self._jobs.get(key)
            if job is None or (job.state == "stopped" and job.viewers.have_left()):
                return None
            self._jobs.move_to_end(key)
            return job

    def start(self, key: Hashable, title: str, work: Callable[[Job], Any], light: bool = False) -> Job:
        """The job of that key: the one that is there, unless it failed or was stopped; else a new one, which begins when its turn comes.

        The viewer whose page is being drawn is one of its viewers, as who looks at it (``job_panel``) is.

        Args:
            light: it takes a moment, and does not wait for others.
        """
        with self._mutex:
            job = self._jobs.get(key)
            if job is not None and (job.state == "done" or (job.is_active and not job.should_stop())):
                job.viewers.add()
                return job
            job = self._jobs[key] = Job(key, title)
            job.viewers.add()
            self._jobs.move_to_end(key)
            for old in [k for k, j in self._jobs.items() if not j.is_active][: max(0, len(self._jobs) - _KEPT)]:
                del self._jobs[old]
            (self._light if light else self._pool).submit(job.run, work)
            return job

    def outcome(
        self,
        key: Hashable,
        title: str,
        work: Callable[[Job], Any],
        *,
        unit: str = "",
        meanwhile: Callable[[], None] = lambda: None,
        light: bool = False,
    ) -> Any:
        """The result of that job, waited for behind a bar that goes with the end. A rerun of the page ends it, unless another waits too.

        Args:
            title: for people, before the count; of the step that is done, not of the page.
            unit: what is counted.
            meanwhile: called once if it takes long enough for a bar, to show something until then.
            light: as of ``start``.

        Raises:
            UserError, Exception: what ``work`` has raised.
        """
        place, shown, job = st.empty(), False, self.start(key, title, work, light)
        try:
            while not job.ended.wait(_MOMENT) or job.state == "stopped":
                if job.state == "stopped":  # by another viewer, who turned away from it before this one came
                    job = self.start(key, title, work, light)
                    continue
                if not shown:
                    meanwhile()
                    shown = True
                place.progress(*_how_far(job, unit))
        except BaseException:  # the viewer has turned to something else
            if job.viewers.remove():
                job.stop()
            raise
        place.empty()
        if job.exception is not None:
            raise job.exception
        return job.result


JOBS = Jobs()


def job_panel(job: Job, unit: str = "") -> None:
    """What a viewer sees of a job that is not done: its bar and a button to stop it, or why there is no result; nothing of one that is."""
    job.viewers.add()
    if job.is_active:
        st.fragment(_bar, run_every=POLL)(job, unit or tr("images"), job.preview)
    elif job.state == "failed":
        st.error(escaped(job.error), icon=":material/error:")
    elif job.state == "stopped":
        st.info(tr("{title}: stopped before the end.", title=escaped(job.title)), icon=":material/stop:")


def _how_far(job: Job, unit: str) -> tuple[float, str]:
    """The part that is done, and the words beside the bar."""
    if job.state == "waiting":
        text = tr("waits for another computation")
    elif not job.total:
        text = tr("starting: loading weights and images")
    else:
        left = job.seconds_left
        text = tr("{done:,} of {total:,} {unit}", done=job.done, total=job.total, unit=unit) + (
            "" if left is None or left < _TOLD else tr(", about {duration} left", duration=duration(left))
        )
    return job.done / job.total if job.total else 0.0, f"**{escaped(job.title)}** · {text}".rstrip()


def _bar(job: Job, unit: str, preview: Any) -> None:
    if not job.is_active or job.preview is not preview:
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(*_how_far(job, unit))
        stops = job.should_stop() or not may("stop computation", job.viewers.are_one())
        if st.button(tr("Stop"), icon=":material/stop:", key=f"job.stop.{hash(job.key)}", type="tertiary", disabled=stops):
            ask("stop computation", job.viewers.are_one())
            job.stop()
            st.rerun(scope="fragment")
