"""A class as it is held: started from the terminal, a teacher and two students in browsers of their own."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from playwright.sync_api import Browser, Page, expect

from resnet_core.classroom.book import ClassBook
from tests.browser.axe import violations, violations_in_both_themes
from tests.waiting import PATIENCE, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: A name that browsers know for this machine and the app takes for one from outside: whoever calls it so does not sit here.
HOST = "class.localhost"


@pytest.fixture
def lesson(root: Path, tmp_path: Path) -> Iterator[SimpleNamespace]:
    """``python -m resnet_core class``, and the links that it told."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "resnet_core", "class", "--port", str(port), "--host", HOST]
    log = tmp_path / "class.log"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "RESNET_LAB_SLOTS": "0"}
    with open(log, "wb") as output:
        process = subprocess.Popen(command, cwd=root, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5).status == 200
        return False

    try:
        wait_for(answers, f"the app to answer; its log is {log}")
        told = log.read_text()
        teacher, key = re.findall(r"(http://\S+/teacher\?key=(\S+))", told)[0]
        viewers = re.findall(r"http://\S+/class\b", told)[0]
        yield SimpleNamespace(teacher=teacher, viewers=viewers, key=key, log=log)
    finally:
        process.terminate()
        process.wait(60)


def test_a_teacher_and_two_students(lesson, browser: Browser):
    contexts = [browser.new_context(viewport={"width": 1280, "height": 800}) for _ in range(3)]

    def opened(place: int, link: str) -> Page:
        contexts[place].set_default_timeout(PATIENCE * 1000)
        page = contexts[place].new_page()
        page.goto(link)
        expect(page.get_by_role("heading", name="Class", exact=True)).to_be_visible(timeout=PATIENCE * 1000)
        return page

    def seen(page: Page, text: str) -> None:
        expect(page.get_by_text(text).first).to_be_visible(timeout=PATIENCE * 1000)

    try:
        teacher = opened(0, lesson.teacher)
        assert teacher.url == lesson.viewers  # the key is out of the address
        ann, ben = opened(1, lesson.viewers), opened(2, lesson.viewers)
        seen(ann, "There is no question yet.")
        seen(teacher, "2 viewers are here.")
        assert violations(teacher) == violations(ann) == []
        teacher.get_by_role("button", name="Ask the class").click()
        for page, option in ((ann, 0), (ben, 1)):  # the question comes to them by itself
            page.get_by_role("radiogroup").locator("label").nth(option).click()
            assert violations(page) == []
            page.get_by_role("button", name="Lock my answer").click()
            seen(page, "It has arrived")
        seen(teacher, "of 2 have answered")
        seen(teacher, "2 answers.")
        ann.reload()
        seen(ann, "It has arrived")  # as her cookie says
        teacher.reload()
        seen(teacher, "2 answers.")  # still the teacher
        teacher.get_by_role("button", name="Close").click()
        seen(ben, "The question is closed; 2 answers came in.")
        teacher.get_by_role("button", name="Show to all").click()
        seen(ben, "2 answers.")
        assert violations_in_both_themes(teacher) == violations_in_both_themes(ben) == []
        for tab, text in (("Trainings", "Nothing is being trained."), ("Answers and end", "Delete the class")):
            teacher.get_by_role("tab", name=tab).click()
            seen(teacher, text)
            assert violations_in_both_themes(teacher) == []
        (asked,) = ClassBook().asked()
        assert sorted(ClassBook().answers(asked).values()) == [0, 1]
        for page in (teacher, ann, ben):
            assert lesson.key not in page.content() and "resnet_lab" not in page.evaluate("document.cookie")
        assert lesson.log.read_text().count(lesson.key) == 1  # where it was told to whoever has started it
        with contextlib.closing(ben.context.new_page()) as page:
            page.goto(lesson.teacher[:-1])
            assert "not the teacher's key" in page.content()
    finally:
        for context in contexts:
            context.close()
