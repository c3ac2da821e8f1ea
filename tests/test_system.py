"""Where the system lacks what the queue is built on, as Windows does, one line says so. Simulated: a module that cannot be imported."""

from __future__ import annotations

import subprocess
import sys

import pytest
from streamlit.testing.v1 import AppTest

from resnet_core import system

COMMAND = (
    "import runpy, sys; sys.modules[{!r}] = None; sys.argv = ['resnet_core', 'runs']; runpy.run_module('resnet_core', run_name='__main__')"
)


def test_there_is_no_problem_here():
    assert system.problem() == ""


@pytest.mark.parametrize("missing", ["fcntl", "resource"])
def test_the_command_line_says_so_in_one_line(root, missing):
    ended = subprocess.run([sys.executable, "-c", COMMAND.format(missing)], cwd=root, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert ended.stderr.startswith("resnet-lab: error: ResNet Lab runs on Linux and macOS") and f"Python's {missing} module" in ended.stderr


def test_the_app_says_so_and_nothing_else(root, monkeypatch):
    monkeypatch.setitem(sys.modules, "fcntl", None)
    app = AppTest.from_file(str(root / "pages" / "front.py")).run()
    assert not app.exception and len(app.error) == 1 and not app.title
    assert "install WSL 2" in app.error[0].value
