"""``evaluate``, ``responses`` and ``gradients``: what a trained net does, on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resnet_core.cli.follow import progress
from resnet_core.cli.options import at_least_1
from resnet_core.cli.output import emit, percent, table
from resnet_core.cli.which import add_checkpoint, loaded, named
from resnet_core.config import DATASETS, DEVICES, PRECISIONS, DataConfig
from resnet_core.errors import ConfigError, DataError, UserError

if TYPE_CHECKING:
    from resnet_core.data import Cifar10, Split
    from resnet_core.nets.loading import LoadedNet

#: Of ``responses``, if not said otherwise.
RESPONSE_IMAGES = 1_000
#: Of ``gradients``: the paper's batch, a few times.
BATCHES, BATCH_SIZE = 4, 128
Add = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]


def add_commands(add: Add) -> None:
    """The three commands with their options."""
    _add_options(add("evaluate", evaluate, "measure the error of a checkpoint on test images"))
    responses_of = add("responses", responses, "measure how strongly each layer of a checkpoint responds to test images (Fig. 7)")
    text = f"test images, the first of the set (default: {RESPONSE_IMAGES})"
    responses_of.add_argument("--images", type=at_least_1, default=RESPONSE_IMAGES, metavar="N", help=text)
    _add_options(responses_of)
    gradients_of = add("gradients", gradients, "measure the gradient at each layer of a checkpoint on training images")
    text = f"batches of training images that the norms are the mean of (default: {BATCHES})"
    gradients_of.add_argument("--batches", type=at_least_1, default=BATCHES, metavar="N", help=text)
    text = f"images of a batch; one that is asked for is taken whatever its memory (default: {BATCH_SIZE})"
    gradients_of.add_argument("--batch-size", type=at_least_1, metavar="N", help=text)
    _add_options(gradients_of)


def _add_options(command: argparse.ArgumentParser) -> None:
    add_checkpoint(command)
    command.add_argument("--data", default="sample", metavar="{" + ",".join(DATASETS) + "}", help="(default: sample, the embedded one)")
    where = "where the full CIFAR-10 lies (default: RESNET_LAB_DATA, else where it was downloaded to)"
    command.add_argument("--data-dir", metavar="DIR", type=Path, help=where)
    text = "(default: fp32, the checkpoint's own numbers; auto: what is fastest here)"
    command.add_argument("--precision", choices=PRECISIONS, default="fp32", help=text)
    command.add_argument("--device", default="auto", metavar="{" + ",".join(DEVICES) + "}", help="(default: auto)")


def evaluate(args: argparse.Namespace) -> int:
    """``evaluate``: error, loss and confusion on all test images."""
    dataset, net, told = _prepared(args)
    _refuse_other_classes(net, dataset)
    from resnet_core.analysis.evaluation import evaluate_detailed

    split = dataset.test
    with progress("evaluating") as told_far:
        found = evaluate_detailed(net.model, split.images, split.labels, net.normalize, net.plan, progress=told_far)
    told |= found.to_dict()
    if args.json:
        emit(told)
        return 0
    print(_head(told))
    print(f"test error        {percent(found.top1_error)} ({found.wrong:,} of {found.n:,} images)")
    print(f"loss              {found.loss:.4f}\n")
    rows = []
    for i, name in enumerate(dataset.classes):
        # The class that this one is taken for most often; the lowest of equals.
        others = [(count if j != i else -1) for j, count in enumerate(found.confusion[i].tolist())]
        most = max(others)
        taken = f"{dataset.classes[others.index(most)]} ({most:,})" if most > 0 else "-"
        rows.append((name, taken, percent(found.class_errors[i])))
    print(table(("class", "most often taken for", "error"), rows, left=2))
    return 0


def responses(args: argparse.Namespace) -> int:
    """``responses``: the standard deviation of each layer's responses, and F(x) beside x for each block."""
    dataset, net, told = _prepared(args)
    from resnet_core.analysis.responses import layer_responses

    images = _first(dataset.test, args.images, "test", "--images").images
    with progress("responses") as told_far:
        found = layer_responses(net.model, images, net.normalize, net.plan, progress=told_far)
    told |= found.to_dict()
    if args.json:
        emit(told)
        return 0
    print(_head(told) + f"\n{found.n:,} test images; after BN (running statistics), before ReLU or the addition (He et al. 2016, Fig. 7)\n")
    print(table(("layer", "name", "std"), [(str(i), name, _number(std)) for i, (name, std) in _numbered(found.names, found.std)], left=2))
    columns = zip(found.blocks, found.dimensions_change, found.branch_rms, found.shortcut_rms, found.ratio, strict=True)
    rows = [(name, "yes" if change else "", *map(_number, sizes)) for name, change, *sizes in columns]
    print(f"\n{'Root mean squares.' if found.has_addition else 'Root mean squares. A plain net adds nothing: F(x) is the whole block.'}")
    print(table(("block", "dimensions change", "|F(x)|", "|shortcut|" if found.has_addition else "|x|", "ratio"), rows, left=2))
    return 0


