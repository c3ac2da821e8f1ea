"""The demo of Home, watched in Chromium from the click to the verdict: seconds, and how the four nets end, seed by seed.

    python benchmarks/watched_demo.py [--seeds 0 1 2] [--unwatched]

The app is started as for anybody, with workers that stand by, once for each seed and in a home of its own; the page is open from before the
click until it offers another seed. ``--unwatched`` takes the same by ``python -m resnet_core demo`` as well, in turns. Take it on a quiet
machine.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from resnet_core.runs import RunStore  # noqa: E402
from tests import chromium  # noqa: E402
from tests.browser.conftest import ARGUMENTS, App  # noqa: E402

#: Milliseconds that no demo takes, even on a slow machine.
PATIENCE = 1_800_000


def watched(home: Path, seed: int) -> float:
    """Seconds from the click to the end as the page shows it."""
    app = App(ROOT, home / "app.log", RESNET_LAB_HOME=str(home / "runs"))
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium.find(), args=ARGUMENTS)
            page = browser.new_page(viewport={"width": 1366, "height": 768})
            page.set_default_timeout(PATIENCE)
            page.goto(f"{app.url}/?seed={seed}")
            button = page.get_by_role("button", name="Run the demo")
            button.wait_for()
            time.sleep(20)  # a teacher says a word or two; the workers have loaded what they need by then
            begin = time.perf_counter()
            button.click()
            page.get_by_role("button", name="Train another seed").wait_for()
            seconds = time.perf_counter() - begin
            browser.close()
        return seconds
    finally:
        app.stop()


def unwatched(home: Path, seed: int) -> float:
    """Seconds that the command takes, with the start of its processes."""
    begin = time.perf_counter()
    command = [sys.executable, "-m", "resnet_core", "demo", "--seed", str(seed), "--home", str(home / "runs")]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--unwatched", action="store_true", help="the command line's demo too")
    arguments = parser.parse_args()
    for name in [name for name in os.environ if name.startswith("RESNET_LAB_")]:
        del os.environ[name]
    for seed in arguments.seeds:
        for take in (watched, unwatched) if arguments.unwatched else (watched,):
            home = Path(tempfile.mkdtemp())
            try:
                seconds = take(home, seed)
                runs = RunStore(home / "runs").look().runs
                ends = {run.config.model.name: (status.result or {}).get("clean_train_error") for run, status in runs}
                told = {"seed": seed, "way": take.__name__, "seconds": round(seconds, 1), "clean_train_error": ends}
                print(json.dumps(told), flush=True)
            finally:
                shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
