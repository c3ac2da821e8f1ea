"""Paths that cannot be, and standard streams that take nothing: one line that says what is wrong, and never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pages.ui import guard
from resnet_core.cli import main
from resnet_core.config import DataConfig
from resnet_core.data import check
from resnet_core.errors import DataError, RunError
from resnet_core.runs import RunStore, files
from tests.runs_tools import config

LONG = "x" * 300


def told(capsys) -> str:
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("resnet-lab: error: ") and err.count("\n") == 1
    assert "not foreseen" not in err and "Traceback" not in err
    return err


HOMES = {f"/tmp/{LONG}": "File name too long", "/proc/x": "No such file", "/dev/null": "Not a directory", "loop": "symbolic links"}
FOLDERS = {LONG: "File name too long", "loop": "symbolic links", "a\0b": "no name", "file": "is a file", "no": "does not exist"}


@pytest.mark.parametrize(("home", "reason"), HOMES.items())
@pytest.mark.parametrize("command", ["runs", "delete nothing --yes", "train --depth 8 --iterations 1"])
def test_a_home_that_cannot_be(tmp_path, monkeypatch, capsys, home, reason, command):
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    status = main([*command.split(), "--home", home])
    if home == "/proc/x" and not command.startswith("train"):  # a home that is not there yet has no runs
        assert (status, "Traceback" in capsys.readouterr().err) == (0 if command == "runs" else 2, False)
        return
    assert status == 2
    assert (reason in (text := told(capsys)) or "File exists" in text) and "--home" in text


@pytest.mark.parametrize(
    ("folder", "reason", "how"),
    [(*each, how) for each in FOLDERS.items() for how in ("argument", "environment") if how == "argument" or "\0" not in each[0]],
)
def test_a_data_folder_that_cannot_be(tmp_path, monkeypatch, folder, reason, how):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "file").touch()
    if how == "environment":
        monkeypatch.setenv("RESNET_LAB_DATA", folder)
    with pytest.raises(DataError, match=reason) as caught:
        check(DataConfig("cifar10"), folder if how == "argument" else None)
    assert len(str(caught.value)) < 800


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look into every folder")
def test_a_data_folder_that_nobody_may_look_into(tmp_path):
    (tmp_path / "closed").mkdir(mode=0)
    with pytest.raises(DataError, match="Permission denied"):
        check(DataConfig("cifar10"), tmp_path / "closed")


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied", "/data/set"), OSError(36, "File name too long", b"/caf\xe9")])
def test_any_error_of_the_file_system_is_a_message(monkeypatch, capsys, error):
    """Also where nobody has thought of it."""

    def refuse(*_):
        raise error

    monkeypatch.setattr("resnet_core.cli.manage.RunStore", refuse)
    assert main(["runs"]) == 2
    text = told(capsys)
    assert files.shown(error.filename) in text and error.strerror in text
    said = []
    monkeypatch.setattr(guard.st, "error", lambda message, **_: said.append(message.replace("\\", "")))
    with guard.guarded("Train"):
        raise error
    assert error.strerror in said[0] and "no fault of yours" not in said[0]
    with guard.guarded("Train"):
        raise KeyError("x")
    assert "no fault of yours (KeyError)" in said[1]


def run(root, tmp_path, arguments: str, redirections: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    env = {**os.environ, "PYTHONPATH": str(root), "RESNET_LAB_HOME": str(tmp_path / "runs"), "RESNET_LAB_SLOTS": "0", **environment}
    line = f'exec "$0" -m resnet_core {arguments} {redirections}'
    return subprocess.run(["sh", "-c", line, sys.executable], env=env, capture_output=True, cwd=tmp_path, timeout=60)


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    ("arguments", "redirections", "status", "err"),
    [
        ("runs", ">&-", 0, b""),
        ("complexity --json", ">&-", 0, b""),
        ("runs", "<&- >&- 2>&-", 0, b""),
        ("runs", ">/dev/full", 1, b"could not be written to standard output: No space left on device"),
        ("complexity --json", ">/dev/full", 1, b"could not be written to standard output: No space left on device"),
        ("delete nothing --yes", "2>/dev/full", 2, b""),
        ("delete nothing --yes", "2>&-", 2, b""),
        ("delete nothing --yes", ">/dev/full 2>/dev/full", 2, b""),
    ],
)
def test_streams_that_take_nothing(root, tmp_path, arguments, redirections, status, err, unbuffered):
    ended = run(root, tmp_path, arguments, redirections, PYTHONUNBUFFERED=unbuffered)
    assert ended.returncode == status, ended.stderr
    assert err in ended.stderr and b"Traceback" not in ended.stderr and b"Exception ignored" not in ended.stderr
    assert (ended.stderr == b"") == (err == b"")


def test_a_terminal_that_knows_no_such_letters_has_them_spelled_out(root, tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    RunStore().submit(config(), name="Größe ⇒ 2")
    plain = {"PYTHONIOENCODING": "", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C", "LANG": "C"}
    listed = run(root, tmp_path, "runs", "", **plain)
    assert listed.returncode == 0 and b"Gr\\xf6\\xdfe \\u21d2 2" in listed.stdout
    unknown = run(root, tmp_path, "rename nothing 'ß'", "", **plain)
    assert unknown.returncode == 2 and b"Traceback" not in unknown.stderr


def test_a_home_that_cannot_be_explains_itself_to_the_app():
    with pytest.raises(RunError, match="File name too long"):
        RunStore(f"/tmp/{LONG}").look()
