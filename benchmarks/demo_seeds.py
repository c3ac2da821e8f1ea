"""What the demo shows, seed by seed and precision by precision: clean training errors at the end, and whether its criteria hold.

    python benchmarks/demo_seeds.py --seeds 0 1 2 --precisions bf16 fp32 --out demo-seeds.jsonl

Each net is trained in this process on one thread; what OUT holds already is not trained again, so that it can go on after an interruption.
The criteria: both residual nets end below 2 % and within 1 point of each other, plain-56 at least 30 points above plain-20.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from resnet_core.config import RunConfig, demo_configs
from resnet_core.data import load
from resnet_core.kernels import build
from resnet_core.training.engine import Trainer
from resnet_core.training.plan import Plan


def trained(config: RunConfig, precision: str) -> dict[str, Any]:
    """One net's result, with the seconds that it took."""
    begin = time.perf_counter()
    plan = Plan("cpu", precision, False, 1, fused=build.library() is not None, amx=precision == "bf16" and build.has_amx())
    *_, end = Trainer(config, load(config.data), plan).run()
    return {key: end[key] for key in ("clean_train_error", "test_error")} | {"seconds": round(time.perf_counter() - begin, 1)}


def holds(clean: dict[str, float]) -> bool:
    """Whether the four clean training errors, by net, meet the criteria."""
    residual = clean["ResNet-20"], clean["ResNet-56"]
    return max(residual) < 2 and abs(residual[0] - residual[1]) <= 1 and clean["plain-56"] - clean["plain-20"] >= 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--precisions", nargs="+", choices=("bf16", "fp32"), default=["bf16", "fp32"])
    parser.add_argument("--longer", type=int, default=1, help="times as many iterations as the demo has (default: 1)")
    parser.add_argument("--out", type=Path, default=Path("demo-seeds.jsonl"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = [json.loads(line) for line in arguments.out.read_text().splitlines()] if arguments.out.exists() else []
    for precision in arguments.precisions:
        for seed in arguments.seeds:
            clean = {}
            for config in demo_configs(seed):
                recipe = dataclasses.replace(config.recipe, iterations=arguments.longer * config.recipe.iterations)
                key = {"net": config.model.name, "seed": seed, "precision": precision, "iterations": recipe.iterations}
                row = next((row for row in rows if key.items() <= row.items()), None)
                if row is None:
                    row = key | trained(dataclasses.replace(config, recipe=recipe), precision)
                    with open(arguments.out, "a") as file:
                        file.write(json.dumps(row) + "\n")
                clean[config.model.name] = row["clean_train_error"]
            errors = ", ".join(f"{name} {error:.1f} %" for name, error in clean.items())
            print(f"{precision}, seed {seed}: {errors}; the criteria {'hold' if holds(clean) else 'DO NOT hold'}", flush=True)


if __name__ == "__main__":
    main()
