"""``evaluate``, ``responses`` and ``gradients``: what a trained net does, on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from resnet_core.analysis.protocols import ENLARGED, PROTOCOLS, SELECTS_NOTHING, Protocol, chosen
from resnet_core.cli.follow import progress
from resnet_core.cli.options import AUTO, Add, at_least_1
from resnet_core.cli.output import emit, percent, table
from resnet_core.cli.which import add_checkpoint, add_images, images_for, loaded, named
from resnet_core.config import DEVICES, PRECISIONS, DataConfig
from resnet_core.datasets import PICTURES
from resnet_core.errors import ConfigError, DataError, UserError

if TYPE_CHECKING:
    from resnet_core.data import Cifar10, Split
    from resnet_core.nets.loading import LoadedNet

#: Of ``responses``, if not said otherwise.
RESPONSE_IMAGES = 1_000
#: Of ``gradients``: the paper's batch, a few times.
BATCHES, BATCH_SIZE = 4, 128


def add_commands(add: Add) -> None:
    """The three commands with their options."""
    error_of = add("evaluate", evaluate)
    text = f"how it is tested: {', '.join(PROTOCOLS)}; several with commas between them, or all (default: single)"
    error_of.add_argument("--protocol", default="single", metavar="KEY,...", help=text)
    text = "further nets of the same classes, whose softmax is averaged with that of CHECKPOINT"
    error_of.add_argument("--ensemble", nargs="+", default=[], metavar="CHECKPOINT", help=text)
    _add_options(error_of)
    responses_of = add("responses", responses)
    text = f"test images, the first of the set (default: {RESPONSE_IMAGES})"
    responses_of.add_argument("--images", type=at_least_1, default=RESPONSE_IMAGES, metavar="N", help=text)
    _add_options(responses_of)
    gradients_of = add("gradients", gradients)
    text = f"batches of training images that the norms are the mean of (default: {BATCHES})"
    gradients_of.add_argument("--batches", type=at_least_1, default=BATCHES, metavar="N", help=text)
    text = f"images of a batch; one that is asked for is taken whatever its memory (default: {BATCH_SIZE})"
    gradients_of.add_argument("--batch-size", type=at_least_1, metavar="N", help=text)
    _add_options(gradients_of)


def _add_options(command: argparse.ArgumentParser) -> None:
    add_checkpoint(command)
    add_images(command)
    text = "(default: fp32, the checkpoint's own numbers; auto: what is fastest here)"
    command.add_argument("--precision", choices=PRECISIONS, default="fp32", help=text)
    command.add_argument("--device", default="auto", metavar="{" + ",".join(DEVICES) + "}", help="(default: auto)")


def evaluate(args: argparse.Namespace) -> int:
    """``evaluate``: error, loss and confusion on all test images; under several protocols, or of an ensemble, a table of errors."""
    protocols = list(PROTOCOLS.values()) if args.protocol == "all" else [chosen(key) for key in args.protocol.split(",")]
    dataset, net, told, head = _prepared(args, labelled=True)
    if args.ensemble or args.protocol != "single":
        return _examine(args, [net, *(_another(args, name) for name in args.ensemble)], protocols, dataset.test, told, head)
    from resnet_core.analysis.evaluation import evaluate_detailed

    split = dataset.test
    with progress("evaluating") as told_far:
        found = evaluate_detailed(net.model, split.images, split.labels, net.normalize, net.plan, progress=told_far)
    told |= found.to_dict()
    if args.json:
        emit(told)
        return 0
    print(head)
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


def _another(args: argparse.Namespace, name: str) -> LoadedNet:
    """A further net of the ensemble: what the options say of CHECKPOINT's file is not said of its own."""
    given = argparse.Namespace(**vars(args) | {"checkpoint": name, "normalization": None, "shortcut": AUTO})
    with named(given) as net:
        return loaded(net, given, args.precision)


