"""What a look costs by the number of runs that were ever trained: ``runs`` on the command line, and a draw of each page by AppTest.

    python benchmarks/many_runs.py [--runs 20 2000] [--draws 3] [--pages home train]

Every home holds ended runs of one net, each with its own seed and 220 rows of records, and nothing that trains. A draw is a page's whole
script in this process, without the browser; the command is a process of its own. The least of several, after a first one that is named
too, in seconds of processor time, which other work on the machine changes least.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
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


def least(work: Callable[[], None], times: int) -> tuple[float, float]:
    """Processor seconds of the first call, and the least of those after it."""
    seconds = []
    for _ in range(times + 1):
        begin = spent()
        work()
        seconds.append(spent() - begin)
    return seconds[0], min(seconds[1:])


def measure(home: Path, draws: int, pages: list[str]) -> dict[str, tuple[float, float]]:
    """Time the command and each page: the first, and the least of ``draws`` more."""
    from streamlit.testing.v1 import AppTest

    os.environ["RESNET_LAB_HOME"] = str(home)
    command = [sys.executable, "-m", "resnet_core", "runs"]
    found = {"runs": least(lambda: subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL), draws)}
    for page in pages:
        os.environ["RESNET_LAB_HOME"] = str(home.with_name("empty"))  # the way to any page is over the front page
        app = AppTest.from_file(str(ROOT / "pages" / "front.py"), default_timeout=600).run()
        os.environ["RESNET_LAB_HOME"] = str(home)
        if page != "home":
            app.switch_page(f"{page}/page.py")

        def draw(app: AppTest = app) -> None:
            app.run()
            assert not app.exception

        found[page] = least(draw, draws)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, nargs="+", default=[20, 2000])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--pages", nargs="+", choices=PAGES, default=list(PAGES))
    arguments = parser.parse_args()
    os.environ["RESNET_LAB_SLOTS"] = "0"
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as place:
        found = {}
        for count in arguments.runs:
            home = Path(place) / str(count)
            fill(home, count)
            found[count] = measure(home, arguments.draws, arguments.pages)
    few, many = arguments.runs[0], arguments.runs[-1]
    print(f"{'CPU seconds (first)':<24}" + "".join(f"{f'{count:,} runs':>18}" for count in found) + f"{'ratio':>8}")
    for name in found[few]:
        cells = "".join(f"{f'{best:.3f} ({first:.3f})':>18}" for first, best in (found[count][name] for count in found))
        print(f"{name:<24}{cells}{found[many][name][1] / found[few][name][1]:>8.2f}")


if __name__ == "__main__":
    main()
