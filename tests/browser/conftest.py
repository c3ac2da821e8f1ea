"""The app as it is started by its user, and a headless Chromium that looks at it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

from resnet_core.runs import RunStore
from tests.runs_tools import end_workers
from tests.waiting import PATIENCE, wait_for

#: Pictures of a page that could not be loaded.
BROKEN = "() => [...document.images].filter(each => each.complete && !each.naturalWidth && each.src).map(each => each.src)"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]


class App:
    """``streamlit run app.py`` on a port of its own, from the project's folder or another."""

    def __init__(self, root: Path, log: Path, cwd: Path | None = None, **environment: str):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://localhost:{self.port}"
        self.log = log
        command = [sys.executable, "-m", "streamlit", "run", str(root / "app.py"), "--server.headless", "true"]
        command += ["--server.port", str(self.port)]
        with open(log, "wb") as output:
            self.process = subprocess.Popen(
                command, cwd=cwd or root, env=os.environ | environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        wait_for(self._answers, f"the app to answer; its log is {log}")

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=5).status == 200
        return False

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


@pytest.fixture
def start_app(root: Path, tmp_path: Path) -> Iterator[Callable[..., App]]:
    """Starts the app, with environment variables; it is ended with the test, and so are the workers of its runs."""
    apps: list[App] = []

    def start(cwd: Path | None = None, **environment: str) -> App:
        # One thread: the tests share their processors.
        apps.append(App(root, tmp_path / f"app-{len(apps)}.log", cwd, **{"OMP_NUM_THREADS": "1", "RESNET_LAB_STANDBY": "0", **environment}))
        return apps[-1]

    yield start
    for app in apps:
        app.stop()
    end_workers(RunStore())


@pytest.fixture(scope="session")
def browser(chromium_path: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium_path, args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens an address as a viewer who was never here. At the end of the test: nothing came from elsewhere, and no script failed."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def asked(request: Request) -> None:
        if not request.url.startswith(("http://localhost:", "blob:", "data:")):
            complaints.append(f"asked for {request.url}")

    def said(message: ConsoleMessage) -> None:
        # On a cold link Streamlit looks for its server beside the page first, and then at the root.
        if message.type == "error" and "/_stcore/" not in message.location.get("url", ""):
            complaints.append(f"console: {message.text} ({message.location})")

    def open_(url: str, script: str = "", **options) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1366, "height": 768}, **options})
        contexts.append(context)
        context.set_default_timeout(PATIENCE * 1000)
        page = context.new_page()
        page.add_init_script(script)
        page.on("request", asked)
        page.on("console", said)
        page.on("pageerror", lambda error: complaints.append(f"script: {error}"))
        page.goto(url)
        return page

    yield open_
    for context in contexts:
        complaints += [f"broken picture: {source}" for page in context.pages for source in page.evaluate(BROKEN)]
        context.close()
    assert complaints == []
