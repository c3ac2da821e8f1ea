"""What the things that a step shows must know of it."""

from __future__ import annotations

from dataclasses import dataclass

from resnet_core.questions import Answer, Question


@dataclass(frozen=True)
class Scene:
    """Attributes: ``key``, unique on the page; the question with the viewer's answer, if any; whether this is the presenter view."""

    key: str
    question: Question | None
    answer: Answer | None
    presented: bool

    #: Pixels, of the letters of a chart on a projector.
    font_size = 22
