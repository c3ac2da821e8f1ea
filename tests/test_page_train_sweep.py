"""Trainings started by one click are told as one: progress, mean and spread, what failed. The runs are put there; nothing trains."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from resnet_core import sweeps
from resnet_core.runs import RunStore
from tests.page_tools import app
from tests.runs_tools import put


@pytest.fixture
def train(root: Path, store: RunStore, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    page = app(root, monkeypatch, "train/page.py").run()
    page.button(key="train.start").click().run()
    assert not page.exception and not page.error
    return page


def table(page: AppTest) -> list[dict]:
    (found,) = [t for t in page.table if "seeds done" in t.value.columns]
    return found.value.to_dict("records")


def texts(page: AppTest) -> str:
    return " ".join(e.value for e in [*page.subheader, *page.caption, *page.warning]).replace("\\", "")


def test_what_one_click_starts_is_told_as_one(train, store):
    (sweep,) = sweeps.all_of(store.home)
    assert sweep.name == "plain-20, plain-56, ResNet-20 and 1 more: 1 seed" and sweep.runs == tuple(run.id for run in store.runs())
    assert "Started together" in texts(train)
    assert [row["seeds done"] for row in table(train)] == ["0 / 1"] * 4
    first, second = store.get(sweep.runs[0]), store.get(sweep.runs[1])
    put(store, first, state="finished", iteration=352, result={"test_error": 71.2, "clean_train_error": 1.25})
    put(store, second, state="failed", message="Out of memory.")
    train.run()
    assert {"seeds done": "1 / 1", "clean training error (%)": "1.25", "test error (%)": "71.20"}.items() <= table(train)[0].items()
    assert f"plain-56, {second.id}: Out of memory." in texts(train)
    store.delete(second.id)
    train.run()
    assert len(table(train)) == 3 and "Out of memory" not in texts(train)


def test_forgetting_a_group_deletes_no_training(train, store):
    train.button(key="train.sweep.forget").click().run()
    assert not train.exception and sweeps.all_of(store.home) == [] and len(store.runs()) == 4
    assert "Started together" not in texts(train)


def test_one_training_is_no_group(root, store, monkeypatch):
    page = app(root, monkeypatch, "train/page.py").run()
    (editor,) = page.data_editor
    page.session_state[editor.key] = {"edited_rows": {}, "added_rows": [], "deleted_rows": [1, 2, 3]}
    page.run()
    page.button(key="train.start").click().run()
    assert len(store.runs()) == 1 and sweeps.all_of(store.home) == []


def test_of_a_damaged_file_nothing_is_seen(train, store):
    (path,) = (store.home / sweeps.FOLDER).iterdir()
    path.write_text("{")
    train.run()
    assert not train.exception and not train.error and "Started together" not in texts(train)
