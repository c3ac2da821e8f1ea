"""One net on several devices: a process for each, which has a copy of the net and sees its part of every batch (data parallelism).

As the paper trained its CIFAR nets, "with a mini-batch size of 128 on two GPUs" (section 4.2): the batches are those of a training on one
device, cut into equal parts; gradients are averaged over the parts, so that without batch normalisation every update is the same but for
the order of sums. Each replica normalises by the statistics of its own part, and the running statistics that are kept are those of the
first. ``torch.distributed`` does the work: NCCL between graphics cards, Gloo between processes on a CPU.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import math
import os
import pickle
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from resnet_core.errors import ConfigError
from resnet_core.system import with_this_code

if TYPE_CHECKING:
    from resnet_core.config import RunConfig
    from resnet_core.training.checkpoint import TrainingState
    from resnet_core.training.plan import Plan

#: How long one waits for another: the first one tests and saves meanwhile.
_PATIENCE = timedelta(hours=1)
_END_SECONDS = 30.0
_READY = "ready {}"


class Replicas:
    """The group that trains one net, as one of its members sees it.

    Attributes:
        rank: which one this is; 0 makes the batches and keeps the records.
        number: how many there are.
    """

    def __init__(self, rank: int, number: int, device: torch.device, store: dist.Store):
        self.rank, self.number, self._device = rank, number, device
        if device.type == "cuda":
            torch.cuda.set_device(rank)
            self._device = torch.device("cuda", rank)
        kind = "nccl" if device.type == "cuda" else "gloo"
        dist.init_process_group(kind, store=store, rank=rank, world_size=number, timeout=_PATIENCE)

    @classmethod
    @contextlib.contextmanager
    def started(cls, config: RunConfig, plan: Plan, state: TrainingState) -> Iterator[Replicas]:
        """Start the others, and be the first of them; at the end they end.

        Args:
            state: that all of them go on from.

        Raises:
            ConfigError: there are fewer graphics cards than replicas.
        """
        number, device = config.recipe.replicas, torch.device(plan.device)
        if device.type == "cuda" and torch.cuda.device_count() < number:
            there = torch.cuda.device_count()
            raise ConfigError("replicas", "{number} graphics cards are needed, and {there} are here.", number=number, there=there)
        plan = dataclasses.replace(plan, threads=max(1, plan.threads // number))
        content = io.BytesIO()
        torch.save(dataclasses.asdict(state), content)
        before, others = torch.get_num_threads(), []
        with tempfile.TemporaryDirectory(prefix="resnet-lab-") as place:
            meeting = str(Path(place) / "meeting")
            store = dist.FileStore(meeting, number)
            try:
                for rank in range(1, number):
                    others.append(_start((rank, number, meeting, config.to_dict(), plan.to_dict(), content.getvalue())))
                if device.type == "cpu":
                    torch.set_num_threads(plan.threads)
                # One that ends before all have met would be waited for until the patience is over.
                while not store.check([_READY.format(rank) for rank in range(1, number)]):
                    if ended := [other for other in others if other.poll() is not None]:
                        raise RuntimeError(f"another replica ended before it began, with exit status {ended[0].returncode}")
                    time.sleep(0.05)
                group = cls(0, number, device, store)
                yield group
                group._tell(math.nan, None)
                for other in others:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        other.wait(_END_SECONDS)
            finally:
                for other in others:
                    other.kill()
                    other.communicate()
                if dist.is_initialized():
                    dist.destroy_process_group()
                torch.set_num_threads(before)

    def parallel(self, form: nn.Module) -> nn.Module:
        """Give the net in the form whose backward pass averages the gradients over the replicas; all begin with the first one's values."""
        # The statistics of BN stay each replica's own, as on the paper's two cards.
        devices = [self._device] if self._device.type == "cuda" else None
        return DistributedDataParallel(form, device_ids=devices, forward_sync_buffers=False)

    def split(self, rate: float, images: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Send each of the others its part of a batch, and give the first one's own; with the learning rate of this update."""
        self._tell(rate, images.shape)
        rows = images.permute(0, 2, 3, 1).contiguous()  # as they lie in memory
        parts, answers = list(rows.chunk(self.number)), list(labels.chunk(self.number))
        mine, my_labels = torch.empty_like(parts[0]), torch.empty_like(answers[0])
        dist.scatter(mine, parts)
        dist.scatter(my_labels, answers)
        return mine.permute(0, 3, 1, 2), my_labels

    def _tell(self, rate: float, shape: torch.Size | None) -> None:
        header = torch.tensor([rate, *(shape or (0, 0, 0, 0))], dtype=torch.float64, device=self._device)
        dist.broadcast(header, 0)

    def parts(self) -> Iterator[tuple[float, torch.Tensor, torch.Tensor]]:
        """Give what ``split`` sends to this replica: the rate, images and labels; until the first one ends."""
        while True:
            header = torch.empty(5, dtype=torch.float64, device=self._device)
            dist.broadcast(header, 0)
            rate, count, channels, height, width = header.tolist()
            if math.isnan(rate):
                return
            size = int(count) // self.number
            images = torch.empty(size, int(height), int(width), int(channels), device=self._device)
            labels = torch.empty(size, dtype=torch.int64, device=self._device)
            dist.scatter(images)
            dist.scatter(labels)
            yield rate, images.permute(0, 3, 1, 2), labels

    def total(self, loss: torch.Tensor, minimized: torch.Tensor, wrong: torch.Tensor, count: int) -> tuple[Any, Any, Any, int]:
        """Give the batch's own of what each replica has of its part: mean losses, wrong answers, and the images."""
        sums = torch.stack([loss.detach().double(), minimized.detach().double(), wrong.double()])
        dist.all_reduce(sums)
        return sums[0] / self.number, sums[1] / self.number, sums[2].long(), count * self.number


def _start(arguments: tuple[Any, ...]) -> subprocess.Popen[bytes]:
    """Start the process of another replica, which ends with this one: what it reads is then closed."""
    process = subprocess.Popen([sys.executable, "-m", __name__], stdin=subprocess.PIPE, env=with_this_code())
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it has ended, which is seen where it is waited for
        pickle.dump(arguments, process.stdin)
        process.stdin.flush()
    return process


def _end_with_the_first() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


def main() -> None:
    """The process of another replica."""
    from resnet_core.config import RunConfig
    from resnet_core.training.checkpoint import TrainingState
    from resnet_core.training.engine import Trainer
    from resnet_core.training.plan import Plan

    rank, number, meeting, config, plan, state = pickle.load(sys.stdin.buffer)  # written by the process that has started this one
    threading.Thread(target=_end_with_the_first, daemon=True).start()
    decided = Plan.from_dict(plan)
    trainer = Trainer(RunConfig.from_dict(config), None, decided)
    trainer.load_state(TrainingState(**torch.load(io.BytesIO(state), weights_only=True)))
    store = dist.FileStore(meeting, number)
    store.set(_READY.format(rank), "")
    trainer.follow(Replicas(rank, number, torch.device(decided.device), store))
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
