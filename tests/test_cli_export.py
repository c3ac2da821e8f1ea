"""``export`` on the command line."""

from __future__ import annotations

import json

import pytest

from resnet_core.cli import main
from resnet_core.nets import export, find
from tests.nets_tools import save_run, write_checkpoint


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(tmp_path / "shipped"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_run_is_written_in_each_form(here, capsys):
    run = save_run()
    assert main(["export", run.id, "--to", "py"]) == 0
    assert (here / f"{run.id}.py").read_text().startswith('"""ResNet-8-w4')
    assert main(["export", run.id, "--to", "notebook", "--out", "n.ipynb", "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told == {"net": run.id, "file": "n.ipynb", "bytes": (here / "n.ipynb").stat().st_size}
    assert main(["export", run.id, "--to", "tensorboard", "--out", "logs/a"]) == 0
    assert [path.name for path in (here / "logs" / "a").iterdir()] == [f"events.out.tfevents.{run.id}"]
    assert main(["export", run.id, "--to", "onnx", "--out", "net.onnx"]) == 0
    assert b"ResNet Lab" in (here / "net.onnx").read_bytes()


def test_a_weights_file_is_written_too(here, capsys):
    write_checkpoint(here / "shipped", "tiny")
    (here / "mine.safetensors").write_bytes(export.weights(find("tiny")))
    assert main(["export", "mine.safetensors", "--to", "py"]) == 0
    assert [path.name for path in here.glob("*.py")] == ["mine.py"]


def test_what_cannot_be_done_is_one_line_and_leaves_nothing(here, capsys):
    write_checkpoint(here / "shipped", "tiny")
    assert main(["export", "tiny", "--to", "notebook"]) == 2
    assert "was not trained with ResNet Lab" in capsys.readouterr().err
    assert main(["export", "nothing", "--to", "py"]) == 2
    assert not list(here.glob("*.ipynb")) and not list(here.glob("*.py"))
