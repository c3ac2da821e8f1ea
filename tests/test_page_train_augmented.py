"""Train: the picture of what augmentation does, and what can be chosen with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.page_tools import app


@pytest.fixture
def opened(root: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    page = app(root, monkeypatch, "train/page.py").run()
    assert not page.exception and not page.error
    return page


def said_by(page: AppTest) -> str:
    return " ".join(each.value for each in page.caption)


def pictures(page: AppTest) -> list[str]:
    """The addresses of the images on the page, which are made of their contents."""
    return [image.url for each in page.image for image in each.proto.imgs]


def test_what_augmentation_does_is_shown(opened):
    for name, said in (("standard", "4 pixels of padding"), ("scale", "at a random scale"), ("crop", "they are mirrored only")):
        opened.selectbox(key="train.recipe.augmentation").set_value(name).run()
        assert not opened.exception and said in said_by(opened)
    first = pictures(opened)
    assert len(first) == 9
    opened.number_input(key="train.recipe.pca_colour").set_value(0.3).run()
    assert "principal axes" in said_by(opened)
    shifted = pictures(opened)
    assert shifted[0] == first[0] and all(a != b for a, b in zip(shifted[1:], first[1:], strict=True))
    opened.button(key="train.augmented.again").click().run()
    assert pictures(opened)[0] == first[0] and pictures(opened)[1:] != shifted[1:]
    # What cannot be is said by the table, and not drawn.
    opened.selectbox(key="train.recipe.augmentation").set_value("scale")
    opened.text_input(key="train.recipe.scale_range").set_value("20, 40").run()
    assert any("crop of 32 pixels cannot be taken from images of 20" in each.value for each in opened.error)
    assert pictures(opened) == []
