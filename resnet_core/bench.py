"""Speed, side by side in one run: ours, the common way, and what the convolutions alone would take.

    python -m resnet_core bench --json

Contenders take turns, so a machine that slows down slows them all; ratios can be trusted where images per second cannot.
"""

from __future__ import annotations

import dataclasses
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from resnet_core.architectures import ModelConfig, ResNetConfig
from resnet_core.architectures.net import build_model
from resnet_core.config import DataConfig, Recipe, RunConfig
from resnet_core.data import Cifar10, Split, load
from resnet_core.training.device import pick_device, synchronize
from resnet_core.training.engine import Trainer
from resnet_core.training.plan import Plan
from resnet_core.training.probe import decide
from resnet_core.training.timing import machine_name

BATCH = 128
DEPTHS = (20, 56)
LINEAR_DEPTHS = (20, 32, 44, 56, 110)


class CommonWay:
    """fp32 eager NCHW, a ``DataLoader`` with four workers, torchvision's PIL transforms, SGD; ``loss.item()`` at each step."""

    #: Batches that the four workers have made before the clock starts (4 workers x prefetch factor 2): they are run untimed.
    PREFETCHED = 8

    def __init__(self, config: ModelConfig, split: Split, device: torch.device):
        from PIL import Image
        from torch.utils.data import DataLoader, Dataset
        from torchvision import transforms

        class PilImages(Dataset):
            def __init__(self, augment):
                self.images, self.labels = split.images.permute(0, 2, 3, 1).numpy(), split.labels.tolist()
                self.augment = augment

            def __len__(self):
                return len(self.labels)

            def __getitem__(self, index):
                return self.augment(Image.fromarray(self.images[index])), self.labels[index]

        augment = transforms.Compose(
            [
                transforms.RandomCrop(32, 4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
            ]
        )
        warnings.filterwarnings("ignore", "This DataLoader will create 4 worker processes")  # that is the point
        self.loader = DataLoader(PilImages(augment), BATCH, shuffle=True, num_workers=4, drop_last=True, pin_memory=device.type == "cuda")
        self.device = device
        self.model = build_model(config).to(device)
        self.optimizer = torch.optim.SGD(self.model.parameters(), 0.1, momentum=0.9, weight_decay=1e-4)

    def seconds_per_step(self, steps: int) -> float:
        begin, done = 0.0, -self.PREFETCHED
        while True:
            for images, labels in self.loader:
                if done == 0:
                    begin = time.perf_counter()
                loss = nn.functional.cross_entropy(self.model(images.to(self.device)), labels.to(self.device))
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                loss.item()
                done += 1
                if done == steps:
                    return (time.perf_counter() - begin) / steps


class Ours:
    """The engine's own step, as ``train`` runs it, batches and sums for the records included."""

    def __init__(self, config: ModelConfig, dataset: Cifar10, plan: Plan):
        recipe = Recipe(batch_size=BATCH, device=plan.device)
        self.trainer = Trainer(RunConfig(config, DataConfig("sample"), recipe), dataset, plan)
        self.trainer.model.train()

    def seconds_per_step(self, steps: int) -> float:
        self.trainer.step(0.1)
        synchronize(self.trainer.device)
        begin = time.perf_counter()
        for _ in range(steps):
            self.trainer.step(0.1)
        synchronize(self.trainer.device)
        return (time.perf_counter() - begin) / steps


class ConvolutionsOnly:
    """The same convolutions on the same shapes, in our precision and layout, forward and backward, and nothing else: a ceiling."""

    def __init__(self, config: ModelConfig, plan: Plan):
        self.device = torch.device(plan.device)
        dtype = torch.bfloat16 if plan.precision == "bf16" else torch.float32
        model = build_model(config).to(self.device).to(memory_format=torch.channels_last)
        self.calls: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor, nn.Conv2d]] = []

        def keep(conv: nn.Conv2d, args: tuple[torch.Tensor], out: torch.Tensor) -> None:
            def like(tensor):
                return torch.randn_like(tensor, dtype=dtype)

            self.calls.append((like(args[0].detach()), like(conv.weight.detach()), like(out.detach()), conv))

        for module in model.modules():
            if isinstance(module, nn.Conv2d):
                module.register_forward_hook(keep)
        images = torch.randn(BATCH, 3, 32, 32, device=self.device).contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            model(images)

    def seconds_per_step(self, steps: int) -> float:
        self._pass()
        synchronize(self.device)
        begin = time.perf_counter()
        for _ in range(steps):
            self._pass()
        synchronize(self.device)
        return (time.perf_counter() - begin) / steps

    @torch.no_grad()
    def _pass(self) -> None:
        for x, weight, _, conv in self.calls:
            torch.ops.aten.convolution(x, weight, None, conv.stride, conv.padding, conv.dilation, False, (0, 0), conv.groups)
        for x, weight, gradient, conv in reversed(self.calls):
            # The images want no gradient.
            mask = (x.shape[1] != 3, True, False)
            torch.ops.aten.convolution_backward(
                gradient, x, weight, None, conv.stride, conv.padding, conv.dilation, False, (0, 0), conv.groups, mask
            )


