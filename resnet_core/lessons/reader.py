"""The lessons' files: Markdown with a header, and blocks between ``:::name`` and ``:::``.

For example::

    ---
    title: Deeper, and worse
    minutes: 15
    about: Is a deeper net a better one?
    ---

    ## Which of the two?

    Text of the step.

    :::question ends choice
    Which net ends lower?
    - plain-20
    - plain-56
    :::

    :::show curves set=demo nets=plain-20,plain-56
    What is written under it.
    :::

    :::look
    What to look at.
    :::

    :::reveal
    What is to be learned from it.
    :::

A question for a ``number`` has a line ``y: LOW HIGH LABEL`` and may have ``truth: TEXT``; one for a ``curve`` has lines ``x:`` and ``y:``.
What can be shown is in ``lesson.SHOWS``, places for numbers in ``facts``. A file's name begins with the lesson's number, and the rest of it
is the lesson's key.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from resnet_core.architectures import parse
from resnet_core.errors import DataError, UserError
from resnet_core.language import mark
from resnet_core.lessons import facts
from resnet_core.lessons.lesson import SHOWS, Lesson, Show, Step
from resnet_core.questions import Axis, Question

FOLDER = Path(__file__).parent
_HEADER = ("title", "minutes", "about")
_FENCE = ":::"
_BLOCKS = ("question", "show", "look", "reveal")
_NUMBER = r"-?\d+(?:\.\d+)?"


@functools.cache
def lessons(language: str) -> tuple[Lesson, ...]:
    """Read the lessons of a language, in their order.

    Raises:
        DataError: a file is not as it must be; names it and the line.
    """
    return tuple(read(path) for path in sorted((FOLDER / language).glob("*.md")))


def read(path: Path) -> Lesson:
    """Read one file.

    Raises:
        DataError: it is not as it must be; names the file and the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(mark("{path}: cannot be read as text ({reason})."), path=path, reason=error) from error
    return _Reader(path, lines).lesson()


@dataclass
class _Draft:
    """A step on its way, with the line that it began at."""

    title: str
    line: int
    text: list[str] = field(default_factory=list)
    parts: dict[str, Any] = field(default_factory=dict)
    shows: list[Show] = field(default_factory=list)


