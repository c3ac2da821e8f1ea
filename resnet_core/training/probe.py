"""What ``auto`` means on this machine: a short measurement instead of an assumption.

bf16 is two to three times as fast as fp32 on some processors (AMX, AVX512-BF16) and many times slower on others, and no flag
tells how much. So a few training steps of a small net are timed in both, in turn. The answer is kept for the machine: all nets of
a comparison are then trained in the same way, and the next run starts at once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

import torch
from torch import nn

from resnet_core.config import ModelConfig, RunConfig
from resnet_core.models import build_model
from resnet_core.slots import slots
from resnet_core.training.device import pick_device, synchronize
from resnet_core.training.plan import Plan, compiled

#: A net as deep as any stage of the family has, in few layers.
PROBE_NET = ModelConfig(depth=8, shortcut="A")
#: What torch chose for this process. A trainer changes it, and the thread count of one resumed run is not the default of the next.
_THREADS_AT_START = torch.get_num_threads()
#: Another precision or a compiler must win by this much: a close race is noise, and fp32 eager is the simpler.
MARGIN = 1.15
#: Compiling takes 20 to 60 s cold; a run that eager finishes sooner than this is not worth the probe, let alone the wait.
COMPILE_WORTH_SECONDS = 1_200.0


def decide(config: RunConfig) -> Plan:
    """Device, precision, compilation and threads for ``config``; whatever it names itself is taken as it is.

    Raises:
        ConfigError: the device asked for is not on this machine.
        RunError: RESNET_LAB_SLOTS is no number that it may be.
    """
    recipe = config.recipe
    device = pick_device(recipe.device)
    shared_by = max(1, slots()) if device.type == "cpu" else 1
    threads = max(1, _THREADS_AT_START // shared_by)
    torch.set_num_threads(threads)
    plan = Plan(device.type, "fp32", False, threads)
    reason: dict[str, object] = {"machine": machine_name(device)}
    if recipe.precision != "auto":
        precision, reason["precision"] = recipe.precision, "as asked"
    else:
        seconds = _cached(plan, "precision", lambda: _time_precisions(plan, device))
        precision = "bf16" if seconds["bf16"] * MARGIN < seconds["fp32"] else "fp32"
        reason["precision"] = f"probe: bf16 {seconds['fp32'] / seconds['bf16']:.2f} times as fast as fp32 (needs {MARGIN})"
    plan = dataclasses.replace(plan, precision=precision)
    if recipe.compile != "auto":
        compiled, reason["compile"] = recipe.compile == "on", "as asked"
    else:
        compiled, reason["compile"] = _worth_compiling(config, plan, device)
    return dataclasses.replace(plan, compile=compiled, reason=reason)


def machine_name(device: torch.device) -> str:
    """The processor or graphics card, for provenance, e.g. ``AMD EPYC, 2 cores``."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as file:
            name = next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {cores} core{'' if cores == 1 else 's'}"


def step_seconds(model: nn.Module, plan: Plan, batch_size: int, steps: int) -> list[float]:
    """Seconds of each of ``steps`` forward and backward passes on random images, after one that does not count."""
    device = torch.device(plan.device)
    images = torch.randn(batch_size, 3, 32, 32, device=device).contiguous(memory_format=torch.channels_last)
    labels = torch.zeros(batch_size, dtype=torch.int64, device=device)
    seconds = []
    for _ in range(steps + 1):
        begin = time.perf_counter()
        with plan.autocast():
            loss = nn.functional.cross_entropy(model(images).float(), labels)
        loss.backward()
        for parameter in model.parameters():
            parameter.grad = None
        synchronize(device)
        seconds.append(time.perf_counter() - begin)
    return seconds[1:]


def _on_device(config: ModelConfig, device: torch.device) -> nn.Module:
    return build_model(config).to(device, memory_format=torch.channels_last)


def _time_precisions(plan: Plan, device: torch.device) -> dict[str, float]:
    plans = {name: dataclasses.replace(plan, precision=name) for name in ("fp32", "bf16")}
    net = _on_device(PROBE_NET, device)
    seconds: dict[str, list[float]] = {name: [] for name in plans}
    for _ in range(3):  # in turn, so that a machine that slows down slows both
        for name, each in plans.items():
            seconds[name] += step_seconds(net, each, 64, 2)
    return {name: statistics.median(values) for name, values in seconds.items()}


def _worth_compiling(config: RunConfig, plan: Plan, device: torch.device) -> tuple[bool, str]:
    eager = _on_device(config.model, device)
    # The first step of a process warms up; two more tell the order of magnitude.
    expected = min(step_seconds(eager, plan, config.recipe.batch_size, 2)) * config.recipe.iterations
    if expected < COMPILE_WORTH_SECONDS:
        return False, f"about {expected:.0f} s of training; compiling pays from {COMPILE_WORTH_SECONDS:.0f} s on"

    def measure() -> dict[str, float]:
        batch, times = config.recipe.batch_size, {"eager": [], "compiled": []}
        try:
            candidate = compiled(eager, plan.device)
            step_seconds(candidate, plan, batch, 1)
            for _ in range(3):
                times["eager"] += step_seconds(eager, plan, batch, 1)
                times["compiled"] += step_seconds(candidate, plan, batch, 1)
        except Exception as error:  # no compiler, an unsupported device: whatever it is, eager still works
            return {"eager": 1.0, "compiled": float("inf"), "error": f"{type(error).__name__}"}
        return {name: statistics.median(values) for name, values in times.items()}

    model = config.model
    # Not the shortcut: a plain net and its twin are to be computed alike.
    key = f"compile-{model.depth}-{model.width}-{model.block}-{config.recipe.batch_size}-{plan.precision}"
    seconds = _cached(plan, key, measure)
    if "error" in seconds:
        return False, f"torch.compile failed here ({seconds['error']})"
    ratio = seconds["eager"] / seconds["compiled"]
    return ratio > MARGIN, f"probe: compiled {ratio:.2f} times as fast as eager (needs {MARGIN})"


def cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "resnet-lab"


def _cached(plan: Plan, what: str, measure) -> dict[str, float]:
    machine = f"{machine_name(torch.device(plan.device))}|{plan.threads}|{torch.__version__}"
    name = f"probe-{what}-{hashlib.sha256(machine.encode()).hexdigest()[:12]}.json"
    path = cache_folder() / name
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        values = measure()
    if "error" in values:
        return values  # not kept: a compiler may be installed tomorrow
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            json.dump(values, file)
        os.replace(file.name, path)
    except OSError:
        pass  # a cache that cannot be written costs a second at the next run, nothing else
    return values
