"""The Checkpoints page in a test: fixtures of the page and of the folder of shipped nets, and what stands on it."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.checkpoints import evaluate_panel
from pages.ui import jobs
from tests.page_tools import app
from tests.waiting import wait_for


@pytest.fixture(name="shipped")
def shipped_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of shipped checkpoints of this test, empty; nothing is trained, and nothing was computed before."""
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(tmp_path / "shipped"))
    made = jobs.Jobs()
    for module in (jobs, evaluate_panel):
        monkeypatch.setattr(module, "JOBS", made)
    monkeypatch.setattr("pages.checkpoints.import_panel.JOBS", made)
    return tmp_path / "shipped"


@pytest.fixture(name="page")
def checkpoints_page(root: Path, monkeypatch: pytest.MonkeyPatch, shipped: Path) -> AppTest:
    return app(root, monkeypatch, "checkpoints/page.py")


def done(page: AppTest) -> AppTest:
    """The page when nothing is computed any more."""
    wait_for(lambda: not any(job.is_active for job in evaluate_panel.JOBS._jobs.values()), "the computations")
    page.run()
    assert not page.exception
    return page


def texts(page: AppTest) -> str:
    """All Markdown, captions and the tables of the model card, without escapes."""
    cells = [str(cell) for each in page.table for cell in each.value.to_numpy().ravel()]
    lines = cells + [each.value for each in [*page.markdown, *page.caption]]
    return "\n".join(lines).replace("\\", "").replace("\u00a0", " ")


def metrics(page: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def upload(page: AppTest, name: str, content: bytes) -> AppTest:
    page.file_uploader[0].set_value((name, content, "application/octet-stream")).run()
    return done(page)
