"""Nets and trainings in the forms that other tools read: each is declared here once, for the command line and the page.

For example::

    name, content = made("onnx", find("resnet-20"))
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass

from resnet_core.architectures.base import ModelConfig
from resnet_core.architectures.registry import FAMILIES
from resnet_core.errors import DataError
from resnet_core.language import mark
from resnet_core.nets.catalog import Net
from resnet_core.nets.export import file_stem

#: The extra of pyproject.toml that has what other tools' forms are written with.
EXTRA = "export"


@dataclass(frozen=True)
class Format:
    """A form that a net or its training can be taken away in.

    Attributes:
        key: short and stable: what the command line calls it.
        title: for people; told: what it is for, in a sentence or two.
        suffix: of the file; mime: its type.
        module: whose ``content(net) -> bytes`` makes it; imported when it is asked for.
        of_training: it is made of the training, and not of the weights.
        is_folder: the tool that reads it is given a folder, not the file.
        packages: of the extra, that it takes.
        is_quick: it is made within the time that a page takes.
    """

    key: str
    title: str
    told: str
    suffix: str
    mime: str
    module: str
    of_training: bool = False
    is_folder: bool = False
    packages: tuple[str, ...] = ()
    is_quick: bool = False


FORMATS = {
    each.key: each
    for each in (
        Format(
            "py", mark("Python file"),
            mark("The net as a short file for PyTorch, to be read and changed. It runs without ResNet Lab and loads the weights file."),
            ".py", "text/x-python", "script", is_quick=True,
        ),
        Format(
            "onnx", "ONNX",
            mark("The net for other programs, with its weights and the normalisation of its input: RGB images from 0 to 1 go in, logits "
"come out. It is checked with onnxruntime first."),
            ".onnx", "application/octet-stream", "onnx_file", packages=("onnx", "onnxruntime"),
        ),
        Format(
            "tensorboard", "TensorBoard",
            mark("The records of the training as an event file: errors, losses, learning rate, speed, and of each layer the norm of the "
"gradient and the spread of the responses."),
            "", "application/octet-stream", "event_file", of_training=True, is_folder=True,
            packages=("tensorboard",),
        ),
        Format(
            "notebook", mark("Notebook"),
            mark("The code of this very training for Jupyter: it trains, draws the curves and loads the weights, with ResNet Lab as a "
"library."),
            ".ipynb", "application/x-ipynb+json", "notebook", of_training=True, is_quick=True,
        ),
    )
}  # fmt: skip


def check(key: str, net: Net) -> None:
    """Say at once what can be said without making the file, or by making it where that is quick.

    Raises:
        UserError: what it is made of is not there, or a package that writes it is not installed.
    """
    form = FORMATS[key]
    if form.of_training and net.config is None:
        raise DataError("{name} was not trained with ResNet Lab: nothing is known of its training.", name=net.name)
    for package in form.packages:
        if importlib.util.find_spec(package) is None:
            text = mark("{form} needs the package {package}: pip install 'resnet-lab[{extra}]', or pip install {package}.")
            raise DataError(text, form=form.title, package=package, extra=EXTRA)
    if form.is_quick:
        _content(form, net)


def made(key: str, net: Net) -> tuple[str, bytes]:
    """Make a net's file in a form; return its name and its content.

    Raises:
        UserError: as ``check``, or it came out wrong.
    """
    form = FORMATS[key]
    check(key, net)
    return f"events.out.tfevents.{file_stem(net)}" if form.is_folder else file_stem(net) + form.suffix, _content(form, net)


def _content(form: Format, net: Net) -> bytes:
    content: bytes = importlib.import_module(f"{__name__}.{form.module}").content(net)
    return content


def paper(model: ModelConfig) -> str:
    """The paper that a net is from, in English, whatever the reader's language: files are in English."""
    return str.__str__(next(family.paper for family in FAMILIES.values() if family.config is type(model)))
