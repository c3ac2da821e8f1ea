"""Ratios of speed that do not depend on what else the machine does, and where clear ones are kept.

On a CPU each contender is timed on one thread by the processor time that this thread has used: a busy machine makes a step last longer, but
does not make it take more work. The contenders take turns, and their quickest steps are compared. An answer is kept for as long as the
machine, its driver and torch are the same, and only if it is clear; another is measured anew by whoever asks next.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import nn

from resnet_core import atomic
from resnet_core.system import cache_folder, processor
from resnet_core.training.device import synchronize
from resnet_core.training.plan import Plan

#: A challenger (bf16, the compiler) must be so many times as fast: a close race is noise, and fp32 eager is the simpler.
MARGIN = 1.25
#: An answer this near to ``MARGIN`` could fall on the other side next time: it is used, and not kept.
UNCLEAR = 0.1


@dataclass(frozen=True)
class Answer:
    """How two ways compare on this machine.

    Attributes:
        ratio: how many times as fast as the usual way the challenger is.
        seconds: of one step the usual way, on one thread of a CPU.
        measured: when, as ISO 8601.
        kept: whether it comes from an earlier measurement.
    """

    ratio: float
    seconds: float
    measured: str
    kept: bool = False

    @property
    def wins(self) -> bool:
        """Whether the challenger is to be used."""
        return self.ratio >= MARGIN

    @property
    def is_clear(self) -> bool:
        return abs(self.ratio - MARGIN) > UNCLEAR


def machine_name(device: torch.device) -> str:
    """Name the processor or graphics card, for provenance, e.g. ``AMD EPYC, 2 cores``."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else processor()


def compare(usual: Callable[[], object], challenger: Callable[[], object], device: torch.device, rounds: int = 8) -> Answer:
    """Time one call of each, in turn, ``rounds`` times after one that does not count, and compare the quickest of both."""
    fastest: dict[str, float] = {}
    with _one_thread(device):
        for number in range(rounds + 1):
            for name, step in (("usual", usual), ("challenger", challenger)):
                seconds = _seconds(step, device)
                if number:
                    fastest[name] = min(seconds, fastest.get(name, seconds))
    return Answer(fastest["usual"] / fastest["challenger"], fastest["usual"], datetime.now(UTC).isoformat(timespec="seconds"))


def quickest(step: Callable[[], object], device: torch.device, rounds: int = 2) -> float:
    """Seconds of the quickest of ``rounds`` calls after one that does not count; on a CPU of one thread's processor time."""
    with _one_thread(device):
        return min([_seconds(step, device) for _ in range(rounds + 1)][1:])


def training_step(model: nn.Module, plan: Plan, batch_size: int, side: int = 32) -> Callable[[], None]:
    """Make one forward and backward pass on random images, of (batch_size, 3, side, side), under the plan."""
    device = torch.device(plan.device)
    images = torch.randn(batch_size, 3, side, side, device=device).contiguous(memory_format=torch.channels_last)
    labels = torch.zeros(batch_size, dtype=torch.int64, device=device)

    def step() -> None:
        with plan.autocast():
            loss = nn.functional.cross_entropy(model(images).float(), labels)
        loss.backward()
        for parameter in model.parameters():
            parameter.grad = None

    return step


def _seconds(step: Callable[[], object], device: torch.device) -> float:
    # Autograd runs the backward pass of a CPU's graph in the thread that asks for it, so this thread's time has all of it.
    clock = time.thread_time if device.type == "cpu" else time.perf_counter
    synchronize(device)
    begin = clock()
    step()
    synchronize(device)
    return clock() - begin


@contextlib.contextmanager
def _one_thread(device: torch.device) -> Iterator[None]:
    threads = torch.get_num_threads()
    try:
        if device.type == "cpu":
            torch.set_num_threads(1)
        yield
    finally:
        torch.set_num_threads(threads)


# -- what is kept ----------------------------------------------------------------------------------------------------------


def kept(device: torch.device, what: str) -> Answer | None:
    """The kept answer to the question ``what``, or None."""
    try:
        values = json.loads(_path(device, what).read_text())["answer"]
        answer = Answer(float(values["ratio"]), float(values["seconds"]), str(values["measured"]), kept=True)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return answer if answer.is_clear and answer.seconds > 0 else None


def asked(device: torch.device, what: str, measure: Callable[[], Answer]) -> Answer:
    """The kept answer to the question ``what``; else what ``measure`` finds, kept if it is clear."""
    answer = kept(device, what)
    if answer is not None:
        return answer
    answer = measure()
    if answer.is_clear:
        _keep(device, what, answer)
    return answer


def forget(device: torch.device) -> None:
    """Forget all answers for this machine, so that whoever asks next measures anew."""
    for path in cache_folder().glob(f"probe-*-{_machine_key(device)}.json"):
        path.unlink(missing_ok=True)


def _keep(device: torch.device, what: str, answer: Answer) -> None:
    path = _path(device, what)
    values = {"what": what, **_circumstances(device), "answer": {k: v for k, v in asdict(answer).items() if k != "kept"}}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic.replacing(path) as written:
            written.write_text(json.dumps(values, indent=1))
    except OSError:
        pass  # a cache that cannot be written costs a second at the next run, nothing else


def _path(device: torch.device, what: str) -> Path:
    return cache_folder() / f"probe-{what}-{_machine_key(device)}.json"


def _machine_key(device: torch.device) -> str:
    return hashlib.sha256(json.dumps(_circumstances(device), sort_keys=True).encode()).hexdigest()[:12]


def _circumstances(device: torch.device) -> dict[str, Any]:
    """What an answer holds for: with another of these it is asked anew."""
    found = {"machine": machine_name(device), "torch": torch.__version__, "instructions": torch.backends.cpu.get_cpu_capability()}
    if device.type == "cuda":
        found["cuda"] = str(torch.version.cuda)
        with contextlib.suppress(OSError):
            found["driver"] = Path("/proc/driver/nvidia/version").read_text().splitlines()[0]
    return found
