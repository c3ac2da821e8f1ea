"""The class file: questions, answers, nicknames and rules of one class, in SQLite, for any number of threads and processes at once.

``<home>/.class/class.sqlite`` is all that is kept of a class. An answer that ``answer`` has returned from is on the disk; whoever reads
waits for nobody (write-ahead log). ``delete`` leaves nothing of it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from resnet_core.classroom.policy import Rules
from resnet_core.classroom.refusal import ClassError
from resnet_core.language import mark
from resnet_core.questions import Answer, Axis, Question
from resnet_core.runs import files

#: Characters of a nickname.
MAX_NAME = 24
OPEN, CLOSED, REVEALED = "open", "closed", "revealed"
#: Seconds that somebody who writes waits for the others who do.
_PATIENCE = 30.0
_TABLES = """
CREATE TABLE rules (only INTEGER PRIMARY KEY CHECK (only = 1), text TEXT NOT NULL);
CREATE TABLE questions (number INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL, state TEXT NOT NULL, answer TEXT);
CREATE TABLE answers (question INTEGER NOT NULL, viewer TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (question, viewer)) WITHOUT ROWID;
CREATE TABLE viewers (id TEXT PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID;
PRAGMA user_version = 1;
"""


@dataclass(frozen=True)
class Asked:
    """A question of the class.

    Attributes:
        number: 1 for the first of the class.
        state: ``open``, ``closed`` or ``revealed``.
        answer: the right one; None where there is none, or none was given.
    """

    number: int
    question: Question
    state: str
    answer: Answer | None = None


class ClassBook:
    """The class file of a home. Cheap to make; every method opens and closes the file.

    Raises:
        ClassError: by every method, where the file cannot be read or written.
    """

    def __init__(self, home: Path | str | None = None):
        self.home = files.home(home)
        self.path = self.home / ".class" / "class.sqlite"

    # -- rules and names ------------------------------------------------------------------------------------------------------

    def rules(self) -> Rules:
        """The rules as the teacher has set them, else the usual ones."""
        with self._open() as file:
            row = file and file.execute("SELECT text FROM rules").fetchone()
        return Rules(**json.loads(row[0])) if row else Rules()

    def set_rules(self, rules: Rules) -> None:
        with self._open(writing=True) as file:
            file.execute("INSERT OR REPLACE INTO rules VALUES (1, ?)", (json.dumps(asdict(rules)),))

    def set_name(self, viewer: str, name: str) -> None:
        """Give a viewer a nickname, or take it away where it is empty. Raises ClassError where it cannot be shown."""
        text = " ".join(str(name).split())
        if len(text) > MAX_NAME or (text and not files.is_printable(text)):
            raise ClassError(mark("A nickname has at most {most} characters, all of them visible."), most=MAX_NAME)
        with self._open(writing=True) as file:
            if text:
                file.execute("INSERT OR REPLACE INTO viewers VALUES (?, ?)", (viewer, text))
            else:
                file.execute("DELETE FROM viewers WHERE id = ?", (viewer,))

    def names(self) -> dict[str, str]:
        """The nicknames, by the viewers' ids."""
        with self._open() as file:
            return dict(file.execute("SELECT id, name FROM viewers")) if file else {}

    # -- questions ------------------------------------------------------------------------------------------------------------

    def asked(self) -> list[Asked]:
        """All questions, in the order in which they were opened."""
        with self._open() as file:
            rows = file.execute("SELECT number, text, state, answer FROM questions ORDER BY number").fetchall() if file else []
        return [_asked(*row) for row in rows]

    def latest(self) -> Asked | None:
        """The question that was opened last."""
        with self._open() as file:
            row = file and file.execute("SELECT number, text, state, answer FROM questions ORDER BY number DESC LIMIT 1").fetchone()
        return _asked(*row) if row else None

    def open(self, question: Question, answer: Answer | None = None) -> Asked:
        """Ask something; what is open until then is closed. ``answer``: the right one, shown when it is revealed.

        Raises:
            ConfigError: ``answer`` is none to this question.
        """
        right = None if answer is None else json.dumps(question.check(answer))
        with self._open(writing=True) as file:
            file.execute("UPDATE questions SET state = ? WHERE state = ?", (CLOSED, OPEN))
            text = json.dumps(asdict(question))
            number = file.execute("INSERT INTO questions (text, state, answer) VALUES (?, ?, ?)", (text, OPEN, right)).lastrowid
        assert number is not None
        return Asked(number, question, OPEN, answer)

    def close(self, number: int) -> None:
        """Take no more answers to an open question; one that is closed or revealed stays so."""
        with self._open(writing=True) as file:
            file.execute("UPDATE questions SET state = ? WHERE number = ? AND state = ?", (CLOSED, number, OPEN))

    def reveal(self, number: int, answer: Answer | None = None) -> None:
        """Close a question, and show everybody all answers and the right one: ``answer``, else the one that was given before.

        Raises:
            ConfigError: ``answer`` is none to this question.
        """
        with self._open(writing=True) as file:
            row = file.execute("SELECT number, text, state, answer FROM questions WHERE number = ?", (number,)).fetchone()
            if row is not None:
                right = row[3] if answer is None else json.dumps(_asked(*row).question.check(answer))
                file.execute("UPDATE questions SET state = ?, answer = ? WHERE number = ?", (REVEALED, right, number))

    # -- answers --------------------------------------------------------------------------------------------------------------

    def answer(self, number: int, viewer: str, answer: Any) -> None:
        """Keep a viewer's answer in place of the one before.

        Raises:
            ConfigError: it is none to this question.
            ClassError: there is no such question, or it is closed.
        """
        with self._open(writing=True) as file:
            row = file.execute("SELECT number, text, state, answer FROM questions WHERE number = ?", (number,)).fetchone()
            if row is None:
                raise ClassError(mark("This question is not there any more. Reload the page."))
            asked = _asked(*row)
            if asked.state != OPEN:
                raise ClassError(mark("This question is closed: it takes no more answers."))
            file.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", (number, viewer, json.dumps(asked.question.check(answer))))

    def answers(self, asked: Asked) -> dict[str, Answer]:
        """All answers to a question, by the viewers' ids."""
        with self._open() as file:
            rows = file.execute("SELECT viewer, text FROM answers WHERE question = ?", (asked.number,)).fetchall() if file else []
        return {viewer: asked.question.check(json.loads(text)) for viewer, text in rows}

    def answer_of(self, asked: Asked, viewer: str) -> Answer | None:
        """What a viewer has answered, or None."""
        with self._open() as file:
            row = file and file.execute("SELECT text FROM answers WHERE question = ? AND viewer = ?", (asked.number, viewer)).fetchone()
        return asked.question.check(json.loads(row[0])) if row else None

    def count(self, number: int) -> int:
        """How many have answered a question."""
        with self._open() as file:
            return file.execute("SELECT COUNT(*) FROM answers WHERE question = ?", (number,)).fetchone()[0] if file else 0

    # -- the file -------------------------------------------------------------------------------------------------------------

    def delete(self) -> bool:
        """Delete all that is kept of the class, for good. Returns whether there was anything."""
        if not self.path.parent.exists():
            return False
        with self._held(fcntl.LOCK_EX):
            shutil.rmtree(self.path.parent)
        return True

    @contextlib.contextmanager
    def _open(self, writing: bool = False) -> Iterator[Any]:
        """The file for one look (None where there is no class yet) or, ``writing``, for one change, whole or not at all."""
        try:
            with contextlib.ExitStack() as held:
                while True:  # until it is there, and cannot be deleted while it is used
                    if not self.path.exists():
                        if not writing:
                            yield None
                            return
                        self._make()
                    held.enter_context(self._held(fcntl.LOCK_SH))
                    if self.path.exists():
                        break
                    held.close()
                file = held.enter_context(contextlib.closing(self._connect()))
                file.execute("BEGIN IMMEDIATE" if writing else "BEGIN")
                yield file
                file.execute("COMMIT")
        except (sqlite3.Error, OSError, ValueError, TypeError, KeyError) as error:
            raise ClassError(
                mark("{path} cannot be used: {reason}. Free some space or make it writable; where it is damaged, delete the class."),
                path=files.shown(self.path),
                reason=getattr(error, "strerror", None) or str(error),
            ) from error

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(f"{self.path.as_uri()}?mode=rw", uri=True, timeout=_PATIENCE, isolation_level=None)

    def _make(self) -> None:
        """Makes the file where nobody else has by now: for nobody's eyes but its owner's, and whole."""
        with self._held(fcntl.LOCK_EX):
            if self.path.exists():
                return
            self.path.parent.mkdir(mode=0o700, exist_ok=True)
            new = self.path.with_name("new.sqlite")
            new.unlink(missing_ok=True)
            os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            with contextlib.closing(sqlite3.connect(new, isolation_level=None)) as file:
                file.executescript(_TABLES)
                file.execute("PRAGMA journal_mode = WAL")
            os.rename(new, self.path)

    @contextlib.contextmanager
    def _held(self, how: int) -> Iterator[None]:
        """Holds the lock that keeps whoever deletes the file from whoever uses it.

        Both come through a gate first, so that who deletes is not kept waiting for as long as there is always somebody who uses it.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as opened:
            gate, lock = (opened.enter_context(_opened(self.home / name)) for name in (".class.gate", ".class.lock"))
            fcntl.flock(gate, fcntl.LOCK_EX)
            fcntl.flock(lock, how)
            fcntl.flock(gate, fcntl.LOCK_UN)
            yield


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    """A file to lock; its locks end with it."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield lock
    finally:
        os.close(lock)


def _asked(number: int, text: str, state: str, answer: str | None) -> Asked:
    values = json.loads(text)
    for axis in ("x", "y"):
        values[axis] = values[axis] and Axis(**values[axis])
    question = Question(**values | {"options": tuple(values["options"])})
    return Asked(number, question, state, None if answer is None else question.check(json.loads(answer)))
