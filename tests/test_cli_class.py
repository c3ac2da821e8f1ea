"""``class`` on the command line: what it tells, what it hands to the app, and what it deletes."""

from __future__ import annotations

import json
import os
import re
import socket

import pytest

from resnet_core import cli
from resnet_core.classroom import keys
from resnet_core.classroom.book import ClassBook
from resnet_core.questions import Question


@pytest.fixture
def started(monkeypatch, tmp_path):
    """Calls ``class``, which would become the app: what it would be, and with which environment."""
    begun: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.chdir(tmp_path)

    def execve(path, command, environment):
        begun.append((command, environment))
        raise SystemExit(0)  # nothing comes back from it

    monkeypatch.setattr(os, "execve", execve)

    def call(*options: str) -> tuple[list[str], dict[str, str]]:
        with pytest.raises(SystemExit):
            cli.main(["class", *options])
        return begun.pop()

    return call


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_two_links_and_the_key_in_none_of_what_others_can_see(started, capsys, root, tmp_path):
    port = free_port()
    command, environment = started("--port", str(port), "--host", "192.0.2.5")
    said = capsys.readouterr().out
    assert f"http://192.0.2.5:{port}/class\n" in said
    (key,) = re.findall(rf"http://192\.0\.2\.5:{port}/teacher\?key=(\S+)", said)
    assert environment[keys.KEY_DIGEST] == keys.digest(key) and environment[keys.LINK] == f"http://192.0.2.5:{port}/class"
    assert key not in " ".join(command) and key not in " ".join(environment.values())
    assert environment["RESNET_LAB_HOME"] == str(tmp_path / "runs") and os.getcwd() == str(root)
    assert "█" in said or "▀" in said
    started("--port", str(port), "--host", "192.0.2.5")
    assert key not in capsys.readouterr().out  # each start has another


def test_it_listens_to_all_and_answers_to_its_own_names(started, capsys):
    command, _ = started("--port", str(free_port()), "--json")
    assert "--server.address=0.0.0.0" in command and "--server.enableAgentApi=false" in command
    allowed = [command[place + 1] for place, part in enumerate(command) if part == "--server.allowedHosts"]
    assert {"localhost", "127.0.0.1"} < set(allowed) and "*" not in allowed
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert re.fullmatch(r"http://.+:\d+/class", told["viewers"]) and "/teacher?key=" in told["teacher"]


@pytest.mark.parametrize("port", ["0", "70000"])
def test_a_wrong_port(monkeypatch, capsys, port):
    monkeypatch.setattr(os, "execve", lambda *_: pytest.fail("it was started"))
    assert cli.main(["class", "--port", port]) == 2
    assert "from 1 to 65535" in capsys.readouterr().err


def test_a_port_that_is_taken(monkeypatch, capsys):
    monkeypatch.setattr(os, "execve", lambda *_: pytest.fail("it was started"))
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        assert cli.main(["class", "--port", str(taken.getsockname()[1])]) == 2
    assert "cannot be listened on" in capsys.readouterr().err


def test_deleting_the_class(capsys):
    book = ClassBook()
    book.open(Question("q", "Which?", "choice", ("a", "b")))
    assert cli.main(["class", "--delete"]) == 2 and book.path.exists()  # it asks, and this is no terminal
    assert "--yes" in capsys.readouterr().err
    assert cli.main(["class", "--delete", "--yes"]) == 0 and not book.path.exists()
    assert cli.main(["class", "--delete", "--yes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"deleted": False}


# -- the app for oneself ------------------------------------------------------------------------------------------------------


def app(started, monkeypatch, *options: str) -> tuple[list[str], dict[str, str]]:
    call = cli.main
    monkeypatch.setattr(cli, "main", lambda words: call(["app", *words[1:]]))
    return started(*options)


def test_the_app_listens_to_this_machine_and_keeps_the_runs_where_it_was_called(started, monkeypatch, root, tmp_path):
    port = str(free_port())
    command, environment = app(started, monkeypatch, "--port", port, "--no-browser")
    assert command[1:5] == ["-m", "streamlit", "run", "app.py"] and f"--server.port={port}" in command
    assert not any(part.startswith("--server.address") for part in command) and "--server.headless=true" in command
    assert environment["RESNET_LAB_HOME"] == str(tmp_path / "runs") and os.getcwd() == str(root)
    assert keys.KEY_DIGEST not in environment


def test_the_app_is_opened_by_a_name(started, monkeypatch):
    command, _ = app(started, monkeypatch, "--port", str(free_port()), "--host", "lab")
    assert "--server.address=0.0.0.0" in command and "--browser.serverAddress=lab" in command and "lab" in command


def test_without_streamlit_the_app_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert cli.main(["app"]) == 2
    assert "pip install 'resnet-lab[app]'" in capsys.readouterr().err
