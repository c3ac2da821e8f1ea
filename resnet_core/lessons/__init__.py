"""Lessons for a class: prediction, experiment, reveal. Files in Markdown, one folder a language (``reader`` has the format). No torch.

For example::

    for lesson in lessons("en"):
        for step in lesson.steps: ...
"""

from resnet_core.lessons.facts import fill
from resnet_core.lessons.lesson import SHOWS, Lesson, Show, Step
from resnet_core.lessons.reader import lessons, read

__all__ = ["SHOWS", "Lesson", "Show", "Step", "fill", "lessons", "read"]
