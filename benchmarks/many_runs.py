"""What many runs cost: ``runs`` on the command line, what the store does under its lock, and a draw of each page by AppTest.

    python benchmarks/many_runs.py [--runs 10 1000 10000] [--draws 7] [--pages home train]

Every home holds ended runs of one net, each with its own seed and 220 rows of records, and nothing that trains. A draw is a page's whole
script in this process, without the browser, after one that was just the same; ``runs`` is a process of its own; ``submit`` and
``ensure_workers`` come upon a home that has just changed, everything else upon one at rest. Told are the median of several, taken by turns
in all homes, the very first in brackets (the first of all reads every run), and the ratio to the smallest home, in seconds of processor
time, which other work on the machine changes least.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from resnet_core.architectures import ResNetConfig  # noqa: E402
from resnet_core.config import DataConfig, Recipe, RunConfig  # noqa: E402

PAGES = ("home", "train", "compare", "responses", "gradients", "predict", "checkpoints", "paper", "architectures")
CONFIG = RunConfig(ResNetConfig(8, "A", 4), DataConfig(), Recipe(iterations=1000, batch_size=32, schedule="linear"))
PLAN = {"device": "cpu", "precision": "fp32", "compile": False, "threads": 2, "reason": {}}


def fill(home: Path, count: int) -> None:
    """Writes the home: one run by the store, and copies of it with other seeds."""

    from resnet_core.architectures.net import build_model
    from resnet_core.runs import RunStore
    from resnet_core.training import checkpoint

    os.environ["RESNET_LAB_HOME"] = str(home)
    run, _ = RunStore().submit(CONFIG)
    net = build_model(CONFIG.model)
    import torch

    state = checkpoint.TrainingState(net.state_dict(), {"mean": torch.zeros(3, 32, 32)}, {"iteration": 1000})
    checkpoint.save(run.path / "checkpoints", state)
    names = [name for name, _, _ in net.taps()]
    rows = []
    for k in range(1, 161):
        at = {"iteration": k * 1000 // 160, "elapsed_seconds": k / 10}
        speed = {"images": 320, "learning_rate": 0.1, "images_per_second": 900.0}
        rows.append({"kind": "train", "train_error": 90 - k / 4, "loss": 2.0, **speed, **at})
        if k % 4 == 0:
            rows.append({"kind": "test", "test_error": 91 - k / 4, "test_loss": 2.0, **at})
        if k % 8 == 0:
            norms = {name: [1.0] * len(names) for name in ("gradient_norm", "weight_norm", "response_std")}
            rows.append({"kind": "layers", "names": names, **norms, **at})
    (run.path / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = {"train_error": 50.0, "test_error": 51.0, "images_per_second": 900.0, "weights_sha256": "0" * 64}
    identity, told = (json.loads((run.path / name).read_text()) for name in ("run.json", "state.json"))
    template = run.path.rename(home.with_name(f"{home.name}-template"))
    for seed in range(count):
        config = dataclasses.replace(CONFIG, recipe=dataclasses.replace(CONFIG.recipe, seed=seed))
        path = home / f"run-{seed:05d}"
        shutil.copytree(template, path)
        # Each has its own minute: the runs have an order, and none was started together with another, which pages would choose with it.
        created = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=seed)).isoformat(timespec="microseconds")
        (path / "run.json").write_text(json.dumps({**identity, "id": path.name, "config": config.to_dict(), "created": created}))
        ended = {"state": "finished", "ticket": seed + 1, "plan": PLAN, "iteration": 1000, "result": result, "ended": created}
        (path / "state.json").write_text(json.dumps({**told, **ended}))
    shutil.rmtree(template)
    time.sleep(3)  # older than what a store takes for still changing


def spent() -> float:
    """Processor seconds of this process and of those that it has waited for."""
    others = os.times()
    return time.process_time() + others.children_user + others.children_system


def timed(work: Callable[[], object]) -> float:
    """Processor seconds of one call."""
    begin = spent()
    work()
    return spent() - begin


def commands(home: Path) -> dict[str, Callable[[], float]]:
    """What is timed beside the pages, by name; each call gives processor seconds."""
    from resnet_core.runs import RunStore

    store = RunStore(home)
    command = [sys.executable, "-m", "resnet_core", "runs", "--home", str(home)]
    seeds = iter(range(1_000_000, 2_000_000))

    def changed(work: Callable[[], object] | None) -> float:
        """With one run in the queue that has just come; it goes again, and the home comes to rest."""
        seed = next(seeds)
        config = dataclasses.replace(CONFIG, recipe=dataclasses.replace(CONFIG.recipe, seed=seed))
        submitting = timed(lambda: store.submit(config))
        seconds = timed(work) if work is not None else submitting
        store.delete(store.find(config).id)
        time.sleep(2.5)
        store.look()
        return seconds

    return {
        "runs": lambda: timed(lambda: subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)),
        "look": lambda: timed(lambda: [store.look() for _ in range(10)]) / 10,
        "submit": lambda: changed(None),
        "ensure_workers": lambda: changed(store.ensure_workers),
    }


def page(name: str, home: Path) -> Callable[[], float]:
    """A page, opened once. Each call draws it twice and gives the processor seconds of the second time."""
    from streamlit.testing.v1 import AppTest

    os.environ["RESNET_LAB_HOME"] = str(home.with_name("empty"))  # the way to any page is over the front page
    app = AppTest.from_file(str(ROOT / "pages" / "front.py"), default_timeout=600).run()
    if name != "home":
        app.switch_page(f"{name}/page.py")

    def draw() -> float:
        os.environ["RESNET_LAB_HOME"] = str(home)
        app.run()
        seconds = timed(app.run)
        assert not app.exception
        return seconds

    return draw


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, nargs="+", default=[10, 1000, 10000])
    parser.add_argument("--draws", type=int, default=7)
    parser.add_argument("--pages", nargs="+", choices=PAGES, default=list(PAGES))
    arguments = parser.parse_args()
    os.environ["RESNET_LAB_SLOTS"] = "0"
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as place:
        works: dict[str, dict[int, Callable[[], float]]] = {}
        for count in arguments.runs:
            home = Path(place) / str(count)
            fill(home, count)
            for name, work in [*commands(home).items(), *((name, page(name, home)) for name in arguments.pages)]:
                works.setdefault(name, {})[count] = work
        print(f"{'CPU seconds: median (first)':<28}" + "".join(f"{f'{n:,} runs':>18}{'':>8}" for n in arguments.runs))
        for name, of in works.items():
            first = {count: work() for count, work in of.items()}
            seconds = [{count: work() for count, work in of.items()} for _ in range(arguments.draws)]  # turn by turn
            median = {count: statistics.median(each[count] for each in seconds) for count in of}
            base = median[arguments.runs[0]]
            cells = [f"{f'{median[n]:.4f} ({first[n]:.2f})':>18}{f'x {median[n] / base:.2f}':>8}" for n in of]
            print(f"{name:<28}" + "".join(cells), flush=True)


if __name__ == "__main__":
    main()
