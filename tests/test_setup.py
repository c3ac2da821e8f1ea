"""Setup: what is pinned, what make does and how often, what CI runs, and that the README's commands exist."""

from __future__ import annotations

import ast
import importlib
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from resnet_core.cli import parser

ROOT = Path(__file__).resolve().parent.parent
#: Imported names that are not called as their distribution is.
DISTRIBUTIONS = {"PIL": "pillow", "axe_playwright_python": "axe-playwright-python", "yaml": "PyYAML"}


def requirements(name: str) -> list[str]:
    lines = (ROOT / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def imported(*folders: str) -> set[str]:
    """Distributions that the Python files in these folders (or these files) import, the standard library and ourselves left out."""
    files = [file for name in folders for file in ([ROOT / name] if name.endswith(".py") else sorted((ROOT / name).rglob("*.py")))]
    names: set[str] = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(node.module.split(".")[0])
    return {DISTRIBUTIONS.get(name, name) for name in names - set(sys.stdlib_module_names) - {"resnet_core", "pages", "tests"}}


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_everything_is_pinned_and_nothing_says_from_where(name):
    lines = [line for line in requirements(name) if line != "-r requirements.txt"]
    assert len(lines) > 3
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9_-]+==[0-9][0-9a-z.]*", line)] == []


def extras() -> dict[str, SpecifierSet]:
    """What a user may install beside the app: each is imported only where it is asked for."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    return {one.name: one.specifier for group, lines in groups.items() if group != "app" for one in map(Requirement, lines)}


def test_what_is_imported_is_required():
    app = {line.split("==")[0] for line in requirements("requirements.txt")}
    dev = {line.split("==")[0] for line in requirements("requirements-dev.txt")}
    used = imported("resnet_core", "pages", "app.py")
    assert {"torch", "streamlit", "plotly"} <= used
    assert used - app == set(extras())
    assert imported("tests") - app - dev == set()


def test_every_pinned_version_lies_within_the_range_of_a_librarys_user():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    library = {one.name: one.specifier for one in map(Requirement, project["dependencies"])}
    ranges = library | {one.name: one.specifier for one in map(Requirement, project["optional-dependencies"]["app"])}
    pinned = dict(line.split("==") for line in requirements("requirements.txt"))
    assert set(ranges) == set(pinned)
    ranges |= extras()
    pinned |= {name: version for name, version in map(_pin, requirements("requirements-dev.txt")) if name in extras()}
    assert set(ranges) == set(pinned)
    assert {name: version for name, version in pinned.items() if not ranges[name].contains(version)} == {}
    # A range has two ends.
    assert {name for name, ends in ranges.items() if {end.operator for end in ends} != {">=", "<"}} == set()
    assert imported("resnet_core") <= set(library | extras())


def _pin(line: str) -> tuple[str, str]:
    name, _, version = line.partition("==")
    return name, version


def test_the_hooks_before_a_commit_download_nothing():
    """They are those of `make lint`, from .venv."""
    text = (ROOT / ".pre-commit-config.yaml").read_text()
    assert re.findall(r"- repo: (.*)", text) == ["local"] and set(re.findall(r"language: (.*)", text)) == {"system"}
    lint = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    checks = re.findall(r"\$\(BIN\)/([a-z]+(?: check| format)?)", lint)
    assert re.findall(r"entry: \.venv/bin/([a-z]+(?: check| format)?)", text) == checks == ["ruff check", "ruff format", "mypy"]


def test_the_licence_is_mit():
    text = (ROOT / "LICENSE").read_text()
    assert text.startswith("MIT License\n")
    assert "ResNet Lab contributors" in text
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license"] == "MIT"


def test_ci_runs_from_anywhere_and_calls_make_test():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & stat.S_IXUSR
    lines = script.read_text().splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    assert "set -euo pipefail" in lines
    assert lines[-1].startswith("make test")
    subprocess.run(["bash", "-n", script], check=True)


def programs(folder: Path, **scripts: str) -> None:
    """Shell scripts in ``folder``, under their names with - for _."""
    folder.mkdir(exist_ok=True)
    for name, script in scripts.items():
        path = folder / name.replace("_", "-")
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)


@pytest.mark.parametrize("bare", [True, False])
def test_ci_installs_what_is_missing_and_no_more(bare, tmp_path):
    log, found = tmp_path / "log", tmp_path / "bin"
    note = f'echo "$(basename "$0") $*" >> {log}'
    # What an installation brings: from then on python3 can make virtual environments, and make is there.
    programs(tmp_path / "to install", make=note, python3="exit 0", chromium=note, git=note, **{"g++": note})
    programs(found, id="echo 0", apt_get=f'{note}\ncase "$1" in install) cp "{tmp_path}/to install/"* "{found}";; esac', python3="exit 1")
    for name in ("bash", "sh", "dirname", "basename", "cp", "cat", "env"):
        (found / name).symlink_to(shutil.which(name))
    if not bare:
        shutil.copytree(tmp_path / "to install", found, dirs_exist_ok=True)
    command, bare_environment = [ROOT / ".ci" / "run"], {"PATH": str(found)}
    ended = subprocess.run(command, env=bare_environment, cwd="/", capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert ended.returncode == 0, ended.stderr
    packages = "make chromium git g++ python3 python3-venv"
    fetched = ["apt-get update -q", f"apt-get install -y -q --no-install-recommends {packages}"] if bare else []
    assert log.read_text().splitlines() == [*fetched, "make test"]


FAKE_PYTHON = """#!/bin/sh
# Stands for python3: notes what it was asked, and "makes" a virtual environment of itself.
echo "$*" >> "{log}"
if [ "$1 $2" = "-m venv" ]; then
  mkdir -p "$3/bin"
  cp "$0" "$3/bin/python"; cp "$0" "$3/bin/pip"; cp "$0" "$3/bin/streamlit"; cp "$0" "$3/bin/ruff"; cp "$0" "$3/bin/mypy"
