"""Own pictures on the Train page: a folder, a zip, what is wrong with them, whose they are, and when they go."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from pages.train import own_pictures
from pages.ui import uploaded
from resnet_core.runs import RunStore
from tests.page_tools import app
from tests.test_page_train import errors, started, words


def png(shade: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((40, 50, 3), shade, np.uint8)).save(out, "PNG")
    return out.getvalue()


def zipped(classes=("cat", "dog", "owl"), count: int = 5, **more: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for c, name in enumerate(classes):
            for i in range(count):
                archive.writestr(f"pets/{name}/{i}.png", png(20 * c + i))
        for name, content in more.items():
            archive.writestr(f"pets/{name}", content)
    return out.getvalue()


@pytest.fixture
def folder(tmp_path) -> Path:
    with zipfile.ZipFile(io.BytesIO(zipped())) as archive:
        archive.extractall(tmp_path)
    return tmp_path / "pets"


@pytest.fixture
def page(root, monkeypatch) -> AppTest:
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    own_pictures._looked_at.clear()
    opened = app(root, monkeypatch, "train/page.py").run()
    opened.selectbox(key="train.dataset").set_value("pictures").run()
    assert not opened.exception
    return opened


def upload(page: AppTest, content: bytes, name: str = "pets.zip") -> AppTest:
    page.button_group(key="train.pictures.way").set_value("A zip of mine").run()
    page.file_uploader(key="train.pictures.zip").set_value((name, content, "application/zip")).run()
    assert not page.exception
    return page


def test_a_folder_is_looked_at_and_trained_on(page, folder):
    assert page.button(key="train.start").disabled and not errors(page)
    page.text_input(key="train.pictures.folder").set_value(str(folder)).run()
    assert not errors(page) and not page.exception
    assert "3 classes, 12 pictures to train on and 3 to test on." in words(page)
    page.selectbox(key="train.pictures.side").set_value(48).run()
    page.number_input(key="train.pictures.part").set_value(40).run()
    assert "9 pictures to train on and 6 to test on" in words(page)
    started(page)
    (config,) = {run.config.data for run in RunStore().runs()}
    assert config.pictures.class_names == ("cat", "dog", "owl") and config.side == 48 and config.label == "pets (9 images)"
    assert {run.data_dir for run in RunStore().runs()} == {folder}
    assert {run.config.model.num_classes for run in RunStore().runs()} == {3}
    page.text_input(key="train.pictures.folder").set_value(str(folder / "cat")).run()
    assert "no two folders with pictures" in errors(page)[0] and page.button(key="train.start").disabled


def test_a_zip_is_unpacked_trained_on_and_goes_with_its_viewer(page, monkeypatch):
    monkeypatch.setattr(uploaded, "_is_here", lambda each: False)
    upload(page, zipped())
    assert not errors(page) and "3 classes, 12 pictures to train on" in words(page)
    (found,) = uploaded.found()
    assert found.title == "pets" and not found.kept and len(list(found.pictures.rglob("*.png"))) == 15
    started(page)
    runs = RunStore().runs()
    assert {run.config.data.title for run in runs} == {"pets"} and {run.data_dir for run in runs} == {found.pictures}
    page.run()
    assert found.pictures.is_dir()  # it is waited for in the queue, although nobody is known to be here
    for run in runs:
        RunStore().stop(run.id)
    page.run()
    assert not found.path.exists() and not page.exception


def test_who_is_here_and_what_is_kept_stays(page, monkeypatch):
    here = set()
    monkeypatch.setattr(uploaded, "_is_here", lambda each: each.session in here)
    monkeypatch.setattr(uploaded, "session", lambda: "me")
    here.add("me")
    upload(page, zipped())
    page.run()
    page.button(key="train.pictures.keep").click().run()
    (found,) = uploaded.found()
    assert found.kept
    here.clear()
    page.run()
    assert found.pictures.is_dir() and "12 pictures to train on" in words(page)
    page.button_group(key="train.pictures.way").set_value("Kept here").run()
    assert "12 pictures to train on" in words(page) and not errors(page)
    page.button(key="train.pictures.remove").click().run()
    assert not found.path.exists() and not page.exception


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"no zip at all", "This is no zip archive"),
        (zipped(**{"cat/run.sh": b"#!/bin/sh"}), "run.sh: its name is not that"),
        (zipped(**{"../../evil.png": png(1)}), "its path leads out"),
        (zipped(("cat",)), "no two folders with pictures"),
        (zipped(count=1), "too few pictures in cat, dog, owl"),
    ],
    ids=["none", "program", "traversal", "one class", "one picture"],
)
def test_bad_zips_are_refused_and_nothing_of_them_is_left(page, content, complaint):
    upload(page, content)
    assert complaint in errors(page)[0].replace("\\", "") and page.button(key="train.start").disabled
    assert uploaded.found() == [] and list(uploaded.uploads_folder().iterdir()) == []


def test_an_upload_of_a_server_that_is_gone_is_removed_and_that_of_a_living_one_is_not(page):
    for number, process in ((1, os.getppid()), (2, 2**22 - 1)):
        place = uploaded.uploads_folder() / str(number)
        (place / "pictures").mkdir(parents=True)
        (place / "upload.json").write_text(json.dumps({"title": "x", "session": "y", "server": process, "kept": False}))
    page.run()
    assert [each.name for each in uploaded.uploads_folder().iterdir()] == ["1"]


def test_a_guest_names_no_folder_and_trains_on_a_zip_all_the_same(root, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    page = app(root, monkeypatch, "train/page.py", address="192.168.1.7").run()
    page.selectbox(key="train.dataset").set_value("pictures").run()
    assert page.button_group(key="train.pictures.way").options == ["A zip of mine"]
    page.file_uploader(key="train.pictures.zip").set_value(("pets.zip", zipped(), "application/zip")).run()
    assert "12 pictures to train on" in words(page)
    assert "train.pictures.keep" not in {button.key for button in page.button}
    started(page)
    assert RunStore().runs()
