"""The lecture file: one HTML that needs no server and no network, with the curves, responses and gradients of trainings over their course.

For example::

    page = lecture(trainings(["plain-20", "plain-56"]))
    Path("file.html").write_text(page, encoding="utf-8")
"""

from resnet_core.lecture.page import lecture
from resnet_core.lecture.runs import trainings

__all__ = ["lecture", "trainings"]