def gradients(args: argparse.Namespace) -> int:
    """``gradients``: the norm of each layer's gradient, mean over batches of training images."""
    size = args.batch_size or BATCH_SIZE
    if size < 2:
        raise ConfigError("batch_size", "1 is out of range; batch statistics need at least 2 images.")
    dataset, net, told = _prepared(args)
    _refuse_other_classes(net, dataset)
    from resnet_core.analysis.gradients import BatchTooLarge, layer_gradients

    split = _first(dataset.train, args.batches * size, "training", "--batches times --batch-size")
    try:
        with progress("gradients") as told_far:
            found = layer_gradients(
                net.model, split.images, split.labels, net.normalize, net.plan,
                batches=args.batches, batch_size=size, bounded=args.batch_size is None, progress=told_far,
            )  # fmt: skip
    except BatchTooLarge as error:
        fewer = f"--batch-size {error.fits} does so; " if error.fits else ""
        raise UserError(f"{error} {fewer}--batch-size {size} takes them all, for a machine that has the memory.") from error
    told |= found.to_dict()
    if args.json:
        emit(told)
        return 0
    count = f"{told['batches']:,} batch{'es' if told['batches'] > 1 else ''}"
    print(_head(told) + f"\n{count} of {found.batch_size:,} training images, BN with the statistics of the batch\n")
    norms = zip(found.gradient_norm, found.response_gradient, strict=True)
    rows = [(str(i), name, _number(weight), _number(response)) for i, (name, (weight, response)) in _numbered(found.names, norms)]
    print(table(("layer", "name", "gradient norm", "gradient of the responses"), rows, left=2))
    return 0


def _numbered(names: tuple[str, ...], values: Any) -> Iterator[tuple[int, tuple[str, Any]]]:
    return iter(enumerate(zip(names, values, strict=True), 1))


def _number(value: float) -> str:
    return f"{value:#.4g}"


def _prepared(args: argparse.Namespace) -> tuple[Cifar10, LoadedNet, dict[str, Any]]:
    """The data, the net, and what is told of both. What is quick to be found wrong comes first: an option, the data, the name."""
    from resnet_core import data

    config = DataConfig(args.data)
    data.check(config, args.data_dir)
    with named(args) as net:
        found = loaded(net, args, args.precision)
    net = found.net
    told = {
        "checkpoint": net.id,
        "net": net.model.name,
        "data": args.data,
        "precision": found.plan.precision,
        "normalization": net.card.get("normalization") or "training mean",
    }
    if found.side != 32:
        told["enlarged_to"] = found.side
    return data.load(config, args.data_dir), found, told


def _first(split: Split, count: int, kind: str, option: str) -> Split:
    if count > len(split):
        raise DataError(f"{count:,} images are asked for by {option}, and there are {len(split):,} {kind} images; ask for fewer.")
    return split.part(0, count)


def _refuse_other_classes(loaded: LoadedNet, dataset: Cifar10) -> None:
    """Raises DataError if the images are not of the net's classes: what was counted would be taken for its error."""
    classes, here = loaded.net.model.num_classes, len(dataset.classes)
    if classes != here:
        raise DataError(
            f"{loaded.net.name} tells {classes:,} classes apart, and these images are of CIFAR-10's {here}, which are not its own: no "
            "error can be counted on them, and no loss. Its layer responses can be measured all the same."
        )


def _head(told: dict[str, Any]) -> str:
    data = {"sample": "the embedded sample", "cifar10": "full CIFAR-10"}[told["data"]]
    what = f"{told['net']} on {data}, {told['precision']}, input normalised by {told['normalization']}"
    if side := told.get("enlarged_to"):
        what += f", images enlarged to {side}x{side}"
    return f"{told['checkpoint']}: {what}" if told["checkpoint"] != told["net"] else what
