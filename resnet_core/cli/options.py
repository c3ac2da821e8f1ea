"""Command line options made from the configuration dataclasses: names, types, defaults and help texts stand there, and only there."""

from __future__ import annotations

import argparse
import dataclasses
import typing
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn

from resnet_core import config
from resnet_core.architectures import ModelConfig, ResNetConfig, parse
from resnet_core.config import DataConfig, Recipe
from resnet_core.datasets import PICTURES
from resnet_core.errors import ConfigError
from resnet_core.field_docs import field_docs

#: What each module adds its commands with: name, what runs it, and keys of their own.
Add = Callable[..., argparse.ArgumentParser]
#: The value of an option that leaves the choice to what is measured.
AUTO = "auto"
#: The help of ``--data-dir``.
DATA_DIR = "where the data set lies (default: RESNET_LAB_DATA, else where it was downloaded to)"
#: Options that are not called as their field is.
_RENAMED = {"dataset": "--data"}
#: Shown in the help; that a value is one of them is for the dataclass to check.
_CHOICES = {
    **{field.name: field.choices for field in ResNetConfig.fields if field.choices},
    "dataset": config.DATASETS,
    "schedule": config.SCHEDULES,
    "warmup": config.WARMUPS,
    "augmentation": config.AUGMENTATIONS,
    "precision": config.PRECISIONS,
    "device": config.DEVICES,
    "compile": config.COMPILES,
}


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line, like every other error of the command line."""

    def __init__(self, *args: Any, **kwargs: Any):
        # Abbreviated options would change their meaning with the next option that is added.
        super().__init__(*args, **kwargs | {"allow_abbrev": False})

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"resnet-lab: error: {message} (see {self.prog} --help)\n")


def whole_number(text: str) -> int:
    """For ``type=``: an int, or an error in plain words."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number.") from None


def at_least_1(text: str) -> int:
    """For ``type=``: an int of 1 or more, or an error in plain words."""
    value = whole_number(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is out of range; it must be at least 1.")
    return value


def real_number(text: str) -> float:
    """For ``type=``: a float, or an error in plain words."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number.") from None


def real_numbers(text: str) -> tuple[float, ...]:
    """For ``type=``: numbers with commas between them; an empty text is none of them."""
    return tuple(real_number(part) for part in text.split(",") if part.strip())


def whole_numbers(text: str) -> tuple[int, ...]:
    """For ``type=``: whole numbers with commas between them; an empty text is none of them."""
    return tuple(whole_number(part) for part in text.split(",") if part.strip())


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(f"{v:g}" for v in value) or "empty"
    return f"{value:g}" if isinstance(value, float) else str(value)


def add_fields(parser: argparse._ActionsContainer, cls: type, leave_out: Iterable[str] = ()) -> None:
    """Adds one option for each field of a configuration dataclass; ``read_fields`` makes the instance of the parsed values."""
    types: dict[Any, tuple[Callable[[str], Any], str]] = {
        int: (whole_number, "N"),
        float: (real_number, "X"),
        str: (str, "TEXT"),
        tuple[float, ...]: (real_numbers, "X,X,..."),
        tuple[int, ...]: (whole_numbers, "N,N"),
    }
    docs, hints = field_docs(cls), typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        if field.name in leave_out:
            continue
        flag = _RENAMED.get(field.name, "--" + field.name.replace("_", "-"))
        text = docs.get(field.name, "").replace("%", "%%")
        # Not given is told from given the default: SUPPRESS leaves the dataclass to fill in its own.
        shared: dict[str, Any] = {"dest": field.name, "default": argparse.SUPPRESS}
        if hints[field.name] is bool:
            parser.add_argument(flag, action="store_true", help=text, **shared)
        else:
            kind, metavar = types[hints[field.name]]
            if field.name in _CHOICES:
                metavar = "{" + ",".join(_CHOICES[field.name]) + "}"
            help_text = f"{text} (default: {_shown(field.default)})"
            parser.add_argument(flag, type=kind, metavar=metavar, help=help_text, **shared)


def read_fields(args: argparse.Namespace, cls: type) -> Any:
    """The instance of ``cls`` that the parsed options describe. Raises ConfigError for a value out of its range."""
    given = vars(args)
    return cls(**{field.name: given[field.name] for field in dataclasses.fields(cls) if field.name in given})


def add_net(parser: argparse._ActionsContainer, leave_out: Iterable[str] = ()) -> None:
    """Adds ``--net NAME``, and an option for each field of the ResNets, which change what the name says; ``read_net`` makes the net."""
    parser.add_argument("--net", metavar="NAME", help="the net by its name: plain-56, ResNet-56-B, ResNet-110-preact, ResNet-20-nobn-w32")
    add_fields(parser, ResNetConfig, leave_out)


def read_net(args: argparse.Namespace) -> ModelConfig:
    """The net that the parsed options describe.

    Raises:
        ConfigError: the name is none, or a value is out of its range; an option is no choice of the named net's family.
    """
    if args.net is None:
        return read_fields(args, ResNetConfig)
    named = parse(args.net)
    given = {field.name: getattr(args, field.name) for field in dataclasses.fields(ResNetConfig) if hasattr(args, field.name)}
    for unknown in given.keys() - {field.name for field in dataclasses.fields(named)}:
        raise ConfigError(unknown, f"is no choice of {named.name}; leave the option out.")
    return dataclasses.replace(named, **given)


def add_data(parser: argparse._ActionsContainer) -> None:
    """Adds the options of ``DataConfig``, and those that look into a folder of pictures; ``read_data`` makes the configuration."""
    add_fields(parser, DataConfig, leave_out=["pictures"])
    parser.add_argument(
        "--pictures",
        metavar="DIR",
        type=Path,
        help="train on a folder of pictures, with a folder for each class (or train/ and val/)",
    )
    parser.add_argument("--side", type=at_least_1, default=32, metavar="N", help="of pictures as nets see them, in pixels (default: 32)")
    parser.add_argument("--stored", type=at_least_1, metavar="N", help="keep training pictures this large, for crops (default: --side)")
    parser.add_argument("--test-part", type=real_number, default=0.2, metavar="X", help="of the pictures of each class (default: 0.2)")
    parser.add_argument("--split-seed", type=whole_number, default=0, metavar="N", help="which pictures are tested on (default: 0)")


def read_data(args: argparse.Namespace) -> tuple[DataConfig, Path | None]:
    """The data that the parsed options describe, and where they lie, if that was said.

    Raises:
        ConfigError: a value is out of its range.
        DataError: the folder of pictures is none.
    """
    if args.pictures is None:
        return read_fields(args, DataConfig), args.data_dir
    from resnet_core.data import pictures

    found = pictures.look(args.pictures, args.side, args.stored, args.test_part, args.split_seed)
    given = {name: getattr(args, name) for name in ("validation", "images_per_class") if hasattr(args, name)}
    return DataConfig(PICTURES, pictures=found, **given), args.pictures


def add_training(parser: argparse.ArgumentParser) -> None:
    """All options of a training, in groups. The number of classes is not one of them: it is that of the data."""
    add_net(parser.add_argument_group("the net"), leave_out=["num_classes"])
    add_data(parser.add_argument_group("the data"))
    add_fields(parser.add_argument_group("the recipe (the defaults are the paper's)"), Recipe)
