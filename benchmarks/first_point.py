"""From a click on "train" to the first point of the curve: with a worker standing by, and without, in turns within one run.

    python benchmarks/first_point.py [--rounds 3]

ResNet-20 of the demo (300 images of the sample). The clock runs from before ``submit`` until the first training record is in the run's
folder, where pages read it. One worker at a time, as for a first training. Says too what a worker that stands by costs: memory of its own
and in all, and processor time per second over ten idle ones.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from resnet_core.config import demo_configs  # noqa: E402
from resnet_core.runs import RunStore, launch  # noqa: E402

#: More than a cold start on a busy machine takes.
PATIENCE = 120.0


def until(happened: Callable[[], object], what: str) -> float:
    """Wait for it, and give the seconds that it took."""
    begin = time.perf_counter()
    while not happened():
        if time.perf_counter() - begin > PATIENCE:
            sys.exit(f"{what} did not come within {PATIENCE:.0f} s.")
        time.sleep(0.01)
    return time.perf_counter() - begin


def workers() -> list[psutil.Process]:
    """Those that live, of this process."""
    return [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]


def first_point(store: RunStore, seed: int) -> float:
    """Seconds from ``submit`` to the first training record; the training is then stopped."""
    begin = time.perf_counter()
    run = store.submit(next(config for config in demo_configs(seed) if config.model.name == "ResNet-20"))[0]
    until(lambda: run.records("train"), "The first record")
    seconds = time.perf_counter() - begin
    store.stop(run.id)
    until(lambda: not run.state().is_active, "The end of a stopped training")
    return seconds


def standing_by(home: Path) -> None:
    launch.stand_by(home)
    slots = list(launch.slot_path(home, "x").parent.glob("*-[0-9]*.lock"))
    # A worker empties its slot's file when it has loaded what a training needs.
    until(lambda: slots and all(path.stat().st_size == 0 for path in slots), "A worker that stands by")


def idle() -> dict[str, list[float]]:
    """What each worker that stands by costs while nothing is asked of it."""
    found = workers()
    before = [sum(worker.cpu_times()[:2]) for worker in found]
    time.sleep(10)
    memory = [worker.memory_full_info() for worker in found]
    return {
        "own_megabytes": [round(each.uss / 2**20) for each in memory],
        "resident_megabytes": [round(each.rss / 2**20) for each in memory],
        "percent_of_a_core": [round(10 * (sum(w.cpu_times()[:2]) - b), 2) for w, b in zip(found, before, strict=True)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="turns of each (default: 3)")
    rounds = parser.parse_args().rounds
    os.environ.pop("RESNET_LAB_STANDBY", None)
    seconds: dict[str, list[float]] = {"standing_by": [], "cold": []}
    costs: dict[str, list[float]] = {}
    for turn in range(rounds + 1):  # the first one fills the caches of the system, and what the probe found is kept
        for name in seconds:
            home = Path(tempfile.mkdtemp())
            if name == "standing_by":
                standing_by(home)
                costs = costs or idle()
            value = first_point(RunStore(home), turn)
            if turn:
                seconds[name].append(value)
            for worker in workers():
                worker.kill()
                worker.wait()
            shutil.rmtree(home, ignore_errors=True)
    told = {name: [round(each, 2) for each in times] for name, times in seconds.items()}
    ratio = statistics.median(seconds["cold"]) / statistics.median(seconds["standing_by"])
    print(json.dumps({"seconds": told, "cold_to_standing_by": round(ratio, 1), "while_idle": costs}, indent=1))


if __name__ == "__main__":
    main()
