"""What a training takes is told before it begins; what this machine cannot hold is refused."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest

from resnet_core import memory
from resnet_core.architectures import parse
from resnet_core.config import DataConfig, Recipe, RunConfig
from resnet_core.errors import ConfigError
from resnet_core.runs import RunStore

LARGE = RunConfig(parse("DenseNet-BC-190-k40"), DataConfig(), Recipe(iterations=10, batch_size=128, device="cpu"))


def test_what_does_not_fit_is_refused_with_what_would(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory, "of_machine", lambda: 16_000_000_000)
    assert memory.needed(LARGE) > 16_000_000_000
    with pytest.raises(ConfigError, match=r"DenseNet-BC-190-k40 with 128 images a batch takes about \d+ GB.*has 16 GB") as caught:
        memory.check(LARGE)
    fits = int(str(caught.value).rpartition("size of ")[2].partition(" ")[0])
    smaller, one_more = (dataclasses.replace(LARGE, recipe=dataclasses.replace(LARGE.recipe, batch_size=n)) for n in (fits, fits + 1))
    memory.check(smaller)
    with pytest.raises(ConfigError):
        memory.check(one_more)
    with pytest.raises(ConfigError, match="takes about"):
        RunStore().submit(LARGE)
    assert RunStore().look().runs == []
    memory.check(dataclasses.replace(LARGE, recipe=dataclasses.replace(LARGE.recipe, device="cuda")))  # of which nothing is known here
    monkeypatch.setattr(memory, "of_machine", lambda: None)
    memory.check(LARGE)


def test_the_paper_s_nets_fit_on_any_machine():
    assert memory.needed(RunConfig(parse("ResNet-110"))) < 4e9
    assert memory.of_machine() > 1e9


def test_it_is_told_without_torch():
    code = "import sys; from resnet_core import memory; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
