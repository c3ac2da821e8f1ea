"""Whatever the app changes is done through here, by whoever may: each asks ``resnet_core.classroom.policy`` at the moment it is done.

A page may also ask before it draws a button (``may``), so that nobody is shown what they may not use; it is the asking here that counts.
"""

from __future__ import annotations

import dataclasses
import secrets
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.ui import door, estimate
from pages.ui.runs_view import all_seen
from resnet_core import data, imports
from resnet_core.classroom import keys, policy
from resnet_core.classroom.book import REVEALED, Asked, ClassBook
from resnet_core.classroom.policy import GUEST, OWNER, VIEWER, Person, Rules
from resnet_core.config import RunConfig
from resnet_core.errors import RunError
from resnet_core.imports import hub, offered
from resnet_core.nets import Net
from resnet_core.questions import Answer, Question
from resnet_core.runs import Run, RunStore
from resnet_core.runs.run import RESUMABLE

#: In the session: what a viewer is known by whose browser keeps no cookies.
_SPARE = "permitted.spare"
#: Between the look at somebody's quota and the training that it lets through, nobody else comes.
_QUOTA = threading.Lock()
#: A training's id -> the press of a lesson's button that began it. Not kept: after a restart of the app each counts for itself.
_PRESSES: dict[str, str] = {}


def person() -> Person:
    """Tell who looks at the page that is drawn, or has clicked in it.

    A thread of the server that draws for nobody (a job, a file that is made when it is fetched) may no more than a stranger.
    """
    if runtime.exists() and get_script_run_ctx(suppress_warning=True) is None:
        return Person(VIEWER if keys.is_class() else GUEST)
    here = door.is_here(st.context.ip_address, st.context.headers.get("Host"))
    if not keys.is_class():
        return Person(OWNER if here else GUEST)
    spare = st.session_state.setdefault(_SPARE, secrets.token_urlsafe(24))
    return door.person(st.context.cookies.to_dict(), here, spare)


def may(action: str, own: bool = False) -> bool:
    """Tell whether whoever looks may do something; see ``policy.permits``."""
    return policy.permits(person(), action, own)


def ask(action: str, own: bool = False) -> None:
    """Raise Refused where whoever looks may not do something."""
    policy.check(person(), action, own)


def is_mine(run: Run) -> bool:
    """Tell whether a training is that of the viewer who looks."""
    who = person()
    return bool(who.id) and run.owner == who.id


def may_change(run: Run, action: str = "delete") -> bool:
    """Tell whether whoever looks may stop, resume, rename or delete a training."""
    return may(action, is_mine(run))


def admit(configs: Sequence[RunConfig]) -> None:
    """Hold what one click is about to train against the quota as a whole, so that half of it is never begun.

    Raises:
        Refused: by ``policy.check_training``.
    """
    _admit([config for config in configs if RunStore().find(config) is None])


def _admit(configs: Sequence[RunConfig], together: bool = False) -> None:
    who = person()
    if who.role != VIEWER:
        policy.check(who, "train")
        return
    seen = all_seen(RunStore().look())
    paces = estimate.measured(seen)
    active = {_PRESSES.get(s.run.id, s.run.id) for s in seen.active if s.run.owner == who.id}
    policy.check_training(who, ClassBook().rules(), len(active), [estimate.seconds(config, paces) for config in configs], together)


class PermittedStore(RunStore):
    """The run store as the pages have it. Every change raises Refused where whoever asks for it may not."""

    def submit(
        self,
        config: RunConfig,
        name: str | None = None,
        data_dir: Path | str | None = None,
        again: bool = False,
        start: Path | None = None,
        owner: str = "",
    ) -> tuple[Run, bool]:
        """As ``RunStore.submit``; the run belongs to whoever looks. What is there already is only looked at, and takes no leave."""
        if data_dir is not None:
            ask("bring pictures" if Path(data_dir).resolve().is_relative_to(uploads_folder().resolve()) else "name folders")
        if again:
            ask("train again")
        elif (found := self.find(config)) is not None:
            return found, False
        with _QUOTA:
            _admit([config])
            return super().submit(config, name, data_dir, again, start, person().id)

    def begin_together(self, configs: Sequence[RunConfig]) -> None:
        """Submit or resume what one press of a lesson's button trains: all of it or nothing, and it counts as one training.

        What is there already and is somebody's is only looked at.

        Raises:
            Refused: by ``policy.check_training``.
        """
        with _QUOTA:
            there = [(config, self.find(config)) for config in configs]
            ended = [run for _, run in there if run is not None and run.state().state in RESUMABLE and may_change(run, "resume")]
            _admit([config for config, run in there if run is None or run in ended], together=True)
            press = secrets.token_hex(8)
            for config, run in there:
                if run is None:
                    run = super().submit(config, owner=person().id)[0]
                elif run in ended:
                    super().resume(run.id)
                else:
                    continue
                _PRESSES[run.id] = press

    def stop(self, id_or_name: str) -> None:
        """As ``RunStore.stop``."""
        ask("stop", is_mine(self.get(id_or_name)))
        super().stop(id_or_name)

    def resume(self, id_or_name: str) -> None:
        """As ``RunStore.resume``; what goes on counts like what begins."""
        run = self.get(id_or_name)
        ask("resume", is_mine(run))
        with _QUOTA:
            _admit([run.config])
            super().resume(id_or_name)

    def delete(self, id_or_name: str, timeout: float = 30.0) -> None:
        """As ``RunStore.delete``; a damaged run is nobody's."""
        try:
            own = is_mine(self.get(id_or_name))
        except RunError:
            own = False
        ask("delete", own)
        super().delete(id_or_name, timeout)

    def rename(self, id_or_name: str, name: str) -> None:
        """As ``RunStore.rename``."""
        ask("rename", is_mine(self.get(id_or_name)))
        super().rename(id_or_name, name)


