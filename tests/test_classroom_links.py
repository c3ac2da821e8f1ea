"""The links of a class, and that the QR code holds the viewers' link and nothing else."""

from __future__ import annotations

import re
import socket

import pytest

from resnet_core.classroom import keys, links


def test_the_links():
    key = keys.new_key()
    assert links.viewers_link("192.0.2.5", 8501) == "http://192.0.2.5:8501/class"
    assert links.teachers_link("192.0.2.5", 8501, key) == f"http://192.0.2.5:8501/teacher?key={key}"
    assert links.viewers_link("fd00::5", 80) == "http://[fd00::5]:80/class"


def test_a_machine_without_a_network_has_a_name_all_the_same(monkeypatch):
    class Down(socket.socket):
        def connect(self, address):
            raise OSError("unreachable")

    monkeypatch.setattr(links.socket, "socket", Down)
    monkeypatch.setattr(links.socket, "getaddrinfo", lambda *_: [(0, 0, 0, "", ("127.0.1.1", 0))])
    assert links.own_names() == ["localhost"]


def test_loopback_is_no_address_for_others(monkeypatch):
    monkeypatch.setattr(links.socket, "getaddrinfo", lambda *_: [(0, 0, 0, "", (a, 0)) for a in ("127.0.1.1", "192.0.2.9", "fe80::1%eth0")])
    monkeypatch.setattr(links.socket, "gethostname", lambda: "desk")
    names = links.own_names()
    assert names[-2:] == ["desk", "desk.local"] and "192.0.2.9" in names and "fe80::1" in names
    assert not [name for name in names if name.startswith("127.")]


def modules(text: str) -> list[str]:
    """The dark modules of a code drawn with half blocks, a row of ``#`` and blanks for each."""
    rows = []
    for line in text.splitlines():
        line = re.sub(r"\x1b\[[0-9;]*m", "", line)
        if line:
            rows.append("".join("#" if c in " ▄" else "." for c in line))
            rows.append("".join("#" if c in " ▀" else "." for c in line))
    return rows


@pytest.mark.parametrize("link", ["http://192.0.2.5:8501/class", "http://localhost:80/class"])
def test_the_code_is_of_the_link(link):
    """The same modules as segno's matrix of that very link, on the terminal and on the page."""
    import segno

    matrix = [[bool(module) for module in row] for row in segno.make(link, error="m", micro=False).matrix_iter(border=0)]
    text = modules(links.qr_text(link))
    size = len(matrix)
    found = [[row[4 + x] == "#" for x in range(size)] for row in text[4 : 4 + size]]
    assert found == matrix or found == [[not module for module in row] for row in matrix]
    svg = links.qr_svg(link)
    assert svg.startswith("<svg") and 'viewBox="0 0' in svg and "script" not in svg
