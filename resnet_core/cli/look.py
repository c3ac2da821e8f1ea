"""``predict`` and ``neighbours``: what a net says of images, and what it finds like one."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resnet_core.analysis.protocols import PROTOCOLS, Protocol, chosen
from resnet_core.cli.options import Add
from resnet_core.cli.output import emit, note
from resnet_core.cli.which import add_checkpoint, add_how, add_images, images_for, named
from resnet_core.cli.which import loaded as load_as_asked
from resnet_core.config import DEVICES, PRECISIONS, DataConfig
from resnet_core.errors import DataError
from resnet_core.images import SIDE, ImageRefused, Picture, all_inputs, read_file, whole_square
from resnet_core.nets import Net
from resnet_core.runs import RunStore

if TYPE_CHECKING:
    import numpy as np

    from resnet_core.data import Cifar10

#: An image of the data set instead of a file; ``./test:3`` is a file.
_OF_THE_SET = re.compile(r"(test|train):(\d+)")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True, eq=False)
class Shown:
    """An image as the net sees it.

    Attributes:
        name: the file's, or ``test:INDEX``.
        inputs: side -> uint8 (side, side, 3), for nets of that size; an image of the data set in its own size alone.
        notes: what was done to it.
        label: its class in its data set, if it is known.
        whole: of a file uint8 (256, 256, 3), that more views than one are made of for larger nets.
    """

    name: str
    inputs: Mapping[int, np.ndarray]
    notes: tuple[str, ...] = ()
    label: int | None = None
    whole: np.ndarray | None = None

    def for_views(self, side: int, protocol: Protocol) -> np.ndarray:
        """What the views of a protocol are made of, for a net of that size."""
        return self.whole if protocol.is_wider and side > SIDE and self.whole is not None else self.at(side)

    def at(self, side: int) -> np.ndarray:
        """What a net for images of ``side`` pixels is given; it enlarges those of the data set itself."""
        return self.inputs[side] if side in self.inputs else next(iter(self.inputs.values()))

    def notes_at(self, side: int) -> tuple[str, ...]:
        """``notes``, and whether it is enlarged for the net."""
        return self.notes if side in self.inputs else (*self.notes, f"enlarged to {side}x{side}")


def add_commands(add: Add) -> None:
    """The two commands with their options."""
    said = add("predict", predict)
    _add_options(said, several=True, of="which set test:INDEX is of")
    text = "views of an image, whose answers are averaged; see evaluate (default: single)"
    said.add_argument("--protocol", default="single", metavar="{" + ",".join(PROTOCOLS) + "}", help=text)
    near = add("neighbours", neighbours)
    _add_options(near, several=False, of="whose training images")


def _add_options(command: argparse.ArgumentParser, several: bool, of: str) -> None:
    """What both take. ``several``: one image or more."""
    add_checkpoint(command)
    image = "a PNG, JPEG or WebP file, or an image of the data set: test:INDEX or train:INDEX"
    command.add_argument("image", metavar="IMAGE", nargs="+" if several else 1, help=image)
    add_how(command)
    add_images(command, of)
    command.add_argument("--device", choices=DEVICES, default="auto", help="(default: auto)")
    command.add_argument("--precision", choices=PRECISIONS, default="fp32", help="(default: fp32, as on the page)")


def predict(args: argparse.Namespace) -> int:
    """``predict``: the probabilities of all classes for each image."""
    import numpy as np

    from resnet_core.analysis import prediction

    protocol = chosen(args.protocol)
    with named(args) as net:
        config, folder = images_for(args, net)
        shown, _ = read_images(args, config, folder)
        loaded = load_as_asked(net, args, args.precision)
    views = [prediction.stack([each.for_views(loaded.side, protocol)]) for each in shown]
    probabilities = np.concatenate([prediction.predict(loaded, each, protocol.key) for each in views])
    names = prediction.class_names(net)
    true = [true_class(each, net, config) for each in shown]
    if args.json:
        emit(
            {
                "net": net.id,
                "classes": list(names),
                "probabilities": [[float(f"{p:.6g}") for p in row] for row in probabilities.tolist()],
                "images": [
                    {
                        "image": each.name,
                        "predicted": names[row.argmax()],
                        "true": None if label is None else names[label],
                        "notes": list(each.notes_at(loaded.side)),
                    }
                    for each, row, label in zip(shown, probabilities, true, strict=True)
                ],
                "protocol": protocol.key,
                "how": args.how,
                "precision": loaded.plan.precision,
            }
        )
        return 0
    print(f"{net.name}, {protocol.title}, {loaded.plan.precision}")
    for each, row, label in zip(shown, probabilities, true, strict=True):
        print("\n" + _head(each, loaded.side))
        width = max(len(names[i]) for i, _ in prediction.top(row))
        for i, probability in prediction.top(row):
            print(f"  {names[i]:<{width}}  {100 * probability:6.2f} %{'  (true class)' if i == label else ''}")
        if label is not None and label not in [i for i, _ in prediction.top(row)]:
            print(f"  not among them: {names[label]}, the true class, {100 * row[label]:.2f} %")
    return 0


def neighbours(args: argparse.Namespace) -> int:
    """``neighbours``: the six training images that are nearest to an image in the net's feature space."""
    from tqdm import tqdm

    from resnet_core.analysis import neighbours as search
    from resnet_core.analysis.prediction import stack
    from resnet_core.data import load

    with named(args) as net:
        config, folder = images_for(args, net)
        (shown,), data = read_images(args, config, folder)
        data = data or load(config, folder)
        loaded = load_as_asked(net, args, args.precision)
    home = RunStore(args.home).home
    with tqdm(desc=f"features of the {len(data.train):,} training images", unit=" images", disable=None, leave=False, delay=0.5) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        index = search.cached_index(loaded, data.train.images, config.key, home, progress)
    if index.problem:
        note(index.problem)
    found, distances = index.nearest(search.features(loaded, stack([shown.at(loaded.side)], loaded.side))[0])
    labels = data.train.labels[found].tolist()
    if args.json:
        emit(
            {
                "net": net.id,
                "image": shown.name,
                "notes": list(shown.notes_at(loaded.side)),
                "data": config.dataset,
                "how": args.how,
                "precision": loaded.plan.precision,
                "indices": found.tolist(),
                "labels": labels,
                "classes": [data.classes[label] for label in labels],
                "distances": distances.tolist(),
            }
        )
        return 0
    print(f"{net.name}, {loaded.plan.precision}: nearest of {len(data.train):,} training images ({config.title})")
    print(f"\n{_head(shown, loaded.side)}")
    for i, label, distance in zip(found, labels, distances, strict=True):
        print(f"  train:{i:<6} {data.classes[label]:<11} distance {distance:.4g}")
    return 0