def uploads_folder() -> Path:
    """Where the pictures lie that viewers have brought, in the home of the runs."""
    return RunStore().home / ".uploads"


def accept(*args: Any, **options: Any) -> Net:
    """Keep an imported checkpoint: ``imports.accept``."""
    ask("import")
    return imports.accept(*args, **options)


def delete_checkpoint(name: str) -> None:
    """Delete an imported checkpoint: ``imports.delete``."""
    ask("delete checkpoint")
    imports.delete(name)


def downloading() -> Callable[..., Path]:
    """Give what downloads a data set, ``data.download``, for a thread that serves nobody."""
    ask("download")
    return data.download


def downloading_weights() -> Callable[..., Path]:
    """Give what downloads torchvision's weights, ``imports.offered.download``, for a thread that serves nobody."""
    ask("download")
    return offered.download


def fetching_from_hub() -> Callable[[str], hub.Fetched]:
    """Give what downloads weights from the Hub, ``imports.hub.fetch``, for a thread that serves nobody."""
    ask("download")
    return hub.fetch


class PermittedBook(ClassBook):
    """The class file as the pages have it. What is the teacher's, and other people's, is refused to whoever else asks."""

    def set_rules(self, rules: Rules) -> None:
        """As ``ClassBook.set_rules``."""
        ask("lead the class")
        super().set_rules(rules)

    def set_name(self, viewer: str, name: str) -> None:
        """As ``ClassBook.set_name``: one's own."""
        if viewer != person().id:
            ask("lead the class")
        super().set_name(viewer, name)

    def names(self) -> dict[str, str]:
        """As ``ClassBook.names``; of others than the teacher, their own name alone."""
        who = person()
        return {viewer: name for viewer, name in super().names().items() if may("lead the class") or viewer == who.id}

    def asked(self) -> list[Asked]:
        """As ``ClassBook.asked``: with the right answers."""
        ask("lead the class")
        return super().asked()

    def latest(self) -> Asked | None:
        """As ``ClassBook.latest``; without the right answer where it is not revealed and whoever asks does not lead."""
        found = super().latest()
        hidden = found is not None and found.state != REVEALED and not may("lead the class")
        return dataclasses.replace(found, answer=None) if found is not None and hidden else found

    def open(self, question: Question, answer: Answer | None = None) -> Asked:
        """As ``ClassBook.open``."""
        ask("lead the class")
        return super().open(question, answer)

    def close(self, number: int) -> None:
        """As ``ClassBook.close``."""
        ask("lead the class")
        super().close(number)

    def reveal(self, number: int, answer: Answer | None = None) -> None:
        """As ``ClassBook.reveal``."""
        ask("lead the class")
        super().reveal(number, answer)

    def answer(self, number: int, viewer: str, answer: Any) -> None:
        """As ``ClassBook.answer``: one's own."""
        ask("answer")
        if viewer != person().id:
            ask("lead the class")
        super().answer(number, viewer, answer)

    def answers(self, asked: Asked) -> dict[str, Answer]:
        """As ``ClassBook.answers``; who does not lead sees them when they are revealed."""
        latest = super().latest()
        if latest is None or latest.number != asked.number or latest.state != REVEALED:
            ask("lead the class")
        return super().answers(asked)

    def answer_of(self, asked: Asked, viewer: str) -> Answer | None:
        """As ``ClassBook.answer_of``: one's own."""
        if viewer != person().id:
            ask("lead the class")
        return super().answer_of(asked, viewer)

    def delete(self) -> bool:
        """As ``ClassBook.delete``."""
        ask("lead the class")
        return super().delete()
