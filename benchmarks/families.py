"""One net of every family: what it counts, how many lines describe the family, and how fast it trains.

    python benchmarks/families.py [--steps 3]

Speed is of training steps without the optimiser on random images of the net's own size, in the precision that ``auto`` means here, on one
thread of a CPU by its processor time (batches of 32, for ImageNet's nets of 4): quickest of the steps. Lines are those of the family's
module, which some share.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from resnet_core.architectures import FAMILIES, parse  # noqa: E402
from resnet_core.architectures.net import build_model  # noqa: E402
from resnet_core.architectures.table import complexity  # noqa: E402
from resnet_core.kernels import build  # noqa: E402
from resnet_core.training import probe, timing  # noqa: E402
from resnet_core.training.device import pick_device  # noqa: E402
from resnet_core.training.plan import Plan  # noqa: E402

#: What stands for a family, where its first preset does not.
CHOSEN = {
    "resnet": "ResNet-56", "resnet_imagenet": "ResNet-50-ImageNet", "resnext": "ResNeXt-29-8x64d", "highway": "Highway-56",
    "densenet": "DenseNet-BC-100-k12", "resnext_imagenet": "ResNeXt-50-32x4d", "vgg": "VGG-16", "vgg_cifar": "VGG-16-CIFAR",
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=3, help="steps that are timed, after one that is not (default: 3)")
    steps = parser.parse_args().steps
    device = pick_device("auto")
    fused, precision = device.type == "cpu" and build.library() is not None, "bf16" if probe.precision_answer(device).wins else "fp32"
    plan = Plan(device.type, precision, False, 1, fused=fused, amx=fused and precision == "bf16" and build.has_amx())
    print(f"{timing.machine_name(device)}, {plan.precision}")
    print(f"{'family':<21}{'net':<24}{'parameters':>12}{'MACs':>16}{'lines':>7}{'images/s':>10}")
    for key, family in FAMILIES.items():
        net = parse(CHOSEN.get(key, family.presets[0].name))
        counts, side = complexity(net), net.plan().input[-1]
        lines = len(Path(importlib.import_module(family.config.__module__).__file__ or "").read_text(encoding="utf-8").splitlines())
        batch = 32 if side == 32 else 4
        model = build_model(net).to(device).to(memory_format=torch.channels_last).train()
        seconds = timing.quickest(timing.training_step(plan.prepared(model), plan, batch, side), device, steps)
        print(f"{key:<21}{net.name:<24}{counts.params:>12,}{counts.macs:>16,}{lines:>7}{batch / seconds:>10.1f}", flush=True)


if __name__ == "__main__":
    main()
