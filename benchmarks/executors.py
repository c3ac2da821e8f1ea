"""What Ray costs: the same sweep in local worker processes and on a Ray cluster of this machine, in turns within one run.

    python benchmarks/executors.py [--rounds 2] [--iterations 352]

Eight trainings: plain-20 and ResNet-20 on 300 images of the sample, seeds 0 to 3, as many at once as there are cores. The time is that
from the first one queued to the last one ended. The cluster is started before the first turn, and that is timed by itself: one start serves
all that is trained while somebody trains. Take it on a quiet machine.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from resnet_core import sweeps  # noqa: E402
from resnet_core.architectures import parse  # noqa: E402
from resnet_core.config import DEMO_RECIPE, DataConfig, Recipe  # noqa: E402
from resnet_core.runs import RunStore, executor, files, launch  # noqa: E402

NETS = ("plain-20", "ResNet-20")


def swept(store: RunStore, name: str, iterations: int, nets: tuple[str, ...] = NETS, seeds: int = 4) -> float:
    """Seconds that a sweep takes with one executor, and that its workers take to go."""
    os.environ[executor.VARIABLE] = name
    recipe: Recipe = dataclasses.replace(DEMO_RECIPE, iterations=iterations)
    configs = sweeps.grid([parse(net) for net in nets], DataConfig("sample", images_per_class=30), recipe, range(seeds))
    begin = time.perf_counter()
    sweep = sweeps.begin(store, configs, f"{name} {files.now()}", again=True)
    while sweeps.progress(sweep, store.tend()).is_active:
        time.sleep(0.2)
    seconds = time.perf_counter() - begin
    found = sweeps.progress(sweep, store.look())
    if found.states != {"finished": len(configs)}:
        sys.exit(f"{name}: {found.states}, {[why for _, why in found.failed]}")
    while any(files.is_held(path) for path in launch.slot_path(store.home, "x").parent.glob("*-[0-9]*.lock")):
        time.sleep(0.1)
    return seconds


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Cut off: nothing was measured."))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2, help="turns of each (default: 2)")
    parser.add_argument("--iterations", type=int, default=DEMO_RECIPE.iterations, help=f"(default: {DEMO_RECIPE.iterations})")
    arguments = parser.parse_args()
    for name in ("RAY_ADDRESS", "RESNET_LAB_SLOTS"):
        os.environ.pop(name, None)
    store = RunStore(tempfile.mkdtemp())
    place = store.home / ".slots" / "cluster.json"
    try:
        swept(store, executor.LOCAL, 5, NETS[:1], 1)  # the probe's answer is kept from here on
        first = swept(store, executor.RAY, 5, NETS[:1], 1)
        seconds: dict[str, list[float]] = {executor.LOCAL: [], executor.RAY: []}
        for turn in range(arguments.rounds):
            # Each comes first in every other round.
            for name in list(seconds)[:: 1 if turn % 2 == 0 else -1]:
                seconds[name].append(swept(store, name, arguments.iterations))
        found = {name: [round(each, 1) for each in times] for name, times in seconds.items()}
        best = {name: min(times) for name, times in seconds.items()}
        ratio = round(best[executor.RAY] / best[executor.LOCAL], 3)
        print(json.dumps({"seconds": found, "ray_to_local": ratio, "first_training_with_start_of_the_cluster": round(first, 1)}, indent=1))
    finally:
        with contextlib.suppress(OSError, ValueError):
            os.kill(json.loads(place.read_text())["pid"], signal.SIGTERM)
            time.sleep(5)
        shutil.rmtree(store.home, ignore_errors=True)


if __name__ == "__main__":
    main()
