"""The page Myths: what is said, the verdict of the records that ship, and trainings with another seed."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from resnet_core.claims import myths
from resnet_core.claims.myths import MYTHS, TRAININGS
from resnet_core.runs import RunStore
from tests.page_tools import app, write_run


@pytest.fixture
def page(root: Path, store: RunStore, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    return app(root, monkeypatch, "myths/page.py")


def text(page: AppTest) -> str:
    return " ".join(element.value for element in page.markdown).replace("\\", "")


def test_every_myth_can_be_looked_at(page):
    page.run()
    assert not page.exception and page.title[0].value == "Myths"
    radio = page.radio(key="myths.pick")
    assert len(radio.options) == len(MYTHS) and all("-badge[" in caption for caption in radio.proto.captions)
    for myth in MYTHS:
        page.radio(key="myths.pick").set_value(myth.key).run()
        assert not page.exception and not page.error
        assert myth.prediction in text(page) and "What would change it." in text(page)


def test_the_link_names_the_myth(page):
    page.query_params["myth"] = "rate"
    page.run()
    assert "## A lower learning rate would do." in text(page)
    page.radio(key="myths.pick").set_value("longer").run()
    assert page.query_params["myth"] == "longer" and "## Train it longer." in text(page)
    page.query_params["myth"] = "unheard of"
    page.run()
    assert not page.exception and "no such myth" in page.info[0].value


def test_another_seed_is_trained_and_then_counts(page, store):
    page.run()
    assert page.button(key="myths.train").label.startswith("Train it here with seed 1")
    page.button(key="myths.train").click().run()
    assert not page.exception and not page.error
    assert [run.config for run in store.queue()] == [TRAININGS[label].config(1) for label in ("plain-20", "plain-56")]
    assert page.button(key="myths.train").disabled
    for run in store.runs():
        store.delete(run.id)
    without = write_run(store, TRAININGS["plain-56"].config(1), 60.0)  # of before there was a clean training error
    page.run()
    assert not page.exception and "Judged by seed 0." in text(page)
    store.delete(without.id)
    for label, clean in (("plain-20", 0.0), ("plain-56", 60.0)):
        run = write_run(store, TRAININGS[label].config(1), clean)
        with store.locked():
            store.change(run, result={"train_error": clean, "test_error": 70.0, "clean_train_error": clean})
    page.run()
    assert "Judged by 2 seeds: 0, 1." in text(page)
    assert page.button(key="myths.train").label.startswith("Train it here with seed 2")


def test_what_is_grown_waits_for_what_it_is_grown_from(page, store):
    page.query_params["myth"] = "capacity"
    page.run()
    page.button(key="myths.train").click().run()
    assert not page.exception and not page.error
    assert [myths.label_of(run.config) for run in store.queue()] == ["ResNet-20", "plain-20", "plain-56"]
    assert "press once more" in page.success[0].value
