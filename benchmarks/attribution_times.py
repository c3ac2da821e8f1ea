"""How long a viewer waits for maps: the five methods on plain-56 and ResNet-56, each twice in turn with the same by plain Captum.

    python benchmarks/attribution_times.py [--rounds 5] [--depth 56] [--json]

Bounds on 2 cores: Integrated Gradients with 50 steps on ResNet-56 in 0.5 s; all five methods for both nets in 6 s. "Common" is Captum on
the model as it is trained: gradients of weights computed too, BN not folded, one window of Occlusion a pass. Median wall-clock seconds;
take them on a quiet machine. Processor seconds are of the whole process, and say more on a busy one. The weights are untrained: they cost
the same.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from captum.attr import GuidedGradCam, IntegratedGradients, LayerGradCam, Occlusion, Saliency

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from resnet_core.architectures import ModelConfig, ResNetConfig  # noqa: E402
from resnet_core.architectures.net import build_model  # noqa: E402
from resnet_core.attribution import METHODS  # noqa: E402
from resnet_core.attribution.compute import attribute  # noqa: E402
from resnet_core.attribution.sanity import cascade  # noqa: E402
from resnet_core.attribution.trust import infidelity, sensitivity  # noqa: E402
from resnet_core.nets import NORMALIZATIONS, Net  # noqa: E402
from resnet_core.nets.loading import LoadedNet  # noqa: E402
from resnet_core.training.plan import Plan  # noqa: E402

TARGET = 3


def loaded(config: ModelConfig) -> LoadedNet:
    mean = torch.from_numpy(NORMALIZATIONS["pixel-mean"].arrays()[0])
    model = build_model(config).to(memory_format=torch.channels_last).eval()
    return LoadedNet(Net(config.name, config.name, "file", config, Path(config.name)), model, mean, None, Plan())


def common(net: LoadedNet, image: torch.Tensor) -> dict[str, Callable[[], Any]]:
    """The same maps by Captum without further ado."""
    model, last = net.model, net.model.layer3[-1]

    def x() -> torch.Tensor:
        return net.normalize(image[None]).requires_grad_()

    windows = {"sliding_window_shapes": (3, 6, 6), "strides": (3, 2, 2)}
    return {
        "integrated-gradients": lambda: IntegratedGradients(model).attribute(x(), target=TARGET, n_steps=50, return_convergence_delta=True),
        "grad-cam": lambda: LayerGradCam(model, last).attribute(x(), target=TARGET, relu_attributions=True),
        "occlusion": lambda: Occlusion(model).attribute(x(), target=TARGET, **windows),
        "saliency": lambda: Saliency(model).attribute(x(), target=TARGET),
        "guided-grad-cam": lambda: GuidedGradCam(model, last).attribute(x(), target=TARGET),
    }


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--depth", type=int, default=56)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    image = torch.randint(0, 256, (3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    nets = [loaded(ResNetConfig(args.depth, shortcut)) for shortcut in ("none", "A")]
    works: dict[str, Callable[[], Any]] = {}
    for net in nets:
        plain = common(net, image)
        for key in METHODS:
            works[f"{net.net.name} {key}"] = lambda net=net, key=key: attribute(net, image, key, TARGET)
            works[f"{net.net.name} {key}, common"] = plain[key]
    residual = nets[1]

    def all_five() -> None:
        for net in nets:
            for key in METHODS:
                attribute(net, image, key, TARGET)

    works["all five methods, both nets"] = all_five
    found = attribute(residual, image, "saliency", TARGET)
    works["infidelity of Saliency"] = lambda: infidelity(residual, image, found)
    works["sensitivity of Saliency"] = lambda: sensitivity(residual, image, found)
    works["sanity check of Saliency"] = lambda: list(cascade(residual, image, "saliency", TARGET))
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for turn in range(args.rounds + 1):
        for name, work in works.items():
            seconds = timed(work)
            if turn:  # the first one warms up
                times[name].append(seconds)
    medians = {name: [statistics.median(column) for column in zip(*values, strict=True)] for name, values in times.items()}
    if args.json:
        result = {name: {"seconds": round(wall, 4), "processor_seconds": round(cpu, 4)} for name, (wall, cpu) in medians.items()}
        print(json.dumps({"threads": torch.get_num_threads(), "rounds": args.rounds, "times": result}))
        return
    print(f"{torch.get_num_threads()} threads, median of {args.rounds}\n{'':<44}{'seconds':>10}{'processor':>12}")
    for name, (wall, cpu) in medians.items():
        print(f"{name:<44}{wall:>10.3f}{cpu:>12.3f}")


if __name__ == "__main__":
    main()
