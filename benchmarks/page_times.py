"""How long a viewer waits: from ``streamlit run`` to the first drawn chart, and from a click on the demo to its first point.

    python benchmarks/page_times.py [--trials 3]
    python benchmarks/page_times.py --demo 0 1 2      # the whole demo with these seeds, watched in the browser

Each trial starts the app on an empty home and a fresh Chromium profile. Wall-clock seconds; take them on a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from resnet_core.runs import RunStore  # noqa: E402

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
#: A curve of the live chart that has points. The shipped demo's curves and a running demo's look alike; the latter are told by the note.
CURVE = ".resnet-lab-chart .scatterlayer path.js-line"
FIRST_POINTS = """() => {
  const chart = document.querySelector('.resnet-lab-chart');
  const own = (t) => /[-\\/]train$/.test(t.uid || '') && !t.uid.startsWith('recorded');
  return chart && chart.data && chart.data.some(t => own(t) && t.x.some(v => v !== null));
}"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def first_chart(page: Page, url: str, begin: float) -> float:
    while True:
        try:
            page.goto(url)
            break
        except Exception:  # the server is not up yet
            time.sleep(0.05)
    page.wait_for_selector(CURVE, state="attached", timeout=120_000)
    return time.perf_counter() - begin


def trial(browser: Browser, seed: int | None = None) -> dict[str, Any]:
    """One start of the app; with ``seed`` the demo is watched to its end, else it is stopped after its first point."""
    home = tempfile.mkdtemp()
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port), "--server.headless", "true"]
    begin = time.perf_counter()
    server = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"RESNET_LAB_HOME": home}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        page = browser.new_context(viewport={"width": 1366, "height": 768}).new_page()
        address = f"http://127.0.0.1:{port}" + (f"/?seed={seed}" if seed else "")
        seconds: dict[str, Any] = {"streamlit_run_to_first_chart": first_chart(page, address, begin)}
        button = page.get_by_role("button", name="Run the demo")
        button.wait_for()
        begin = time.perf_counter()
        button.click()
        page.wait_for_function(FIRST_POINTS, timeout=120_000, polling=20)
        seconds["click_to_first_point"] = time.perf_counter() - begin
        if seed is not None:
            page.get_by_role("button", name="Train another seed").wait_for(timeout=1_200_000)
            seconds["click_to_last_point"] = time.perf_counter() - begin
            results = {run.config.model.name: run.state().result for run in RunStore(home).runs()}
            seconds["train_error"] = {name: round(result["train_error"], 2) for name, result in results.items()}
            seconds["test_error"] = {name: round(result["test_error"], 2) for name, result in results.items()}
            seconds["seed"] = seed
            return seconds
        page.get_by_role("button", name="Stop the demo").click()
        page.get_by_role("button", name="Resume the demo").wait_for(timeout=60_000)
        page.context.close()
        return seconds
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(home, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=3)
    parser.add_argument("--demo", type=int, nargs="+", metavar="SEED", help="watch the whole demo with these seeds instead")
    arguments = parser.parse_args()
    executable = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if executable is None:
        sys.exit("No Chromium was found; install the package chromium.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        if arguments.demo:
            for seed in arguments.demo:
                print(json.dumps(trial(browser, seed)), flush=True)
            return
        trials = [trial(browser) for _ in range(arguments.trials)]
    medians = {name: round(statistics.median(t[name] for t in trials), 2) for name in trials[0]}
    print(json.dumps({"trials": trials, "median": medians}, indent=1))


if __name__ == "__main__":
    main()