def in_turn(contenders: dict[str, Callable[[int], float]], rounds: int, steps: int) -> dict[str, float]:
    """Median over ``rounds`` of each contender's seconds per step; one more round, not counted, comes first."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, run in contenders.items():
            value = run(steps)
            if turn:
                seconds[name].append(value)
    return {name: statistics.median(values) for name, values in seconds.items()}


def _is_compilable(ours: Ours) -> bool:
    """Take its first step, which compiles; False where that cannot be done (no compiler, an unsupported device)."""
    try:
        ours.seconds_per_step(1)
    except Exception:
        return False
    return True


def throughput(dataset: Cifar10, plan: Plan, rounds: int, steps: int) -> dict[str, dict[str, float]]:
    """Images per second of each contender at each of ``DEPTHS``, and ratios, of ours as ``auto`` has it here.

    ``eager`` is ours with torch's own steps, ``compiled`` ours through ``torch.compile``.
    """
    table = {}
    for depth in DEPTHS:
        config = ResNetConfig(depth, "A")
        contenders: dict[str, Callable[[int], float]] = {
            "ours": Ours(config, dataset, plan).seconds_per_step,
            "common": CommonWay(config, dataset.train, torch.device(plan.device)).seconds_per_step,
            "convolutions": ConvolutionsOnly(config, plan).seconds_per_step,
        }
        if plan.fused:
            contenders["eager"] = Ours(config, dataset, dataclasses.replace(plan, fused=False, amx=False)).seconds_per_step
        compiled = Ours(config, dataset, dataclasses.replace(plan, compile=True, fused=False))
        if _is_compilable(compiled):
            contenders["compiled"] = compiled.seconds_per_step
        speed = {name: BATCH / seconds for name, seconds in in_turn(contenders, rounds, steps).items()}
        table[config.name] = {f"{name}_images_per_second": round(value, 1) for name, value in speed.items()} | {
            "ratio": round(speed["ours"] / speed["common"], 2),
            "fraction_of_ceiling": round(speed["ours"] / speed["convolutions"], 3),
        }
    return table


def linearity(dataset: Cifar10, plan: Plan, rounds: int, steps: int) -> dict[str, Any]:
    """Milliseconds per step over depth, and the largest distance from the least-squares line, in percent of the line."""
    ours = {str(d): Ours(ResNetConfig(d, "A"), dataset, plan) for d in LINEAR_DEPTHS}
    contenders: dict[str, Callable[[int], float]] = {name: one.seconds_per_step for name, one in ours.items()}
    seconds = in_turn(contenders, rounds, steps)
    depths = torch.tensor([[float(d), 1.0] for d in LINEAR_DEPTHS], dtype=torch.float64)
    times = torch.tensor([[seconds[str(d)]] for d in LINEAR_DEPTHS], dtype=torch.float64)
    line = depths @ torch.linalg.lstsq(depths, times).solution
    worst = ((times - line) / line).abs().max().item()
    return {"milliseconds_per_step": {d: round(1000 * s, 1) for d, s in seconds.items()}, "worst_deviation_percent": round(100 * worst, 1)}


def seconds_to_first_record() -> float:
    """From starting ``train`` as a process to the first training record on disk (ResNet-20, sample, batch 128)."""
    # The worker may still be writing its log there when the command line has ended.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [sys.executable, "-m", "resnet_core", "train", "--depth", "20", "--iterations", "3", "--home", folder, "--json"]
        root = Path(__file__).resolve().parents[1]
        begin = time.perf_counter()
        env, quiet = os.environ | {"PYTHONPATH": str(root)}, subprocess.DEVNULL
        process = subprocess.Popen(command, cwd=root, env=env, stdout=quiet, stderr=quiet)
        try:
            while process.poll() is None:
                if any('"train"' in path.read_text() for path in Path(folder).glob("*/records.jsonl")):
                    return time.perf_counter() - begin
                time.sleep(0.01)
        finally:
            process.wait()
        raise RuntimeError(f"`{' '.join(command[1:])}` ended without a record.")


def run(rounds: int = 3, steps: int = 12, device: str = "auto") -> dict[str, Any]:
    """Everything ``python -m resnet_core bench`` prints, as plain values."""
    dataset = load(DataConfig("sample"))
    recipe = Recipe(batch_size=BATCH, device=device, compile="off")
    plan = decide(RunConfig(ResNetConfig(56), DataConfig("sample"), recipe))
    capability = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return {
        "machine": machine_name(pick_device(device)),
        "amx": bool(capability.get("amx_bf16", "amx_bf16" in _cpu_flags())),
        "torch": torch.__version__,
        "plan": dataclasses.asdict(plan),
        "throughput": throughput(dataset, plan, rounds, steps),
        "step_time": linearity(dataset, plan, rounds, max(2, steps // 4)),
        "seconds_to_first_record": round(statistics.median(seconds_to_first_record() for _ in range(3)), 2),
    }


def _cpu_flags() -> str:
    try:
        return Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""


def report(result: dict[str, Any]) -> str:
    """``run``'s result as text for a terminal."""
    lines = [
        f"{result['machine']}{' with AMX' if result['amx'] else ', no AMX'}; "
        f"torch {result['torch']}; {result['plan']['precision']}, batch {BATCH}",
        f"  ({result['plan']['reason']['precision']})",
        "",
        f"{'':<11}{'ours':>8}{'eager':>8}{'compiled':>10}{'common way':>12}{'ratio':>7}{'convolutions only':>19}{'of that':>9}",
    ]
    for name, row in result["throughput"].items():
        speeds = [row.get(f"{key}_images_per_second", "-") for key in ("ours", "eager", "compiled", "common", "convolutions")]
        ours, eager, compiled, common, convolutions = speeds
        lines.append(
            f"{name:<11}{ours:>8}{eager:>8}{compiled:>10}{common:>12}{row['ratio']:>7}{convolutions:>19}{row['fraction_of_ceiling']:>9.1%}"
        )
    step = result["step_time"]
    times = ", ".join(f"{depth}: {ms}" for depth, ms in step["milliseconds_per_step"].items())
    lines += [
        "(images per second; ratio and part: of ours; convolutions only: torch's)",
        "",
        f"step time in ms by depth: {times}; at most {step['worst_deviation_percent']} % from a straight line",
        f"from `train` to the first record: {result['seconds_to_first_record']} s",
    ]
    return "\n".join(lines)
