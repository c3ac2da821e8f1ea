"""How long the analyses take on this machine, as the pages and the command line call them.

    python benchmarks/analysis_times.py --trials 5

- layer responses of ResNet-110 on 1,000 test images (to be at most 10 s on 2 cores)
- evaluating ResNet-20 on 10,000 test images (to be at most 8 s on 2 cores): those of the full CIFAR-10 if RESNET_LAB_DATA names it,
  else the sample's 1,000 ten times over; the output says which

Weights do not matter to the time: the nets are freshly initialised. Precision and threads are what the probe decides for this machine;
loading data and nets is not timed, and neither is a short pass of each that warms up. The two are timed in turn; medians are told.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch

from resnet_core.analysis.evaluation import evaluate_detailed
from resnet_core.analysis.responses import layer_responses
from resnet_core.architectures import ResNetConfig
from resnet_core.architectures.net import build_model
from resnet_core.config import DataConfig, Recipe, RunConfig
from resnet_core.data import load, normalize, per_pixel_mean
from resnet_core.training.device import synchronize
from resnet_core.training.plan import Plan
from resnet_core.training.probe import decide
from resnet_core.training.timing import machine_name

RESPONSE_IMAGES, EVALUATION_IMAGES = 1_000, 10_000


def measurements(plan: Plan) -> tuple[dict[str, Callable[[int], Any]], str]:
    """Name -> what is timed, of so many images; and where the images come from."""
    full = bool(os.environ.get("RESNET_LAB_DATA"))
    dataset = load(DataConfig("cifar10" if full else "sample"))
    device = torch.device(plan.device)
    mean = per_pixel_mean(dataset.train).to(device)
    images, labels = dataset.test.images, dataset.test.labels
    if not full:
        repeats = EVALUATION_IMAGES // len(labels)
        images, labels = images.repeat(repeats, 1, 1, 1).contiguous(memory_format=torch.channels_last), labels.repeat(repeats)
    source = "the full test set" if full else "the sample's 1,000 test images, ten times over"

    def net(depth: int) -> torch.nn.Module:
        return build_model(ResNetConfig(depth, "A")).to(device, memory_format=torch.channels_last)

    def normalized(x: torch.Tensor) -> torch.Tensor:
        return normalize(x.to(device), mean)

    deep, shallow = net(110), net(20)
    return {
        f"responses_resnet110_{RESPONSE_IMAGES}": lambda n: layer_responses(deep, images[: min(n, RESPONSE_IMAGES)], normalized, plan),
        f"evaluation_resnet20_{EVALUATION_IMAGES}": lambda n: evaluate_detailed(shallow, images[:n], labels[:n], normalized, plan),
    }, source


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=5)
    parser.add_argument("--precision", default="auto", help="auto (default), fp32 or bf16")
    arguments = parser.parse_args()
    plan = decide(RunConfig(recipe=Recipe(precision=arguments.precision, compile="off")))
    device = torch.device(plan.device)
    timed, source = measurements(plan)
    seconds: dict[str, list[float]] = {name: [] for name in timed}
    for run in timed.values():
        run(200)
    for _ in range(arguments.trials):
        for name, run in timed.items():
            synchronize(device)
            begin = time.perf_counter()
            run(EVALUATION_IMAGES)
            synchronize(device)
            seconds[name].append(round(time.perf_counter() - begin, 2))
    told = {
        "machine": machine_name(device),
        "threads": plan.threads,
        "precision": plan.precision,
        "evaluated_on": source,
        "trials": seconds,
        "median": {name: statistics.median(values) for name, values in seconds.items()},
    }
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
