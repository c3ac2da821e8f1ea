"""A net taken away for other tools in headless Chromium: each form is chosen, downloaded, and is what it says."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import nbformat
import onnxruntime
import pytest
from playwright.sync_api import expect

from resnet_core.architectures import ResNetConfig
from resnet_core.config import DataConfig, Recipe, RunConfig
from tests.nets_tools import write_shipped
from tests.waiting import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.slow]
expect.set_options(timeout=PATIENCE * 1000)


def test_a_net_is_taken_away_in_each_form(start_app, open_page, tmp_path: Path):
    write_shipped(tmp_path / "shipped", RunConfig(ResNetConfig(8, "A", 4), DataConfig(), Recipe(iterations=40)), 20.0)
    app = start_app(RESNET_LAB_CHECKPOINTS=str(tmp_path / "shipped"), RESNET_LAB_SLOTS="0")
    page = open_page(f"{app.url}/checkpoints?view=Take+away")
    download = page.get_by_role("button", name="Download", exact=True)
    taken = {}
    for form, told in (("Python file", "runs without"), ("ONNX", "onnxruntime"), ("TensorBoard", "event file"), ("Notebook", "Jupyter")):
        if form != "Python file":
            page.get_by_role("combobox", name="Form").click()
            page.get_by_role("option", name=form).click()
        expect(page.get_by_text(told)).to_be_visible()
        with page.expect_download() as found:
            download.click()
        taken[found.value.suggested_filename] = Path(found.value.path()).read_bytes()
    assert list(taken) == [f"resnet-8-w4.{suffix}" for suffix in ("py", "onnx", "zip", "ipynb")]
    compile(taken["resnet-8-w4.py"], "resnet-8-w4.py", "exec")
    assert onnxruntime.InferenceSession(taken["resnet-8-w4.onnx"]).get_inputs()[0].shape == ["N", 3, 32, 32]
    assert zipfile.ZipFile(io.BytesIO(taken["resnet-8-w4.zip"])).namelist() == ["resnet-8-w4/events.out.tfevents.resnet-8-w4"]
    nbformat.validate(nbformat.reads(taken["resnet-8-w4.ipynb"].decode(), 4))
