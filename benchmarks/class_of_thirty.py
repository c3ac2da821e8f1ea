"""Thirty viewers look at the demo while it trains: how long they wait, what it costs the training, memory, and whether answers are lost.

    python benchmarks/class_of_thirty.py [--viewers 30] [--chromium 3] [--seconds 60]

The app is started as a class. The viewers speak Streamlit's protocol and draw nothing: in a class that is done by other machines. A few
pages in Chromium, each in a process of its own, come besides. The training's speed is taken before they come, while all of them watch its
live chart, and after they left, in one run of the demo's nets. Take it on a quiet machine.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from playwright.async_api import Browser, Page, async_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks" / "clients")]

from websocket_viewer import Viewer  # noqa: E402

from resnet_core.classroom.book import ClassBook  # noqa: E402
from resnet_core.config import demo_configs  # noqa: E402
from resnet_core.errors import RunError  # noqa: E402
from resnet_core.questions import Question  # noqa: E402
from resnet_core.runs import RunStore  # noqa: E402

HOST = "class.localhost"  # by this name nobody is taken for the owner
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
CURVE = ".resnet-lab-chart .scatterlayer path.js-line"
QUESTION = Question("which", "Which net has the lower training error at the end?", "choice", ("plain-20", "plain-56", "both alike"))
#: Iterations of each net: the demo lasts longer than what is measured.
ITERATIONS = 100_000


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def memory(process: subprocess.Popen) -> float:
    """MiB that the app's process has in memory."""
    return psutil.Process(process.pid).memory_info().rss / 2**20


def processor_seconds(process: subprocess.Popen) -> float:
    """Seconds of processor time that the app's process has taken: what the viewers cost, without Chromium's drawing on the same machine."""
    times = psutil.Process(process.pid).cpu_times()
    return times.user + times.system


async def speed(store: RunStore, seconds: float) -> float:
    """Iterations a second of all trainings together, over so many seconds."""

    def done() -> dict[str, int]:
        return {run.id: status.iteration for run, status in store.look().runs if status.state == "running"}

    before, begin = done(), time.perf_counter()
    await asyncio.sleep(seconds)
    after, passed = done(), time.perf_counter() - begin
    return sum(after[run] - before[run] for run in before if run in after) / passed


async def open_chromium(browser: Browser, port: int) -> tuple[Page, float]:
    """A page on Home, and the seconds until its first chart stood there."""
    page = await (await browser.new_context(viewport={"width": 1366, "height": 768})).new_page()
    begin = time.perf_counter()
    await page.goto(f"http://{HOST}:{port}/")
    await page.wait_for_selector(CURVE, state="attached", timeout=300_000)
    return page, time.perf_counter() - begin


def spread(seconds: list[float]) -> dict[str, float]:
    return {"median": statistics.median(seconds), "worst": max(seconds), "of": len(seconds)} if seconds else {}


async def answer(viewer: Viewer, start: asyncio.Event, option: int) -> float:
    """Chooses and locks after the start; the seconds until the page says that it has arrived."""
    await viewer.choose(option)
    await viewer.wait_for(lambda: (button := viewer.elements.get("button Lock my answer")) is not None and not button.disabled)
    await start.wait()
    begin = time.perf_counter()
    await viewer.press("Lock my answer")
    await viewer.wait_for(lambda: "button Change it" in viewer.elements)
    return time.perf_counter() - begin


async def ballot(viewers: list[Viewer], book: ClassBook) -> dict[str, Any]:
    """A question that all answer within one second."""
    book.open(QUESTION)
    for viewer in viewers:
        await viewer.go("class")
    for viewer in viewers:
        await viewer.wait_for(lambda viewer=viewer: "radio" in viewer.elements and "button Lock my answer" in viewer.elements)
    start = asyncio.Event()
    answers = [asyncio.create_task(answer(viewer, start, number % 3)) for number, viewer in enumerate(viewers)]
    await asyncio.sleep(5)
    start.set()
    waits = await asyncio.gather(*answers)
    asked = book.latest()
    assert asked is not None
    return {"sent": len(waits), "stored": len(book.answers(asked)), "seconds_until_it_says_so": spread(list(waits))}