class _Reader:
    def __init__(self, path: Path, lines: Sequence[str]):
        self.path, self.lines = path, lines

    def fail(self, line: int, message: str, **values: Any) -> NoReturn:
        """Raise DataError for a line, counted from 0; ``message`` has been marked."""
        raise DataError(mark("{path}, line {line}: {what}"), path=self.path, line=line + 1, what=UserError(message, **values))

    def lesson(self) -> Lesson:
        name = re.fullmatch(r"(\d+)-([a-z0-9-]+)", self.path.stem)
        if name is None:
            raise DataError(mark("{path}: a lesson's file is named like 01-deeper-and-worse.md."), path=self.path)
        header, at = self.header()
        steps = [self.step(draft) for draft in self.drafts(at)]
        if not steps:
            self.fail(len(self.lines) - 1, mark("the lesson has no step, which begins with “## ” and its title."))
        keys = [step.question.key for step in steps if step.question]
        if len(set(keys)) < len(keys):
            self.fail(0, mark("two questions have the same key."))
        return Lesson(name[2], int(name[1]), header["title"], header["about"], int(header["minutes"]), tuple(steps))

    def header(self) -> tuple[dict[str, str], int]:
        """The fields of the header, and the line behind it."""
        if not self.lines or self.lines[0].strip() != "---":
            self.fail(0, mark("a lesson begins with a header between two lines of “---”."))
        found: dict[str, str] = {}
        for i, line in enumerate(self.lines[1:], 1):
            if line.strip() == "---":
                for name in _HEADER:
                    if not found.get(name):
                        self.fail(i, mark("the header has no “{name}”."), name=name)
                if not found["minutes"].isdecimal():
                    self.fail(i, mark("“minutes” is a whole number, not {text}."), text=repr(found["minutes"]))
                return found, i + 1
            name, colon, value = line.partition(":")
            if name.strip() not in _HEADER or not colon:
                self.fail(i, mark("the header has lines like “title: …” for {names}."), names=", ".join(_HEADER))
            found[name.strip()] = value.strip()
        self.fail(0, mark("the header is not closed by a line of “---”."))

    def drafts(self, at: int) -> list[_Draft]:
        found: list[_Draft] = []
        i = at
        while i < len(self.lines):
            line = self.lines[i]
            if line.startswith("## "):
                found.append(_Draft(line[3:].strip(), i))
            elif line.startswith(_FENCE):
                end = next((j for j in range(i + 1, len(self.lines)) if self.lines[j].startswith((_FENCE, "## "))), len(self.lines))
                if end == len(self.lines) or self.lines[end].strip() != _FENCE:
                    self.fail(i, mark("this block is not closed by a line of “:::”."))
                if not found:
                    self.fail(i, mark("this block stands before the first step."))
                self.block(found[-1], i, end)
                i = end
            elif found:
                found[-1].text.append(line)
            elif line.strip():
                self.fail(i, mark("this text stands before the first step, which begins with “## ” and its title."))
            i += 1
        return found

    def block(self, draft: _Draft, start: int, end: int) -> None:
        """What stands in the lines from ``start``, with the block's name, up to ``end``."""
        name, *arguments = self.lines[start][len(_FENCE) :].split() or [""]
        if name not in _BLOCKS:
            self.fail(start, mark("{name} is no block; they are {names}."), name=repr(name), names=", ".join(_BLOCKS))
        if name in draft.parts:
            self.fail(start, mark("this step has a block “{name}” already."), name=name)
        body = self.lines[start + 1 : end]
        if name == "show":
            draft.shows.append(self.show(start, arguments, "\n".join(body).strip()))
        elif name == "question":
            draft.parts[name], draft.parts["truth"] = self.question(start, arguments, body)
        elif arguments:
            self.fail(start, mark("the block “{name}” has no arguments."), name=name)
        else:
            draft.parts[name] = "\n".join(body).strip()

    def show(self, line: int, arguments: Sequence[str], caption: str) -> Show:
        kind, *pairs = arguments or [""]
        if kind not in SHOWS:
            self.fail(line, mark("{name} cannot be shown; what can is {names}."), name=repr(kind), names=", ".join(SHOWS))
        given = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        needed, possible = SHOWS[kind]
        if len(given) < len(pairs) or not needed <= set(given) <= needed | possible:
            names = ", ".join(sorted(needed | possible)) or "–"
            self.fail(line, mark("“{kind}” has arguments like name=value: {names}."), kind=kind, names=names)
        shown = Show(kind, given, caption)
        if not shown.of_checkpoints:
            for net in shown.nets:
                try:
                    parse(net)
                except UserError as error:
                    self.fail(line, str(error))
        return shown

    def question(self, line: int, arguments: Sequence[str], body: Sequence[str]) -> tuple[Question, str]:
        if len(arguments) != 2:
            self.fail(line, mark("a question is declared as “:::question KEY KIND”."))
        if not re.fullmatch("[a-z0-9-]+", arguments[0]):
            self.fail(line, mark("a question's key has small letters, digits and hyphens."))
        text, options, truth = [], [], ""
        fields: dict[str, Axis] = {}
        for i, each in enumerate(body, line + 1):
            name, colon, value = each.partition(":")
            if each.startswith("- "):
                options.append(each[2:].strip())
            elif colon and name in ("x", "y"):
                axis = re.fullmatch(rf"\s*({_NUMBER})\s+({_NUMBER})\s+(\S.*)", value)
                if axis is None:
                    self.fail(i, mark("an axis is declared as “{name}: LOW HIGH LABEL”."), name=name)
                fields[name] = Axis(axis[3].strip(), float(axis[1]), float(axis[2]))
            elif colon and name == "truth":
                truth = value.strip()
            elif each.strip():
                text.append(each.strip())
        if not text:
            self.fail(line, mark("the question has no text."))
        if bool(options) != (arguments[1] == "choice") or (truth and arguments[1] != "number"):
            self.fail(line, mark("lines of “- ” are for a choice, and “truth:” is for a number."))
        if facts.places(" ".join([*text, *options])):
            self.fail(line, mark("a question and its options have no places for numbers."))
        try:
            return Question(arguments[0], " ".join(text), arguments[1], tuple(options), **fields), truth
        except UserError as error:
            self.fail(line, str(error))

    def step(self, draft: _Draft) -> Step:
        parts = {name: draft.parts.get(name, "") for name in ("truth", "look", "reveal")}
        asked: Question | None = draft.parts.get("question")
        step = Step(draft.title, "\n".join(draft.text).strip(), asked, shows=tuple(draft.shows), **parts)
        if not step.text:
            self.fail(draft.line, mark("this step has no text."))
        if asked is not None and not (step.shows or step.reveal):
            self.fail(draft.line, mark("this step asks, and shows nothing afterwards."))
        if any(show.kind == "truth" for show in step.shows) and (asked is None or asked.kind != "curve"):
            self.fail(draft.line, mark("“truth” is shown over a drawn curve, and this step asks for none."))
        for text in step.texts:
            for place in facts.places(text):
                if place.partition(" ")[0] not in facts.FACTS:
                    self.fail(draft.line, mark("{place} is no fact; they are {names}."), place=repr(place), names=", ".join(facts.FACTS))
        return step