def _head(shown: Shown, side: int) -> str:
    notes = shown.notes_at(side)
    return shown.name + (f" ({'; '.join(notes)})" if notes else "")


def true_class(shown: Shown, net: Net, config: DataConfig) -> int | None:
    """The class of an image, where the net's outputs are those of the data set."""
    return None if net.refusal(config) else shown.label


def _of_file(picture: Picture, how: str) -> Shown:
    return Shown(picture.name, all_inputs(picture, how), picture.notes, whole=whole_square(picture, how))


def read_images(args: argparse.Namespace, config: DataConfig, folder: Path | None) -> tuple[list[Shown], Cifar10 | None]:
    """The images in the order asked for, and the data set, if any of them is of it.

    Raises:
        ImageRefused: one or more files cannot be used; all of them are named.
        DataError: the set has no such image.
    """
    given: Sequence[str] = args.image
    matches = [_OF_THE_SET.fullmatch(text) for text in given]
    # Files first: what is wrong with them is told at once, without a data set or torch.
    read: list[Any] = []
    refused = []
    for text, match in zip(given, matches, strict=True):
        try:
            if _ADDRESS.match(text):
                raise ImageRefused(f"{text} is an address on the web; nothing is fetched from there. Download it, and name the file.")
            picture = None if match else read_file(text)
        except ImageRefused as error:
            refused.append(str(error))
        else:
            read.append(picture and _of_file(picture, args.how))
    if refused:
        raise ImageRefused(" ".join(refused))
    data = None
    if any(matches):
        from resnet_core.data import load

        data = load(config, folder)
    for k, match in enumerate(matches):
        if match:
            split, index = getattr(data, match[1]), int(match[2])
            if index >= len(split):
                raise DataError(f"{match[0]}: the {match[1]} set of {config.title} has {len(split):,} images, 0 to {len(split) - 1:,}.")
            pixels = split.images[index].permute(1, 2, 0).contiguous().numpy()
            read[k] = Shown(match[0], {len(pixels): pixels}, (), int(split.labels[index]))
    return read, data