async def measure(arguments: argparse.Namespace, process: subprocess.Popen, port: int, home: str) -> dict[str, Any]:
    store, found = RunStore(home), {}
    for config in demo_configs(0, ITERATIONS):
        store.submit(config)
    async with async_playwright() as playwright:
        executable = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
        if executable is None:
            sys.exit("No Chromium was found; install the package chromium.")
        browsers = [await playwright.chromium.launch(executable_path=executable, args=FLAGS) for _ in range(arguments.chromium)]
        first = Viewer(HOST, port)  # what the first viewer loads is loaded for all
        await first.open()
        await first.wait_for(lambda: first.first_chart is not None)
        await first.close()
        while len([1 for _, status in store.look().runs if status.images_per_second]) < 1:
            await asyncio.sleep(0.5)
        await asyncio.sleep(5)
        found["memory_before_mib"] = memory(process)
        found["iterations_per_second_before"] = await speed(store, arguments.seconds)
        viewers = [Viewer(HOST, port) for _ in range(arguments.viewers)]

        async def come(number: int, viewer: Viewer) -> None:
            await asyncio.sleep(number * arguments.within / len(viewers))
            await viewer.open()

        pages, *_ = await asyncio.gather(
            asyncio.gather(*(open_chromium(browser, port) for browser in browsers)), *(come(*each) for each in enumerate(viewers))
        )
        for viewer in viewers:
            await viewer.wait_for(lambda viewer=viewer: viewer.first_chart is not None)
        waits = [viewer.first_chart for viewer in viewers if viewer.first_chart is not None]
        found["first_chart_websocket_seconds"] = spread(waits)
        found["first_chart_chromium_seconds"] = spread([seconds for _, seconds in pages])
        received, worked, begin = sum(viewer.messages for viewer in viewers), processor_seconds(process), time.perf_counter()
        found["iterations_per_second_with_viewers"] = await speed(store, arguments.seconds)
        found["processors_of_the_app_with_viewers"] = (processor_seconds(process) - worked) / (time.perf_counter() - begin)
        found["messages_per_viewer_and_second"] = (sum(v.messages for v in viewers) - received) / len(viewers) / arguments.seconds
        found["memory_with_viewers_mib"] = memory(process)
        found["memory_per_session_mib"] = (found["memory_with_viewers_mib"] - found["memory_before_mib"]) / (
            arguments.viewers + arguments.chromium
        )
        found["answers"] = await ballot(viewers, ClassBook(home))
        for viewer in viewers:
            await viewer.close()
        for browser in browsers:
            await browser.close()
        await asyncio.sleep(5)
        found["iterations_per_second_after"] = await speed(store, arguments.seconds)
        await asyncio.sleep(max(0.0, arguments.forgotten - arguments.seconds))
        found["memory_after_they_left_mib"] = memory(process)
    alone = (found["iterations_per_second_before"] + found["iterations_per_second_after"]) / 2
    found["speed_with_viewers_to_without"] = found["iterations_per_second_with_viewers"] / alone
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--viewers", type=int, default=30)
    parser.add_argument("--chromium", type=int, default=3, help="pages in Chromium besides (default: 3)")
    parser.add_argument("--within", type=float, default=10.0, help="seconds in which they come (default: 10)")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each look at the training's speed (default: 60)")
    parser.add_argument("--forgotten", type=float, default=150.0, help="seconds until who left is forgotten (default: 150)")
    arguments = parser.parse_args()
    # Cut off, it ends like a failure: the app and its workers go with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Cut off: nothing was measured."))
    home, port = tempfile.mkdtemp(), free_port()
    environment = os.environ | {"RESNET_LAB_HOME": home, "RESNET_LAB_DEMO_ITERATIONS": str(ITERATIONS)}
    command = [sys.executable, "-m", "resnet_core", "class", "--port", str(port), "--host", HOST]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.2)
        found = asyncio.run(measure(arguments, process, port, home))
        text = json.dumps(found, indent=1, default=str)
        print(re.sub(r"(\d+\.\d{3})\d+", r"\1", text))
    finally:
        process.terminate()
        process.wait()
        store = RunStore(home)
        # Those that wait first: a worker whose training goes away would begin the next.
        active = [(run, status) for run, status in store.look().runs if status.is_active]
        for run, _ in sorted(active, key=lambda pair: pair[1].state != "queued"):
            with contextlib.suppress(RunError):
                store.delete(run.id, timeout=300.0)
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
