"""The wheel: library, app and trained nets are in it, and it runs where there is no clone."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tomllib
import urllib.request
import zipfile
from pathlib import Path

import pytest

from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parent.parent
APP = "resnet_lab_app"


def tracked() -> list[str]:
    out = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [name for name in out.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of what git has: what lies about in the folder is not in it, and nothing is left there."""
    place = tmp_path_factory.mktemp("wheel")
    for name in tracked():
        if not name.startswith(("tests/", "docs/")):
            (place / "src" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, place / "src" / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "-w", place, place / "src"], check=True, capture_output=True)
    [found] = place.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-q", "--no-deps", "--target", place, wheel]
    subprocess.run(pip, check=True, capture_output=True)
    return place


def environment(installed: Path, home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RESNET_LAB_")}
    return kept | {"PYTHONPATH": str(installed), "RESNET_LAB_SLOTS": "0", "RESNET_LAB_HOME": str(home)}


def test_every_package_is_listed():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    there = {".".join(Path(name).parent.parts) for name in tracked() if name.startswith("resnet_core/") and name.endswith(".py")}
    assert sorted(listed) == sorted([*there, APP])


@pytest.mark.slow
def test_the_wheel_has_library_app_and_nets_and_nothing_else(wheel: Path):
    with zipfile.ZipFile(wheel) as packed:
        names = {name for name in packed.namelist() if ".dist-info/" not in name}
    hidden = {name for name in tracked() if Path(name).name.startswith(".git")}
    library = {name for name in tracked() if name.startswith("resnet_core/")} - hidden
    app = {f"{APP}/{name}" for name in tracked() if name == "app.py" or name.startswith(("pages/", "checkpoints/", ".streamlit/"))}
    assert len(app) > 150 and names == library | app
    assert wheel.stat().st_size < 50_000_000


@pytest.mark.slow
def test_it_runs_without_the_clone(installed: Path, tmp_path: Path):
    env = environment(installed, tmp_path / "runs")
    code = "import resnet_core.nets as n; from resnet_core.cli.start import app_folder; print(app_folder()); print(len(n.shipped_nets()))"
    told = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=True).stdout.split()
    assert told == [str(installed / APP), str(len(list((ROOT / "checkpoints").glob("*/card.json"))))]
    helped = subprocess.run([sys.executable, "-m", "resnet_core", "app", "--help"], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert helped.returncode == 0 and "--no-browser" in helped.stdout
    script = (installed / "bin" / "resnet-lab").read_text()
    assert "from resnet_core.__main__ import main" in script
    ran = subprocess.run([sys.executable, "-m", "resnet_core", "runs", "--json"], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert json.loads(ran.stdout)["runs"] == []


@pytest.mark.slow
def test_the_app_starts_from_the_wheel(installed: Path, tmp_path: Path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "resnet_core", "app", "--port", str(port), "--no-browser"]
    env = environment(installed, tmp_path / "runs")
    running = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:

        def healthy() -> bool:
            assert running.poll() is None, running.stdout.read().decode()
            try:
                with urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=5) as answer:
                    return answer.read() == b"ok"
            except OSError:
                return False

        wait_for(healthy, "the app", interval=0.2)
        with urllib.request.urlopen(f"http://localhost:{port}/checkpoints", timeout=10) as answer:
            assert b"<html" in answer.read()
    finally:
        running.terminate()
        running.wait(30)