def _examine(
    args: argparse.Namespace, nets: list[LoadedNet], protocols: list[Protocol], split: Split, told: dict[str, Any], head: str
) -> int:
    """Print or emit a row for each net under each protocol, and for all of them as an ensemble."""
    from resnet_core.analysis.evaluation import examine

    with progress("evaluating") as told_far:
        found = examine(nets, split.images, split.labels, protocols, progress=told_far)
    if args.json:
        emit(told | {"selects_nothing": str(SELECTS_NOTHING), "results": [each.to_dict() for each in found]})
        return 0
    print(head + f"\n{len(split):,} test images; passes and MACs are those of one image\n")
    rows = []
    for each in found:
        name = f"ensemble of {len(each.nets)}" if len(each.nets) > 1 else each.nets[0]
        cells = ("-", "-", "-", "-", "-")
        if result := each.evaluation:
            counts = (percent(result.top1_error), f"{result.wrong:,}", f"{result.loss:.4f}")
            cells = (f"{each.cost.passes}", f"{each.cost.macs:,}", *counts)
        rows.append((each.protocol, name, *cells))
    reasons = dict.fromkeys(each.why_not for each in found if each.why_not)
    print(table(("protocol", "net", "passes", "MACs", "error", "wrong", "loss"), rows, left=2) + "\n")
    print("\n".join([*(f"-: {why}" for why in reasons), *(f"{each.key}: {each.method} ({each.source})" for each in protocols)]))
    if len(nets) > 1:
        print(f"ensemble: mean of the softmax of {', '.join(one.net.name for one in nets)} (He et al. 2016, section 4.1)")
    if any(each.is_wider for each in protocols):
        print(f"\n{ENLARGED}")
    if len(found) > 1:
        print(f"\n{SELECTS_NOTHING}")
    return 0


def responses(args: argparse.Namespace) -> int:
    """``responses``: the standard deviation of each layer's responses, and F(x) beside x for each block."""
    dataset, net, told, head = _prepared(args)
    from resnet_core.analysis.responses import layer_responses

    images = _first(dataset.test, args.images, "test", "--images").images
    with progress("responses") as told_far:
        found = layer_responses(net.model, images, net.normalize, net.plan, progress=told_far)
    told |= found.to_dict()
    if args.json:
        emit(told)
        return 0
    print(head + f"\n{found.n:,} test images; after BN (running statistics), before ReLU or the addition (He et al. 2016, Fig. 7)\n")
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
    dataset, net, told, head = _prepared(args, labelled=True)
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
    print(head + f"\n{count} of {found.batch_size:,} training images, BN with the statistics of the batch\n")
    norms = zip(found.gradient_norm, found.response_gradient, strict=True)
    rows = [(str(i), name, _number(weight), _number(response)) for i, (name, (weight, response)) in _numbered(found.names, norms)]
    print(table(("layer", "name", "gradient norm", "gradient of the responses"), rows, left=2))
    return 0


def _numbered(names: tuple[str, ...], values: Any) -> Iterator[tuple[int, tuple[str, Any]]]:
    return iter(enumerate(zip(names, values, strict=True), 1))


def _number(value: float) -> str:
    return f"{value:#.4g}"


def _prepared(args: argparse.Namespace, labelled: bool = False) -> tuple[Cifar10, LoadedNet, dict[str, Any], str]:
    """The data, the net, what is told of both, and that in words. What is quick to be found wrong comes first: data, the name.

    Args:
        labelled: answers are held against the classes of the images.

    Raises:
        DataError: these are not the net's own: what was counted would be taken for its error.
    """
    from resnet_core import data

    if args.data is not None and args.data != PICTURES:
        data.check(DataConfig(args.data), args.data_dir)
    with named(args) as net:
        config, folder = images_for(args, net)
        if labelled and (why := net.refusal(config)):
            raise DataError(f"{why} No error can be counted on them, and no loss. Its layer responses can be measured all the same.")
        found = loaded(net, args, args.precision)
    net = found.net
    told = {
        "checkpoint": net.id,
        "net": net.model.name,
        "data": config.dataset,
        "precision": found.plan.precision,
        "normalization": net.card.get("normalization") or "training mean",
    }
    if found.side != config.side:
        told["enlarged_to"] = found.side
    return data.load(config, folder), found, told, _head(told, config)


def _first(split: Split, count: int, kind: str, option: str) -> Split:
    if count > len(split):
        raise DataError(f"{count:,} images are asked for by {option}, and there are {len(split):,} {kind} images; ask for fewer.")
    return split.part(0, count)


def _head(told: dict[str, Any], config: DataConfig) -> str:
    data = f"the embedded {config.title}" if config.is_embedded else f"all of {config.title}"
    what = f"{told['net']} on {data}, {told['precision']}, input normalised by {told['normalization']}"
    if side := told.get("enlarged_to"):
        what += f", images enlarged to {side}x{side}"
    return f"{told['checkpoint']}: {what}" if told["checkpoint"] != told["net"] else what
