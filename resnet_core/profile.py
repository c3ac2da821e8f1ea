"""Where the time of a training step goes, by operation, as torch's profiler sees it.

python -m resnet_core bench --profile
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler's own notes, which it reads as torch is imported

import torch
from torch.profiler import ProfilerActivity, profile

from resnet_core.architectures import parse
from resnet_core.config import DataConfig, Recipe, RunConfig
from resnet_core.data import load
from resnet_core.training.device import synchronize
from resnet_core.training.engine import Trainer
from resnet_core.training.probe import decide

#: Kind of work -> the beginnings of the names that its operations have in torch; the first that fits counts.
KINDS: dict[str, tuple[str, ...]] = {
    name: tuple(f"aten::{word}" for word in words.split())
    for name, words in {
        "convolution": "mkldnn_convolution convolution _convolution cudnn_convolution slow_conv",
        "batch normalisation": "native_batch_norm cudnn_batch_norm batch_norm _batch_norm miopen_batch",
        "ReLU": "clamp_min threshold_backward relu",
        "classifier and loss": "addmm mm mean _log_softmax log_softmax nll_loss",
        "optimiser": "_fused_sgd _foreach zero_",
        "additions": "add",
        "conversions and copies": "copy_ _to_copy to contiguous clone cat constant_pad fill_",
        "batches": "index rand flip where gather sub div",
    }.items()
} | {
    "BN, addition and ReLU in one": ("_NormJoinReLU",),
    "convolution with BN, addition and ReLU": ("_Convolution",),
    "option A's zeros": ("_Thinned",),
}
OTHER = "all else"


def kind_of(operation: str) -> str:
    """Tell what kind of work an operation of torch does: one of ``KINDS``, or ``OTHER``."""
    return next((kind for kind, names in KINDS.items() if operation.startswith(names)), OTHER)


def measure(net: str, batch: int = 128, steps: int = 5, device: str = "auto") -> dict[str, Any]:
    """Profile training steps of a net on the embedded sample, as ``train`` makes them.

    Returns:
        ``milliseconds`` of a step under the profiler, which makes it slower; ``percent``, the part of the operations' own time that each
        kind takes, largest first; ``operations``, the ten largest by name.

    Raises:
        ConfigError: the net or the device is none.
    """
    dataset = load(DataConfig("sample"))
    config = RunConfig(parse(net), DataConfig("sample"), Recipe(batch_size=batch, device=device, compile="off"))
    plan = decide(config)
    trainer = Trainer(config, dataset, plan)
    trainer.model.train()
    for _ in range(2):
        trainer.step(0.1)
    synchronize(trainer.device)
    on_card = plan.device == "cuda"
    with profile(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_card else [])]) as seen:
        for _ in range(steps):
            trainer.step(0.1)
        synchronize(trainer.device)
    own = {event.key: float(event.self_device_time_total if on_card else event.self_cpu_time_total) for event in seen.key_averages()}
    total = sum(own.values())
    kinds: dict[str, float] = {}
    for name, time in own.items():
        kinds[kind_of(name)] = kinds.get(kind_of(name), 0.0) + time
    return {
        "net": config.model.name,
        "plan": dataclasses.asdict(plan),
        "torch": torch.__version__,
        "milliseconds": round(total / steps / 1000, 1),
        "percent": {kind: round(100 * time / total, 1) for kind, time in sorted(kinds.items(), key=lambda pair: -pair[1])},
        "operations": {name: round(100 * time / total, 1) for name, time in sorted(own.items(), key=lambda pair: -pair[1])[:10]},
    }


def report(found: dict[str, Any]) -> str:
    """``measure``'s result as text for a terminal."""
    plan = found["plan"]
    lines = [
        f"{found['net']}, {plan['device']}, {plan['precision']}, {plan['threads']} threads: {found['milliseconds']} ms a step, profiled"
    ]
    lines += [f"  {kind:<38}{part:>6.1f} %" for kind, part in found["percent"].items()]
    return "\n".join([*lines, "  the largest: " + ", ".join(f"{name} {part} %" for name, part in found["operations"].items())])
