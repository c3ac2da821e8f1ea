"""Images per second from a folder of pictures, ours and torchvision's ImageFolder with a DataLoader in turn; and the memory of a training.

    python benchmarks/pictures.py [--data-dir DIR] [--pictures 2000] [--side 64] [--rounds 3]
    python benchmarks/pictures.py --memory 20000 [--side 64]

The folder is made of CIFAR-10's training images (of the sample, or with --data-dir of the full set), enlarged to 200x150, half as JPEG,
half as PNG. Both ways make batches of 128 random resized crops with flips, float32 in the process that would train. Ours keeps the pictures
decoded at 256/224 of the side, as the paper's scales are; a first epoch of ours decodes them and takes their mean image, a first epoch of
theirs starts the workers. The ways take turns, and each is told by its fastest turn.

With --memory, a ResNet-20 is trained for 20 iterations on so many pictures, in a process that has not decoded them, and its memory looked
at ten times a second: its own, and pages of mapped files (libraries too), which the system may take away at any time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

SIZE, BATCH, WORKERS, ITERATIONS = (200, 150), 128, 2, 20


def make_folder(folder: Path, count: int, data_dir: str | None) -> None:
    """Write ``count`` pictures into ``folder``/CLASS/, every other one as JPEG, the rest as PNG."""
    from PIL import Image

    from resnet_core.config import DataConfig
    from resnet_core.data import load

    data = load(DataConfig("cifar10" if data_dir else "sample"), data_dir)
    for name in data.classes:
        (folder / name).mkdir(parents=True)
    for i in range(count):
        place = i % len(data.train)
        pixels = data.train.images[place].permute(1, 2, 0).contiguous().numpy()
        picture = Image.fromarray(pixels).resize(SIZE, Image.Resampling.BICUBIC)
        picture.save(folder / data.classes[int(data.train.labels[place])] / f"{i}.{('jpg', 'png')[i % 2]}", quality=90)


class Ours:
    """The pictures decoded once and mapped, batches made by ``Batches``."""

    def __init__(self, folder: Path, side: int):
        from resnet_core.data import pictures

        self.folder, self.found = folder, pictures.look(folder, side, round(side * 256 / 224), test_part=0.01)

    def first(self) -> int:
        """Decode all pictures and make an epoch of batches; returns the images in it."""
        from resnet_core.config import DataConfig
        from resnet_core.data import Batches, load, per_pixel_mean, pictures

        pictures.forget(self.found)
        train = load(DataConfig("pictures", pictures=self.found), self.folder).train
        self.batches = Batches(train, per_pixel_mean(train, self.found.side), BATCH, 0, "cpu", "resized", side=self.found.side)
        self.epochs, self.steps = 0, len(train) // BATCH
        return self.later()

    def later(self) -> int:
        """Make another epoch of batches."""
        for iteration in range(self.epochs * self.steps, (self.epochs + 1) * self.steps):
            self.batches(iteration)
        self.epochs += 1
        return self.steps * BATCH


class Theirs:
    """``ImageFolder``, torchvision's transforms on PIL images, a ``DataLoader`` whose workers stay."""

    def __init__(self, folder: Path, side: int):
        from torchvision import transforms

        self.folder = folder
        self.transform = transforms.Compose(
            [
                transforms.RandomResizedCrop(side),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
            ]
        )

    def first(self) -> int:
        """Start workers and make an epoch of batches; returns the images in it."""
        from torch.utils.data import DataLoader
        from torchvision.datasets import ImageFolder

        data = ImageFolder(str(self.folder), self.transform)
        self.loader = DataLoader(data, BATCH, shuffle=True, num_workers=WORKERS, drop_last=True, persistent_workers=True)
        return self.later()

    def later(self) -> int:
        """Make another epoch of batches."""
        return sum(len(labels) for _, labels in self.loader)


def speed(call: Callable[[], int]) -> float:
    begin = time.perf_counter()
    images = call()
    return images / (time.perf_counter() - begin)


