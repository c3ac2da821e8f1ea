"""Who gets in, and what people from elsewhere can leave on a page."""

from __future__ import annotations

import base64
import os
import socket

import psutil
import pytest
from playwright.sync_api import expect

from resnet_core.architectures import ResNetConfig
from resnet_core.config import DataConfig, Recipe, RunConfig
from resnet_core.runs import RunStore
from tests.nets_tools import write_shipped
from tests.page_tools import write_run

pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: A name that Markdown would make links and a picture of.
NAME = "http://evil.test www.evil.test me@evil.test ![b](http://evil.test/p.png)"
#: Where links and sources of the page lead.
LEADS_TO = """() => [...document.querySelectorAll('[href], [src]')].map(
    each => new URL(each.getAttribute('href') ?? each.getAttribute('src'), location).href)"""
PAGES = (
    "",
    "learn?lesson=deeper-and-worse&step=4",
    "train?tab=Runs",
    "compare",
    "responses",
    "gradients",
    "predict",
    "experiments",
    "checkpoints",
    "paper",
    "architectures",
    "complexity",
)


def answer(port: int, host: str, origin: str) -> str:
    """The first line of what the app says to a websocket that calls it by that name, and comes from a page of that origin."""
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        "GET /_stcore/stream HTTP/1.1", f"Host: {host}", f"Origin: {origin}", "Upgrade: websocket", "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", "",
    ]  # fmt: skip
    with socket.create_connection(("localhost", port), timeout=60) as connection:
        connection.sendall("\r\n".join(lines).encode())
        return connection.recv(200).decode("latin-1").splitlines()[0]


@pytest.mark.parametrize("elsewhere", [False, True], ids=["from its folder", "from another"])
def test_only_this_machine_under_its_own_names(start_app, tmp_path, elsewhere):
    """However it is started: as README says, or by its path."""
    app = start_app(cwd=tmp_path if elsewhere else None)
    listening = {c.laddr.ip for c in psutil.Process(app.process.pid).net_connections("inet") if c.status == psutil.CONN_LISTEN}
    assert listening and listening <= {"127.0.0.1", "::1"}
    for name in ("localhost", "127.0.0.1", "[::1]"):
        assert " 101 " in answer(app.port, f"{name}:{app.port}", f"http://{name}:{app.port}")
    # A name of somebody else's that was made to point here, and a page of theirs that calls us by our name.
    for host in ("evil.test", "localhost.evil.test", f"192.168.1.5:{app.port}"):
        assert " 403 " in answer(app.port, host, f"http://{host}")
    assert " 403 " in answer(app.port, f"localhost:{app.port}", "http://evil.test")


def test_no_name_and_no_address_becomes_a_link(start_app, open_page, monkeypatch, tmp_path):
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(tmp_path / "shipped"))
    store, configs = RunStore(), [RunConfig(ResNetConfig(depth, "none", 4), DataConfig(), Recipe(iterations=40)) for depth in (8, 14)]
    write_shipped(tmp_path / "shipped", configs[0], 20.0)
    for config in configs:
        write_run(store, config, 20.0, name=NAME)
    app = start_app(RESNET_LAB_SLOTS="0", RESNET_LAB_CHECKPOINTS=str(tmp_path / "shipped"))
    page = open_page(app.url)
    for address in PAGES:
        query = "&".join(f"{key}={NAME.replace(' ', '%20')}" for key in ("runs", "nets", "checkpoint", "image", "data", "view", "run"))
        page.goto(f"{app.url}/{address}{'&' if '?' in address else '?'}{query}")
        expect(page.get_by_test_id("stMain").locator("h1").first).to_be_visible()
        expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
        # A chart's own address has the page's in it, whatever stands there; it leads to the app all the same.
        assert [to for to in page.evaluate(LEADS_TO) if "evil.test" in to.partition("?")[0]] == [], address
    assert store.runs()[0].name == NAME  # what was shown is the name, whole
