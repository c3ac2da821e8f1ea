"""The run store and its queue.

The queue is no file of its own: it is the set of runs whose state is ``queued``. People take turns (``turns.in_turn``), and the runs of one
person go in the order of their tickets. A ticket is one more than the highest that any run has, handed out under the home lock; every
change of a state.json happens under that lock, so nothing can disagree. Reading takes no lock.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from resnet_core.config import RunConfig
from resnet_core.errors import RunError
from resnet_core.language import tr
from resnet_core.runs import files, hung, launch, looking
from resnet_core.runs.border import MAX_NAME, BrokenRun, is_name, read_state
from resnet_core.runs.create import create
from resnet_core.runs.looking import Look
from resnet_core.runs.run import RESUMABLE, Run, run_folders
from resnet_core.runs.turns import in_turn
from resnet_core.slots import is_light


class RunStore:
    """All runs of a home folder. Cheap to make; any number of them, in any number of processes, can be used at once.

    Args:
        home: see ``resnet_core.runs.home``. It is made when the first run is submitted.

    Every method raises RunError when a run does not exist, is not in a state that allows it, or the home cannot be written.
    """

    def __init__(self, home: Path | str | None = None):
        self.home = files.home(home)

    # -- looking ------------------------------------------------------------------------------------------------------

    def runs(self) -> list[Run]:
        """The readable runs, oldest first."""
        return [run for run, _ in self.look().runs]

    def broken(self) -> list[tuple[Path, str]]:
        """The folders that should be runs and cannot be read, each with the reason. ``delete`` takes their names too."""
        return self.look().broken

    def look(self) -> Look:
        """Everything at one moment, see ``looking.look``. A home that is not there yet is empty."""
        return looking.look(self.home)

    def tend(self) -> Look:
        """``look``, after seeing to it that whatever waits has a worker, and that no worker hangs that was asked to stop."""
        found = self.look()
        if any(status.state == "queued" or (status.stopping and status.silent_seconds) for _, status in found.active):
            self.ensure_workers()
            return self.look()
        return found

    def some(self, ids: Iterable[str]) -> list[Run]:
        """Those of the runs with these ids that are there and can be read, oldest first. The others are not looked at."""
        found = []
        for name in ids:
            if os.sep not in name and "\0" not in name and not name.startswith("."):
                with contextlib.suppress(BrokenRun):
                    found.append(Run(self.home / name))
        return sorted(found, key=lambda run: (run.created_at, run.id))

    def queue(self) -> list[Run]:
        """The queued runs of all devices, in the order in which they will be trained."""
        return _in_turn(self.look())

    def get(self, id_or_name: str) -> Run:
        """The run with that id; else the one with that name; else the one whose id begins so."""
        text = str(id_or_name).strip()
        with contextlib.suppress(BrokenRun):  # which is told below, with all others that are
            if text and (run := next(iter(self.some([text])), None)):
                read_state(run.path)
                return run
        found = self.look()
        for path, reason in found.broken:
            if text in (path.name, files.shown(path.name)):  # before names and beginnings: they would give another run than the one meant
                where = tr("Its folder is {path}; mend it, or delete the run.", path=files.shown(path))
                raise RunError("Run {text} is broken: {reason}. {where}", text=files.shown(text), reason=reason, where=where)
        called = [each for each in found.briefs if each.name == text]
        called = called or [each for each in found.briefs if text and each.id.startswith(text)]
        matches = self.some(each.id for each in called)
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise RunError(
                "{text!r} means several runs: {listed}. Give the whole id of one.", text=text, listed=_listed([r.id for r in matches])
            )
        there = [each.id for each in found.briefs]
        known = tr("There are {listed}.", listed=_listed(there)) if there else tr("There are no runs yet.")
        raise RunError(
            "No run has the id or name {text!r} in {home}. {known}", text=files.shown(text), home=files.shown(self.home), known=known
        )

    def find(self, config: RunConfig) -> Run | None:
        """A run of exactly this configuration; of several, the one with the most to show (finished first, newest first)."""
        found = self.look().find(config)
        return found and found[0]

    # -- changing -----------------------------------------------------------------------------------------------------

    def submit(
        self,
        config: RunConfig,
        name: str | None = None,
        data_dir: Path | str | None = None,
        again: bool = False,
        start: Path | None = None,
        owner: str = "",
    ) -> tuple[Run, bool]:
        """Queues a training, and starts a worker if one is needed.

        Args:
            name: for people; that of the net by default.
            data_dir: where the data set lies; found as in ``resnet_core.data.resolve_data_dir`` by default.
            again: train it although a run of this configuration exists.
            start: the file of the weights that ``config.start`` speaks of; it is copied.
            owner: whose run it is, as an id that says nothing of who that is; empty for nobody's in particular.

        Returns:
            The run, and True; or the run that exists already, untouched, and False.

        Raises:
            ConfigError: it takes more memory than the machine has.
            DataError: the data set is not there.
            RunError: the name is not valid, or the home cannot be written; the file ``start`` is not given where it is needed.
        """
        name = config.name if name is None else _valid_name(name)
        found = None if again else self.find(config)
        if found is not None:
            return found, False
        if config.start and start is None:
            raise RunError("{name} begins with weights that only its run has; grow {net} again.", name=config.name, net=config.start.net)
        from resnet_core import data, memory

        memory.check(config)
        data.check(config.data, data_dir)
        resolved = None if config.data.is_embedded else data.resolve_data_dir(data_dir, config.data.dataset)
        with self.locked():
            looked = self.look()
            there = None if again else looked.find(config)  # two viewers may have clicked at once
            if there is not None:
                return there[0], False
            state = {"state": "queued", "ticket": looked.ticket + 1, "pool": launch.pool_of(config.recipe.device)}
            run = create(self.home, config, name, resolved and Path(resolved).absolute(), state, start, owner)
        self.ensure_workers()
        return run, True

    def stop(self, id_or_name: str) -> None:
        """Takes a queued run out of the queue; asks the worker of a running one to save a checkpoint and stop."""
        run = self.get(id_or_name)
        with self.locked():
            state = run.state().state
            if state == "queued":
                self.change(run, state="stopped", ended=files.now(), message=tr("It was taken out of the queue."))
            elif state == "running":
                hung.ask(run.path)
            else:
                raise RunError("Run {id} is {state}; only a queued or running one can be stopped.", id=run.id, state=state)

    def resume(self, id_or_name: str) -> None:
        """Queues a stopped, interrupted or failed run again; it goes on from its last checkpoint."""
        run = self.get(id_or_name)
        status = run.state()
        if status.state in RESUMABLE:
            from resnet_core import data

            data.check(run.config.data, self.data_dir(run))
        with self.locked():
            status = run.state()
            if status.state == "diverged":
                raise RunError(
                    "Run {id} diverged and would do so again: the same configuration sees the same batches. Train it "
                    "with a lower learning rate, with a warm-up, or with another seed.",
                    id=run.id,
                )
            if status.state not in RESUMABLE:
                raise RunError(
                    "Run {id} is {state}; only a {resumable} or {resumable2} one can be resumed.",
                    id=run.id,
                    state=status.state,
                    resumable=", ".join(RESUMABLE[:-1]),
                    resumable2=RESUMABLE[-1],
                )
            (run.path / "stop").unlink(missing_ok=True)
            done = {"message": "", "iteration": status.iteration, "result": None, "ended": None}
            state = {"state": "queued", "ticket": self.look().ticket + 1, "pool": launch.pool_of(run.config.recipe.device)}
            self.change(run, False, **done, **state)
        self.ensure_workers()

    def delete(self, id_or_name: str, timeout: float = 30.0) -> None:
        """Removes a run and its folder. One that is running is stopped first; the worker has ``timeout`` seconds for that.

        Nothing of it is read, so a damaged one can be deleted too. Where it is a link, the link goes, and not what it leads to.
        """
        path = self.folder(id_or_name)
        end = time.monotonic() + timeout
        while True:
            with self.locked():
                if not os.path.lexists(path):
                    return  # somebody else has deleted it
                if path.is_symlink():
                    path.unlink()
                    return
                if not files.is_held(path / "lock"):
                    hidden = self.home / f".deleted-{uuid.uuid4().hex}"
                    os.rename(path, hidden)
                    break
                hung.ask(path)
            if time.monotonic() >= end:
                raise RunError(
                    "Run {name} is being trained, and its worker has not stopped within {timeout:g} s (it does after the "
                    "iteration it is at). It has been asked to; delete the run when it is stopped.",
                    name=path.name,
                    timeout=timeout,
                )
            time.sleep(0.1)
            hung.end(path)
        for leftover in self.home.glob(".deleted-*"):  # of a process that was killed right here
            if leftover != hidden:
                shutil.rmtree(leftover, ignore_errors=True)
        # Whoever deletes another run at this moment tidies this one up too: what is gone already is no error.
        shutil.rmtree(hidden, ignore_errors=True)
        if hidden.exists():
            with files.explained(hidden):
                shutil.rmtree(hidden)

    def folder(self, id_or_name: str) -> Path:
        """The folder that is meant: by its name, also as it is shown, whatever is in it; else that of a run. Nothing is followed."""
        text = str(id_or_name)
        with files.explained(self.home):
            folders = run_folders(self.home)
        return next((path for path in folders if text in (path.name, files.shown(path.name))), None) or self.get(text).path

    def rename(self, id_or_name: str, name: str) -> None:
        """Gives a run another name for people, of 1 to 80 printable characters. Its id stays."""
        name = _valid_name(name)
        run = self.get(id_or_name)
        with self.locked():
            if not run.path.is_dir():
                raise RunError("Run {id} has just been deleted.", id=run.id)
            files.write_json(run.path / "meta.json", {"name": name})
            looking.mark(self.home)

    def ensure_workers(self) -> None:
        """Starts a worker for each device that has queued runs and a free slot. Does nothing where all is well; call it often."""
        found = self.look()
        for run, status in found.active:
            if status.state == "running":
                hung.end(run.path)
        if not any(status.state == "queued" for _, status in found.active):
            return
        with self.locked():
            waiting: dict[str, list[Run]] = {}
            for each in self.look().others:
                if each.brief.state == "queued":
                    waiting.setdefault(each.pool, []).append(each.known[0])
            for pool, runs in waiting.items():
                problem = launch.fill(self.home, pool, [run.config for run in runs])
                for run in runs if problem else []:
                    if read_state(run.path).get("message") != problem:
                        self.change(run, message=problem)

    # -- for the worker -----------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the home lock, under which every state changes. Not reentrant."""
        with files.locked(self.home), files.explained(self.home):
            yield

    def change(self, run: Run, in_place: bool = False, **changes: Any) -> None:
        """Replaces the given values in state.json. The caller holds the home lock. ``in_place``: see ``files.write_json``."""
        files.write_json(run.path / "state.json", {**read_state(run.path), **changes}, in_place)
        looking.mark(self.home)

    def next_queued(self, pool: str, only_light: bool = False) -> Run | None:
        """The first run in the queue of a pool, or the first light one. The caller holds the home lock."""
        return next((run for run in _in_turn(self.look(), pool) if is_light(run.config) or not only_light), None)

    def data_dir(self, run: Run) -> Path | None:
        """The data folder the run was submitted with; None (so that it is looked for anew) if that is gone."""
        return run.data_dir if run.data_dir and os.path.isdir(run.data_dir) else None


def _in_turn(found: Look, pool: str | None = None) -> list[Run]:
    """The queued runs in the order of their turns; of all pools where none is given."""
    waiting = [
        (each.brief.owner, each.brief.ticket, each.known[0])
        for each in found.others
        if each.brief.state == "queued" and pool in (None, each.pool)
    ]
    return in_turn(waiting, found.began) if len(waiting) > 1 else [run for *_, run in waiting]


def _listed(names: Sequence[str], most: int = 10) -> str:
    return ", ".join(names[:most]) + (tr(" and {showns} more", showns=len(names) - most) if len(names) > most else "")


def _valid_name(name: str) -> str:
    text = str(name).strip()
    if not text:
        raise RunError("A run's name must not be empty.")
    if len(text) > MAX_NAME:
        raise RunError("A run's name may have at most {max_name} characters; this one has {texts}.", max_name=MAX_NAME, texts=len(text))
    if not is_name(text):
        raise RunError("A run's name must not contain control characters or line breaks.")
    return text