def compare(folder: Path, side: int, rounds: int) -> dict[str, Any]:
    """Images per second of both, by epoch: in each round a first and a later one of each, in turn."""
    ways = {"ours": Ours(folder, side), "torchvision": Theirs(folder, side)}
    found: dict[str, dict[str, list[float]]] = {name: {"first": [], "later": []} for name in ways}
    for _ in range(rounds):
        for epoch in ("first", "later"):
            for name, way in ways.items():
                found[name][epoch].append(round(speed(getattr(way, epoch)), 1))
    told: dict[str, Any] = {"images_per_second": found}
    for epoch in ("first", "later"):
        told[f"{epoch}_ratio"] = round(max(found["ours"][epoch]) / max(found["torchvision"][epoch]), 2)
    return told


def memory() -> dict[str, float]:
    """This process's memory in MB: resident, its own, pages of files."""
    import psutil

    info = psutil.Process().memory_info()
    return {"rss": round(info.rss / 1e6), "own": round((info.rss - info.shared) / 1e6), "mapped": round(info.shared / 1e6)}


def train(folder: Path, side: int) -> Iterator[tuple[str, dict[str, float]]]:
    """A training on pictures that are decoded already: what it is doing, and its memory then; of a training, the most of each."""
    import dataclasses

    from resnet_core.architectures import parse
    from resnet_core.config import DataConfig, Recipe, RunConfig
    from resnet_core.data import load
    from resnet_core.training.engine import Trainer
    from resnet_core.training.plan import Plan

    config = DataConfig("pictures", pictures=Ours(folder, side).found)
    model = dataclasses.replace(parse("ResNet-20"), num_classes=config.classes)
    recipe = Recipe(iterations=ITERATIONS, batch_size=BATCH, augmentation="resized", layers_every=ITERATIONS, test_every=ITERATIONS)
    yield "imported", memory()
    data = load(config, folder)
    yield "loaded", memory()
    trainer = Trainer(RunConfig(model, config, recipe), data, Plan(threads=os.cpu_count() or 1))
    yield "mean image taken", memory()
    looks, ended = [memory()], threading.Event()

    def look() -> None:
        while not ended.wait(0.1):
            looks.append(memory())

    watch = threading.Thread(target=look)
    watch.start()
    list(trainer.run())
    ended.set()
    watch.join()
    yield "training, the most", {key: max(each[key] for each in looks) for key in looks[0]}
    yield "images decoded", {"MB": round(data.train.images.nbytes / 1e6)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", help="the full CIFAR-10, to make the pictures of (default: the embedded sample)")
    parser.add_argument("--pictures", type=int, default=2000, help="in the folder (default: 2000)")
    parser.add_argument("--side", type=int, default=64, help="of the images in a batch (default: 64)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each (default: 3)")
    parser.add_argument("--memory", type=int, metavar="N", help="tell the memory of a training on N pictures instead")
    parser.add_argument("--decoded", help=argparse.SUPPRESS)  # the folder, for the process that trains
    arguments = parser.parse_args()
    if arguments.decoded:
        print(json.dumps(dict(train(Path(arguments.decoded), arguments.side))))
        return

    import psutil

    from resnet_core.config import DataConfig
    from resnet_core.data import load

    with tempfile.TemporaryDirectory() as scratch:
        os.environ["XDG_CACHE_HOME"] = str(Path(scratch) / "cache")
        folder = Path(scratch) / "pictures"
        make_folder(folder, arguments.memory or arguments.pictures, arguments.data_dir)
        told: dict[str, Any] = {"side": arguments.side, "cores": os.cpu_count(), "busy_percent_before": psutil.cpu_percent(2)}
        if arguments.memory:
            load(DataConfig("pictures", pictures=Ours(folder, arguments.side).found), folder)
            command = [sys.executable, __file__, "--decoded", str(folder), "--side", str(arguments.side)]
            told |= {"pictures": arguments.memory} | json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        else:
            told |= {"pictures": arguments.pictures} | compare(folder, arguments.side, arguments.rounds)
        told["load_after"] = round(os.getloadavg()[0], 2)
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
