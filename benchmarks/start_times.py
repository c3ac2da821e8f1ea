"""How long it takes to start, against another state of the project, by turns within one run.

    git worktree add --detach ../before e327f4c
    python benchmarks/start_times.py ../before [--rounds 6]

Of ``--help``, ``runs`` (of an empty folder) and ``complexity`` of 1,202 layers the processor time; of the app the seconds from ``streamlit
run`` until Home has drawn its first curve in Chromium. Both states run with the packages of this one. Medians, and their ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests import chromium  # noqa: E402
from tests.browser.conftest import ARGUMENTS, App  # noqa: E402

COMMANDS = {"--help": ["--help"], "runs": ["runs"], "complexity": ["complexity", "--depth", "1202", "--shortcut", "A"]}
#: Milliseconds that no first chart takes.
PATIENCE = 120_000


def used() -> float:
    """Seconds of processor time of all processes that this one has waited for."""
    times = resource.getrusage(resource.RUSAGE_CHILDREN)
    return times.ru_utime + times.ru_stime


def command(tree: Path, words: list[str], home: Path) -> float:
    """Seconds of processor time that a command takes."""
    before = used()
    environment = os.environ | {"RESNET_LAB_HOME": str(home)}
    subprocess.run([sys.executable, "-m", "resnet_core", *words], cwd=tree, env=environment, stdout=subprocess.DEVNULL, check=True)
    return used() - before


def first_chart(tree: Path, home: Path, browser: Browser) -> float:
    """Seconds from the start of the app to its first curve."""
    begin = time.perf_counter()
    app = App(tree, home / "app.log", RESNET_LAB_HOME=str(home / "runs"), RESNET_LAB_STANDBY="0", RESNET_LAB_SLOTS="0")
    try:
        page = browser.new_page()
        page.goto(app.url)
        page.wait_for_selector(".scatterlayer path.js-line", state="attached", timeout=PATIENCE)
        seconds = time.perf_counter() - begin
        page.close()
        return seconds
    finally:
        app.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=Path, help="the folder of the other state")
    parser.add_argument("--rounds", type=int, default=6, help="turns of each, after one that does not count (default: 6)")
    arguments = parser.parse_args()
    trees = {"before": arguments.before.resolve(), "now": ROOT}
    seconds: dict[str, dict[str, list[float]]] = {name: {tree: [] for tree in trees} for name in (*COMMANDS, "first chart")}
    home = Path(tempfile.mkdtemp())
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium.find(), args=ARGUMENTS)
            for turn in range(arguments.rounds + 1):
                for name in seconds:
                    for tree, path in trees.items():
                        value = command(path, COMMANDS[name], home) if name in COMMANDS else first_chart(path, home, browser)
                        if turn:
                            seconds[name][tree].append(value)
            browser.close()
    finally:
        shutil.rmtree(home, ignore_errors=True)
    for name, found in seconds.items():
        median = {tree: statistics.median(values) for tree, values in found.items()}
        told = {tree: round(value, 3) for tree, value in median.items()}
        print(json.dumps({"what": name, **told, "ratio": round(median["now"] / median["before"], 2)}))


if __name__ == "__main__":
    main()
