"""docs/TOUR.md: its code runs, one block after the other, and says what the text says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "TOUR.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.slow
def test_the_tour_runs_from_build_to_plot(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(ROOT / "checkpoints"))
    monkeypatch.delenv("RESNET_LAB_SLOTS")  # small trainings take one thread then, which beside other tests is faster than two
    threads = torch.get_num_threads()
    namespace: dict = {}
    for block in BLOCKS:
        exec(compile(block, "TOUR.md", "exec"), namespace)
    torch.set_num_threads(threads)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "ResNet-20: 269,722 parameters, 40,551,040 MACs, 20 layers"
    assert said[1] == "True ['layer1.0', 'layer1.1', 'layer1.2']"
    assert [line.partition(":")[0] for line in said[2:]] == ["plain-8-w8", "ResNet-8-w8", "plain-20", "resnet-20"]
    assert [end["state"] for *_, end in namespace["trained"].values()] == ["finished"] * 2
    assert len(namespace["responses"]["resnet-20"].std) == 19
    assert "8 layers, 300 images, seed 0" in (tmp_path / "curves.html").read_text(encoding="utf-8")


def test_it_has_four_blocks_of_about_ten_lines_each():
    assert re.findall(r"^## (\w+)$", TEXT, re.MULTILINE) == ["Build", "Train", "Measure", "Plot"]
    # Imports, and the empty line behind them, are not counted.
    lengths = [len([line for line in block.splitlines() if line and not line.startswith(("import", "from"))]) for block in BLOCKS]
    assert len(BLOCKS) == 4 and max(lengths) <= 10
