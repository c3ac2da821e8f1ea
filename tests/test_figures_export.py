"""A chart as a file: complete in itself, with its caption."""

from __future__ import annotations

import re
import struct
from xml.etree import ElementTree

import numpy as np
import plotly.graph_objects as go
import pytest

from resnet_core.figures import export, style


def figure(dark: bool = False) -> go.Figure:
    x = np.arange(5)
    return go.Figure(go.Scatter(x=x, y=x**2, uid="plain-20-test", name="a <net>"), layout=style.layout(dark))


def test_html_needs_no_network_and_holds_the_caption():
    text = export.page(figure(), "1 seed & no <more>")
    assert text.startswith("<!DOCTYPE html>") and "<p>1 seed &amp; no &lt;more&gt;</p>" in text
    assert len(text) > 1_000_000  # plotly.js itself
    assert re.findall(r"<(?:script|link|img)[^>]*(?:src|href)=", text) == []
    assert style.BACKGROUNDS[True] in export.page(figure(dark=True), "").split("</head>")[0]


def test_a_caption_is_wrapped_below_the_axis():
    made = export.with_caption(figure(), "word " * 100)
    note = made.layout.annotations[-1]
    assert note.text.count("<br>") == 3 and max(map(len, note.text.split("<br>"))) <= 150
    assert made.layout.margin.b > figure().layout.margin.b + 4 * 18 and not figure().layout.annotations


@pytest.mark.browser
def test_png(chromium_path: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BROWSER_PATH", chromium_path)
    data = export.picture(figure(), "caption")
    assert data[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", data[16:24]) == (2560, 1280)


@pytest.mark.browser
def test_svg_is_well_formed_and_as_the_png(chromium_path: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BROWSER_PATH", chromium_path)
    made = figure()
    made.update_layout(title_text="The title")
    data = export.picture(made, "caption & <more>", "svg")
    root = ElementTree.fromstring(data)
    assert root.tag == "{http://www.w3.org/2000/svg}svg" and (root.get("width"), root.get("height")) == ("1280", "640")
    names = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert not names & {"script", "foreignObject"} and b"javascript:" not in data
    handlers = [name for element in root.iter() for name in element.attrib if name.lower().startswith("on")]
    links = [value for element in root.iter() for name, value in element.attrib.items() if name.rpartition("}")[2] == "href"]
    assert handlers == [] and [link for link in links if not link.startswith(("#", "data:"))] == []
    texts = ["".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "The title" in texts and "caption & <more>" in texts
    assert style.FONT.split(",")[0].strip("'\"") in data.decode()


def test_without_a_browser_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(export, "browser", lambda: None)
    with pytest.raises(export.ExportError, match="camera button"):
        export.picture(figure(), "caption")


def test_a_browser_that_fails_is_no_traceback(monkeypatch: pytest.MonkeyPatch, tmp_path):
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("BROWSER_PATH", str(broken))
    with pytest.raises(export.ExportError, match="camera button"):
        export.picture(figure(), "caption")