fi
case "$*" in *"{fails_on}"*) exit 1;; esac
"""


class Make:
    """The project's Makefile in a folder of its own, with a Python that only takes notes."""

    def __init__(self, folder: Path):
        self.folder, self.log = folder, folder / "log"
        for name in ("Makefile", "requirements.txt", "requirements-dev.txt"):
            shutil.copy(ROOT / name, folder / name)
        self.fake("nothing at all")

    def fake(self, fails_on: str) -> None:
        for path in (self.folder / "python", self.folder / ".venv" / "bin" / "python"):
            if path.parent.exists():
                path.write_text(FAKE_PYTHON.format(log=self.log, fails_on=fails_on))
                path.chmod(0o755)

    def __call__(self, *arguments: str) -> tuple[list[str], subprocess.CompletedProcess[str]]:
        """What Python was asked, and how make ended."""
        self.log.write_text("")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "PORT", "ARGS"))}
        command = ["make", "PYTHON=" + str(self.folder / "python"), *arguments]
        ended = subprocess.run(command, cwd=self.folder, env=clean, capture_output=True, text=True)
        return self.log.read_text().splitlines(), ended


@pytest.fixture
def make(tmp_path):
    return Make(tmp_path)


def installs(asked: list[str]) -> list[str]:
    return [line.rsplit(" ", 1)[-1] for line in asked if " install " in line]


def test_make_app_installs_once_for_each_content_of_the_requirements(make):
    asked, ended = make("app", "PORT=8765", "ARGS=--server.headless true")
    assert ended.returncode == 0, ended.stderr
    assert installs(asked) == ["requirements.txt"]
    assert asked[-1] == "run app.py --server.port 8765 --server.headless true"

    os.utime(make.folder / "requirements.txt")  # a new time, as after a checkout, is not a new content
    asked, _ = make("app")
    assert asked == ["run app.py --server.port 8501"]

    with open(make.folder / "requirements.txt", "a") as file:
        file.write("more==1.0\n")
    assert installs(make("app")[0]) == ["requirements.txt"]
    assert installs(make("app")[0]) == []


def test_an_installation_that_broke_off_is_done_again(make):
    make.fake("install")
    asked, ended = make("setup")
    assert installs(asked) == ["requirements.txt"]
    assert ended.returncode != 0
    make.fake("nothing at all")
    assert installs(make("setup")[0]) == ["requirements.txt"]
    assert make("setup")[0] == []


def test_make_test_checks_style_and_types_and_runs_pytest(make):
    asked, ended = make("test", "ARGS=-k data")
    assert ended.returncode == 0, ended.stderr
    assert installs(asked) == ["requirements.txt", "requirements-dev.txt"]
    side_by_side = "-n logical --maxprocesses 4 --dist loadfile"
    checks = ["check .", "--config-file pyproject.toml"]  # of ruff, of mypy
    assert [line for line in asked if line.startswith(("check", "--config", "-m pytest"))] == [*checks, f"-m pytest {side_by_side} -k data"]
    make.fake("-m tests.chromium")
    if os.geteuid() != 0:  # root on Debian would have it installed
        asked, ended = make("test")
        assert ended.returncode != 0
        assert "-m pytest" not in asked


