"""What the tests of the pages that look into nets share: tiny nets with records of their layers, and what a figure was given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from resnet_core.architectures import ResNetConfig
from resnet_core.architectures.net import build_model
from resnet_core.config import DataConfig, Recipe, RunConfig
from resnet_core.runs import Run, RunStore, files
from resnet_core.runs.records import RecordWriter
from resnet_core.training import checkpoint
from tests.nets_tools import write_checkpoint
from tests.page_tools import PLAN

PLAIN, RESIDUAL, DEEPER = ResNetConfig(8, "none", 4), ResNetConfig(8, "A", 4), ResNetConfig(14, "A", 4)
ITERATIONS, EVERY = 200, 50


def config(model: ResNetConfig, **recipe: Any) -> RunConfig:
    values = {"iterations": ITERATIONS, "batch_size": 32, "layers_every": EVERY}
    return RunConfig(model, DataConfig(), Recipe(**(values | recipe)))


def layer_rows(model: ResNetConfig, scale: float = 1.0, upto: int = ITERATIONS, every: int = EVERY) -> list[dict[str, Any]]:
    """Rows of a training: layer k = 1, 2, ... has responses of ``scale`` / k and gradients of ``scale`` * k, falling with time."""
    names = [tap.name for tap in model.plan().taps]
    layer = np.arange(len(names))
    rows = []
    for iteration in range(0, upto + 1, every):
        std = scale / (1 + layer) / (1 + iteration)
        gradient = scale * (1 + layer) / (1 + iteration)
        row = {
            "names": names,
            "gradient_norm": gradient.tolist(),
            "weight_norm": np.ones(len(names)).tolist(),
            "response_std": std.tolist(),
        }
        rows.append({"kind": "layers", "iteration": iteration, **row})
    return rows


def ship(root: Path, name: str, model: ResNetConfig, scale: float = 1.0, **card: Any) -> Path:
    """A shipped checkpoint with the records of its training."""
    path = write_checkpoint(root, name, model, config=config(model).to_dict(), precision="fp32", **card)
    (path / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in layer_rows(model, scale)))
    return path


def layers_run(store: RunStore, model: ResNetConfig, scale: float = 1.0, upto: int = ITERATIONS, saved: bool = True, **recipe: Any) -> Run:
    """A run with rows of its layers up to an iteration, as a worker leaves it; running as long as somebody holds its lock."""
    run, _ = store.submit(config(model, **recipe))
    writer = RecordWriter(run.path / "records.jsonl")
    for row in layer_rows(model, scale, upto):
        writer.write(row)
    writer.close()
    if saved:
        import torch

        state = checkpoint.TrainingState(build_model(model, 3).state_dict(), {"mean": torch.full((3, 32, 32), 0.5)}, {"iteration": upto})
        checkpoint.save(run.path / "checkpoints", state)
    state = "finished" if upto == ITERATIONS else "running"
    with files.locked(store.home):
        store.change(
            run, state=state, plan=PLAN, iteration=upto, result={"train_error": 50.0, "test_error": 52.0} if upto == ITERATIONS else None
        )
    return run


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of shipped checkpoints; nothing is trained."""
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(tmp_path / "shipped"))
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    return tmp_path / "shipped"


def figures(page: AppTest) -> list[list[dict[str, Any]]]:
    """The traces of each chart, from the top of the page."""
    return [json.loads(component.proto.json)["figure"]["traces"] for component in page.get("bidi_component")]


def said(page: AppTest) -> str:
    """All that the page says, without Markdown's escapes."""
    parts = [*page.markdown, *page.caption, *page.info, *page.success, *page.warning]
    return " ".join(part.value for part in parts).replace("\\", "")


def address(page: AppTest, name: str) -> list[str]:
    """The values of a parameter of the URL."""
    value = page.query_params.get(name, [])
    return [value] if isinstance(value, str) else list(value)
