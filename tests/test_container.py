"""Dockerfile and compose.yaml, as far as they can be checked where there is no docker: what they name exists, and fits together."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import yaml

from resnet_core.cli import parser
from resnet_core.cli.start import app_folder

ROOT = Path(__file__).resolve().parent.parent


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile, each with what follows it, lines that go on joined."""
    text = re.sub(r"\\\n\s*", " ", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split()[0], line.split(None, 1)[1]) for line in lines]


def ignored(name: str) -> bool:
    return name in (ROOT / ".dockerignore").read_text().splitlines()


def test_what_is_copied_is_there_and_is_all_that_the_package_is_made_of():
    copied = [word.rstrip("/") for kind, rest in instructions() if kind == "COPY" for word in rest.split()[:-1]]
    assert copied and [name for name in copied if not (ROOT / name).exists() or ignored(name)] == []
    assert {"pyproject.toml", "README.md", "LICENSE", "app.py", "pages", "resnet_core", "checkpoints", ".streamlit"} <= set(copied)


def test_the_command_is_one_of_ours_on_the_port_that_is_published():
    [command] = [json.loads(rest) for kind, rest in instructions() if kind == "CMD"]
    args = parser().parse_args(command[1:])
    [port] = [int(rest) for kind, rest in instructions() if kind == "EXPOSE"]
    assert (command[0], args.command.__name__, args.port, args.host, args.no_browser) == ("resnet-lab", "app", port, "localhost", True)
    [health] = [rest for kind, rest in instructions() if kind == "HEALTHCHECK"]
    check = json.loads(health[health.index("CMD") + 3 :])
    compile(check[2], "HEALTHCHECK", "exec")
    assert f"http://localhost:{port}/_stcore/health" in check[2]
    app = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["app"]
    assert app["ports"] == [f"127.0.0.1:{port}:{port}"]  # this machine alone


def test_the_volume_is_the_folder_of_the_runs():
    environment = dict(pair.split("=", 1) for kind, rest in instructions() if kind == "ENV" for pair in shlex.split(rest))
    [volume] = [rest for kind, rest in instructions() if kind == "VOLUME"]
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    name, _, inside = compose["services"]["app"]["volumes"][0].partition(":")
    assert volume == environment["RESNET_LAB_HOME"] == inside and name in compose["volumes"]
    assert set(compose["services"]["app"]["build"]["args"]) == {rest.partition("=")[0] for kind, rest in instructions() if kind == "ARG"}


def test_the_shell_that_is_run_is_valid_and_takes_torch_from_the_pins():
    shell = [rest for kind, rest in instructions() if kind == "RUN"]
    for text in shell:
        subprocess.run(["bash", "-n", "-c", text], check=True)
    pattern = re.search(r"grep -E '([^']+)' requirements.txt", " ".join(shell))[1]
    found = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if re.match(pattern, line)]
    assert [line.partition("==")[0] for line in found] == ["torch", "torchvision"]


def test_the_python_that_is_run_while_it_is_built_runs(tmp_path):
    shell = " ".join(rest for kind, rest in instructions() if kind == "RUN")
    first, second = re.findall(r"python -c '([^']+)'", shell)
    told = subprocess.run([sys.executable, "-c", first], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert told.strip() == str(app_folder()) == str(ROOT)
    # Into another folder: beside the pages it may be in use.
    code = second.replace(
        "publish()", f"from pages.ui import plotly_js; import pathlib; plotly_js.STATIC = pathlib.Path({str(tmp_path / 's')!r}); publish()"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert [path.suffix for path in (tmp_path / "s").iterdir()] == [".js"]


def test_only_the_base_image_comes_from_somewhere_by_name():
    images = [rest for kind, rest in instructions() if kind == "FROM"]
    assert len(images) == 1 and re.fullmatch(r"python:3\.\d+-slim", images[0])
    text = (ROOT / "Dockerfile").read_text() + (ROOT / "compose.yaml").read_text()
    assert {address for address in re.findall(r"https?://[^\s'\"]+", text) if "//localhost" not in address} == set()
