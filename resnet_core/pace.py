"""How fast this machine trains, for an estimate before it has trained anything: measured once, at low priority, and kept. Without torch.

For example::

    python -m resnet_core.pace  # measures and keeps it: about ten seconds

What a training has shown counts for more. Where the yardstick is trained on one thread of a processor, the processor time of its quickest
step is taken: other work makes a step last longer, not take more. Even so the first worker that stands by a day later measures again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import resnet_core
from resnet_core import atomic
from resnet_core.config import RunConfig, demo_configs
from resnet_core.system import cache_folder, processor

#: Steps that do not count, and steps of which the quickest does.
_WARM, _STEPS = 3, 10
#: Of the time that a step takes, with what is done between steps: records, layer statistics, tests.
_OVERHEAD = 1.1
#: A speed kept for longer than this is measured again: machines change in ways that no name tells.
_GOOD_FOR = timedelta(days=1)


@dataclass(frozen=True)
class Kept:
    """A measured speed: of which device, in which precision, in images per second of the demo's ResNet-20, and when, as ISO 8601."""

    images_per_second: float
    device: str
    precision: str
    measured: str

    @property
    def is_old(self) -> bool:
        """Whether it is to be measured again; until then it is the best that is known."""
        return datetime.now(UTC) - datetime.fromisoformat(self.measured) > _GOOD_FOR


def yardstick() -> RunConfig:
    """The training that is measured: the demo's ResNet-20."""
    return next(config for config in demo_configs(0) if config.model.name == "ResNet-20")


def _circumstances() -> dict[str, object]:
    # Not asked of the kernels themselves, as that loads torch.
    source = b"".join(each.read_bytes() for each in sorted((Path(resnet_core.__file__).parent / "kernels").glob("*.cpp")))
    kernels = os.environ.get("RESNET_LAB_KERNELS", "").lower() or hashlib.sha256(source).hexdigest()[:12]
    return {"machine": processor(), "torch": version("torch"), "kernels": kernels}


def kept() -> Kept | None:
    """Return what was measured on this machine with this torch, or None."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        values = json.loads((cache_folder() / "pace.json").read_text())
        found = Kept(float(values["images_per_second"]), str(values["device"]), str(values["precision"]), str(values["measured"]))
        if values["circumstances"] == _circumstances() and found.images_per_second > 0 and datetime.fromisoformat(found.measured).tzinfo:
            return found
    return None


def begin() -> subprocess.Popen[bytes] | None:
    """Start the measurement in a process of its own, which ends with this one; None where it cannot be started."""
    env = os.environ | {"PYTHONPATH": str(Path(resnet_core.__file__).parents[1])}
    quiet = subprocess.DEVNULL
    with contextlib.suppress(OSError):
        command = [sys.executable, "-P", "-m", "resnet_core.pace"]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, env=env, start_new_session=True)
    return None


def measure() -> Kept:
    """Time training steps of the yardstick as it would be trained here: device, precision and threads as ``auto`` means them."""
    import torch

    from resnet_core.architectures.net import build_model, training_form
    from resnet_core.training import probe
    from resnet_core.training.device import pick_device, synchronize
    from resnet_core.training.timing import training_step

    config = yardstick()
    plan, device = probe.decide(config), pick_device(config.recipe.device)
    net = build_model(config.model).to(device).to(memory_format=torch.channels_last)
    step = training_step(plan.prepared(training_form(net)), plan, config.recipe.batch_size)
    clock = time.thread_time if plan.device == "cpu" and plan.threads == 1 else time.perf_counter
    seconds = []
    for _ in range(_WARM + _STEPS):
        begun = clock()
        step()
        synchronize(device)
        seconds.append(clock() - begun)
    speed = config.recipe.batch_size / (_OVERHEAD * min(seconds[_WARM:]))
    return Kept(speed, plan.device, plan.precision, datetime.now(UTC).isoformat(timespec="seconds"))


def keep() -> Kept:
    """Measure, and keep it for the machine. Raises OSError where the cache cannot be written."""
    found = measure()
    path = cache_folder() / "pace.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(path) as written:
        written.write_text(json.dumps({**asdict(found), "circumstances": _circumstances()}, indent=1))
    return found


def main() -> None:
    """The process itself."""
    from resnet_core.apart import end_with_parent

    if not sys.stdin.isatty():
        end_with_parent()
    if hasattr(os, "nice"):
        os.nice(10)
    found = keep()
    print(f"{found.images_per_second:.0f} images per second of {yardstick().model.name} ({found.device}, {found.precision})")


if __name__ == "__main__":
    main()
