"""``attribute``: which pixels a net's answer comes from, as a picture and in numbers, and whether that is to be believed."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resnet_core.attribution import METHODS, TRUST, Parameter
from resnet_core.attribution.methods import method as method_of
from resnet_core.cli.look import read_images, true_class
from resnet_core.cli.options import Add, real_number, whole_number
from resnet_core.cli.output import emit
from resnet_core.cli.which import add_checkpoint, add_how, add_images, images_for, named
from resnet_core.cli.which import loaded as load_as_asked
from resnet_core.config import DEVICES
from resnet_core.errors import ConfigError, UserError

if TYPE_CHECKING:
    import numpy as np

    from resnet_core.attribution.compute import Attribution
    from resnet_core.nets import Net

#: The picture's side, in pixels, at least.
SIZE = 320
#: kind of a parameter -> how it is read, and what stands for it in the help.
KINDS: dict[str, tuple[Callable[[str], Any], str]] = {
    "int": (whole_number, "N"),
    "float": (real_number, "X"),
    "choice": (str, "KEY"),
    "layer": (str, "LAYER"),
    "net": (str, "NET"),
}
_PREFIX = "parameter."


def add_commands(add: Add) -> None:
    """The command with its options; those of the methods are made from their declarations."""
    command = add("attribute", attribute)
    add_checkpoint(command)
    image = "a PNG, JPEG or WebP file, or an image of the data set: test:INDEX or train:INDEX"
    command.add_argument("image", metavar="IMAGE", nargs=1, help=image)
    command.add_argument("--method", required=True, metavar="KEY", help=", ".join(METHODS))
    target = "the class to explain: predicted (by this net), true, or a class by name or number"
    command.add_argument("--target", required=True, metavar="{predicted,true,CLASS}", help=target)
    command.add_argument("--label", metavar="CLASS", help="the true class of a file, by name or number")
    command.add_argument("--out", type=Path, metavar="PNG", help="where to write the map, laid over the image")
    size = f"pixels of its side, a multiple of the image's that the net sees (default: {SIZE}, or 448 of 224)"
    command.add_argument("--size", type=whole_number, metavar="N", help=size)
    command.add_argument("--trust", action="store_true", help="also infidelity and sensitivity; takes as long as a dozen maps")
    command.add_argument("--sanity", action="store_true", help="also the sanity check: the weights randomised from the top layer down")
    seed = "of the random numbers of --trust and --sanity (default: 0)"
    command.add_argument("--seed", type=whole_number, default=0, metavar="N", help=seed)
    add_how(command)
    add_images(command, "which set test:INDEX is of")
    command.add_argument("--device", choices=DEVICES, default="auto", help="(default: auto)")
    group = command.add_argument_group("parameters of the methods")
    for name, owners in _owners().items():
        kind, metavar = KINDS[owners[0][1].kind]
        texts = dict.fromkeys(_help(parameter) for _, parameter in owners)
        text = f"{', '.join(key for key, _ in owners)}. {' Or: '.join(texts)}".replace("%", "%%")
        # SUPPRESS: not given is told from given the default; a method without that parameter says so.
        group.add_argument(f"--{name}", type=kind, metavar=metavar, dest=_PREFIX + name, default=argparse.SUPPRESS, help=text)


def _owners() -> dict[str, list[tuple[str, Parameter]]]:
    """Name of a parameter -> the methods that have it, each with its declaration."""
    found: dict[str, list[tuple[str, Parameter]]] = {}
    for method in METHODS.values():
        for parameter in method.parameters:
            found.setdefault(parameter.name, []).append((method.key, parameter))
    return found


def _help(parameter: Parameter) -> str:
    possible = f" {{{','.join(key for key, _ in parameter.choices)}}}" if parameter.choices else ""
    default = "the last with maps of 4x4 or more" if parameter.kind == "layer" else parameter.default
    return f"{parameter.help}{possible} (default: {default})"


def attribute(args: argparse.Namespace) -> int:
    """``attribute``: one map of one image and target."""
    with named(args) as net:
        return _attribute(args, net)


def _attribute(args: argparse.Namespace, net: Net) -> int:
    method = method_of(args.method)
    given = {name.removeprefix(_PREFIX): value for name, value in vars(args).items() if name.startswith(_PREFIX)}
    # What can be told without the image and without torch is told first.
    method.complete(given, net)
    for parameter in TRUST["infidelity"]:
        if parameter.name == "seed":
            parameter.check(args.seed, net)
    side = net.side
    size = -(-SIZE // side) * side if args.size is None else args.size
    if size < side or size % side or size > 3200:
        raise ConfigError("size", f"{size} is not a multiple of {side} from {side} to {3200 // side * side}.")
    if args.out is not None and args.out.suffix.lower() != ".png":
        raise ConfigError("out", f"{str(args.out)!r} does not end in .png, which is what is written.")
    config, folder = images_for(args, net)
    (shown,), _ = read_images(args, config, folder)

    from resnet_core.analysis.prediction import class_names, stack
    from resnet_core.attribution import compute

    names = class_names(net)
    label = true_class(shown, net, config) if args.label is None else _class(args.label, "label", names)
    if args.target == "true" and label is None:
        known = "say it with --label CLASS" if shown.label is None else net.refusal(config).removesuffix(".")
        raise ConfigError("target", f"the true class of {shown.name} is not known: {known}, or choose another target.")
    target = None if args.target == "predicted" else label if args.target == "true" else _class(args.target, "target", names)
    loaded = load_as_asked(net, args, "fp32")  # attribution is in fp32, and so is the prediction that it explains
    image = stack([shown.at(side)], side)[0]
    predicted = int(loaded.logits(image[None])[0].argmax())
    found = compute.attribute(loaded, image, method.key, predicted if target is None else target, **given)
    told: dict[str, Any] = {
        "net": net.id,
        "image": shown.name,
        "notes": list(shown.notes_at(side)),
        "method": method.key,
        "target": found.target,
        "target_name": names[found.target],
        "predicted": predicted,
        "predicted_name": names[predicted],
        "true": label,
        "delta": _finite(found.delta),
        "difference": _finite(found.difference),
        "min": _finite(found.map.min()),
        "max": _finite(found.map.max()),
        "sign": found.sign,
        "parameters": dict(found.parameters),
        "warning": method.warning or None,
        "seconds": round(found.seconds, 3),
        "out": None,
    }
    if args.out is not None:
        told["out"], told["colors"] = _write(args.out, image.permute(1, 2, 0).numpy(), found, size)
    told |= _checks(args, loaded, image, found)
    if args.json:
        emit(told)
    else:
        _print(net, told)
    return 0


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _class(text: str, field: str, names: tuple[str, ...]) -> int:
    """Raises ConfigError: it is neither the name nor the number of a class."""
    if text in names:
        return names.index(text)
    if text.isascii() and text.isdigit() and int(text) < len(names):
        return int(text)
    listed = ", ".join(names) if len(names) <= 10 else f"0 to {len(names) - 1}"
    others = "predicted, true, " if field == "target" else ""
    raise ConfigError(field, f"{text!r} is not one of {others}{listed}.")


def _write(path: Path, pixels: np.ndarray, found: Attribution, size: int) -> tuple[str, str]:
    """The map on its image as a PNG, and what its colours say."""
    from resnet_core.figures.overlay import common_scale, overlay, png

    scale = common_scale([found.map], found.sign == "signed")
    try:
        path.write_bytes(png(overlay(pixels, found.map, scale, size)))
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}.") from error
    return str(path), scale.text


def _checks(args: argparse.Namespace, loaded: Any, image: Any, found: Attribution) -> dict[str, Any]:
    """What --trust and --sanity ask for."""
    told: dict[str, Any] = {}
    if args.trust:
        from resnet_core.attribution.trust import infidelity, sensitivity

        hidden, shaken = infidelity(loaded, image, found, seed=args.seed), sensitivity(loaded, image, found, seed=args.seed)
        others = {"constant_map": hidden.constant, "random_map": hidden.random}
        told["infidelity"] = {"value": _finite(hidden.value), "relative": hidden.relative, **others, "measured": hidden.text}
        told["sensitivity"] = {"value": shaken.value, "measured": shaken.text}
    if args.sanity:
        from resnet_core.attribution.sanity import cascade, random_level

        steps = cascade(loaded, image, found.method, found.target, seed=args.seed, **found.parameters)
        told["sanity"] = [step.to_dict() for step in steps]
        level = random_level(loaded, image, found.method, found.target, seed=args.seed, **found.parameters)
        told["random_level"] = dict(zip(("signed", "absolute"), level, strict=True))
    return told


def _print(net: Net, told: dict[str, Any]) -> None:
    parameters = ", ".join(f"{name} {value}" for name, value in told["parameters"].items())
    print(f"{net.name}, {told['image']}: {METHODS[told['method']].label} ({parameters}) for {told['target_name']}")
    print(f"  predicted: {told['predicted_name']}")
    print(f"  from {told['min']:.4g} to {told['max']:.4g}. {METHODS[told['method']].meaning}")
    if told["delta"] is not None:
        print(f"  convergence delta {told['delta']:.3g}, of a difference of {told['difference']:.4g} between the logits")
    if told["warning"]:
        print(f"  {told['warning']}")
    if told["out"]:
        print(f"  {told['out']}: {told['colors']}")
    if "infidelity" in told:
        values = [_number(told["infidelity"][name]) for name in ("relative", "constant_map", "random_map")]
        print("  infidelity {} of 1 (of a constant map {}, of noise {}): ".format(*values) + told["infidelity"]["measured"])
        print(f"  sensitivity {_number(told['sensitivity']['value'])}: {told['sensitivity']['measured']}")
    steps = told.get("sanity", [])
    for step in [*steps, {"label": "random/random", **told["random_level"]}] if steps else []:
        print(f"  {step['label']:<14} rank correlation {_number(step['signed']):>6}, of magnitudes {_number(step['absolute']):>6}")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