def test_what_trains_nets_and_keeps_them_is_checked_strictly():
    """An exception from the type checker is for one line, and names what is let through."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]
    assert settings["files"] == ["app.py", "pages", "resnet_core"] and settings["check_untyped_defs"]
    strict = next(one for one in settings["overrides"] if one.get("disallow_untyped_defs"))
    assert set(strict["module"]) == {f"resnet_core.{part}.*" for part in ("architectures", "training", "runs")}
    assert not any(one.get("ignore_errors") or "exclude" in one for one in [settings, *settings["overrides"]])
    checked = [ROOT / "app.py", *(ROOT / "pages").rglob("*.py"), *(ROOT / "resnet_core").rglob("*.py")]
    ignores = [line for path in checked for line in path.read_text(encoding="utf-8").splitlines() if "type: ignore" in line]
    assert [line for line in ignores if not re.search(r"# type: ignore\[[a-z-]+\]  # \w", line)] == []


def test_an_old_python_is_refused_with_what_to_do(make):
    make.fake("sys.version_info")
    asked, ended = make("app")
    assert ended.returncode != 0
    assert "needs Python 3.11 or newer" in ended.stderr
    assert installs(asked) == []


def test_make_alone_says_what_there_is(make):
    asked, ended = make()
    assert asked == []
    assert [word for word in ("make app", "make test", "make bench", "PORT=", "PYTHON=") if word not in ended.stdout] == []


#: What readers are told, and what must be true of it.
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "docs/ARCHITECTURE.md", "docs/TOUR.md", "docs/SPEED.md"]


def readme_commands() -> list[str]:
    """Every line of a code block in the README that calls the command line."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = [block for kind, block in re.findall(r"```(\w*)\n(.*?)```", text, flags=re.DOTALL) if kind in ("", "bash", "console", "sh")]
    lines = [line.removeprefix("$ ").strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if "python -m resnet_core" in line]


def test_the_readmes_commands_exist():
    commands = readme_commands()
    assert len(commands) >= 5
    known = parser()
    for line in commands:
        words = shlex.split(line, comments=True)
        known.parse_args(words[words.index("resnet_core") + 1 :])


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_make_targets_of_a_document_exist(name):
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    code = " ".join(re.findall(r"`[^`]+`|```.*?```", (ROOT / name).read_text(encoding="utf-8"), flags=re.DOTALL))
    named = set(re.findall(r"\bmake ([a-z]+)\b", code))
    assert named <= set(targets)
    assert {"app", "test"} <= named or name != "README.md"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_files_that_a_document_names_exist(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:|#)([^)]+)\)", text)
    assert links
    assert [link for link in links if not (ROOT / name).parent.joinpath(link).exists()] == []
    paths = [path for path in re.findall(r"`([\w./-]+/[\w.-]+\.py)`", text) if "<" not in path]
    assert [path for path in paths if not (ROOT / path).exists() and not (ROOT / "resnet_core" / path).exists()] == []


def test_the_citation_is_of_this_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"becomes {version}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda path: path.stem)
def test_every_benchmark_starts_as_its_first_lines_say(path, tmp_path):
    """Without the project on Python's path: from a clone, with nothing but the requirements installed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ended = subprocess.run([sys.executable, str(path), "--help"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert f"python benchmarks/{path.name}" in path.read_text(encoding="utf-8")


def test_a_class_is_started_by_one_word():
    told = subprocess.run(["make", "-n", "class", "HOST=lab", "PORT=8600"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert ".venv/bin/python -m resnet_core class --port 8600 --host lab" in told


def test_the_app_is_opened_to_a_room_by_one_option():
    """Alone it listens to this machine, as .streamlit/config.toml says; HOST names what the others type, and nothing else gets in."""

    def started(*arguments: str) -> str:
        told = subprocess.run(["make", "-n", "app", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        return next(line for line in told.splitlines() if "streamlit run app.py" in line)

    assert "--server.address" not in started() and "--server.allowedHosts" not in started()
    opened = started("HOST=192.168.1.5")
    assert "--server.address 0.0.0.0" in opened and "--browser.serverAddress 192.168.1.5" in opened
    assert opened.count("--server.allowedHosts") == 3 and "--server.allowedHosts 192.168.1.5" in opened


def test_an_installed_package_has_all_that_it_reads_and_its_command():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    module, _, function = project["project"]["scripts"]["resnet-lab"].partition(":")
    assert callable(getattr(importlib.import_module(module), function))
    out = subprocess.run(["git", "ls-files", "-z", "--", "resnet_core"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    read = {ROOT / name for name in out.split("\0") if name and not name.endswith(".py") and not Path(name).name.startswith(".")}
    packed = {
        path
        for package, patterns in project["tool"]["setuptools"]["package-data"].items()
        for pattern in patterns
        for path in ROOT.joinpath(*package.split(".")).glob(pattern)
    }
    assert len(read) > 20 and read - packed == set()
