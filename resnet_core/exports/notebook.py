"""The code of one training as a Jupyter notebook: it trains that very configuration, draws its curves and loads the weights."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from typing import Any

from resnet_core import architectures
from resnet_core.config import RunConfig
from resnet_core.errors import DataError
from resnet_core.nets.catalog import Net

_TRAIN = """\
from resnet_core import data
from resnet_core.training import probe
from resnet_core.training.engine import Trainer

DATA_DIR = None  # the folder of the data set, where it is not found by itself
images = data.load(config.data, DATA_DIR)
trainer = Trainer(config, images, probe.decide(config))
{start}records = []
for record in trainer.run():
    if record["kind"] in ("train", "test", "layers"):
        records.append(record)
    if record["kind"] == "test":
        print(f"iteration {{record['iteration']:,}}: test error {{record['test_error']:.2f}} %")
end = record
end["state"], end["train_error"], end["test_error"]"""
_START = """\
# It does not begin with random weights: those that it began with lie in the run's folder.
from resnet_core.nets import find
from resnet_core.runs.create import START
from resnet_core.training import checkpoint

trainer.begin_with(checkpoint.read_tensors(find({id!r}).path / START, config.start.weights))
"""
_DRAW = """\
from resnet_core.figures.curves import View, learning_curves
from resnet_core.figures.series import RunRecords

run = RunRecords("this-notebook", config.name, config, records, end["state"])
figure = learning_curves([run], View(metric="error", x="iterations"), dark=False)
figure"""
_LOAD = """\
import torch
from resnet_core.nets import find
from resnet_core.nets.loading import load

net = find({id!r})  # or the path of a weights file (.safetensors) that was exported
loaded = load(net, device="cpu")
test = images.test
guesses = torch.cat([loaded.logits(batch).argmax(1) for batch in test.images.split(250)])
error = 100 * (guesses != test.labels).float().mean().item()
print(f"{{net.name}}: {{error:.2f}} % error on {{len(test):,}} test images")"""


def content(net: Net) -> bytes:
    """The notebook, nbformat 4, without outputs.

    Raises:
        DataError: the training began with another net's weights, which only its own run's folder has.
    """
    config = net.training
    if config.start and net.origin != "run":
        raise DataError("{name} began with the weights of {other}, which are not kept with it.", name=net.name, other=config.start.net)
    recipe = config.recipe
    started = f" It began with weights of {config.start.net}." if config.start else ""
    images = str.__str__(config.data.name)  # in English, as all of the file
    head = f"""\
        # {net.name}

        The training of `{config.name}` on {config.data.train_images:,} images of {images}: {recipe.iterations:,} iterations \
with batches of {recipe.batch_size}, \
seed {recipe.seed}.{started}
        Written by ResNet Lab, which it needs as a library: `pip install .` in a clone of it."""
    start = _START.format(id=net.id) if config.start else ""
    again = "The same seed gives the same weights at the start and the same batches; on another machine the last digits may differ."
    cells = [
        _text(textwrap.dedent(head)),
        _code(configured(config)),
        _text(f"## Train\n\n{again}"),
        _code(_TRAIN.format(start=start)),
        _text("## The curves"),
        _code(_DRAW),
        _text("## The weights that this training ended with"),
        _code(_LOAD.format(id=net.id)),
    ]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    told = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return (
        json.dumps({"cells": cells, "metadata": told, "nbformat": 4, "nbformat_minor": 5}, indent=1, ensure_ascii=False) + "\n"
    ).encode()


def configured(config: RunConfig) -> str:
    """Python that makes the configuration, with the fields that are not at their defaults."""
    sections = [_made("data", config.data), _made("recipe", config.recipe)] + ([_made("start", config.start)] if config.start else [])
    made = (config, config.data, config.recipe, config.start, config.data.pictures)
    names = sorted(type(each).__name__ for each in made if each is not None)
    net = f'model=parse("{config.model.name}"),'
    if architectures.parse(config.model.name) != config.model:
        net = f"model=from_dict({architectures.to_dict(config.model)!r}),"
    using = "parse" if "parse(" in net else "from_dict"
    imported = f"from resnet_core.architectures import {using}\nfrom resnet_core.config import {', '.join(names)}\n\n"
    body = "\n".join(f"    {line}" for line in [net, *sections])
    return f"{imported}config = RunConfig(\n{body}\n)"


def _made(name: str, section: Any) -> str:
    fields = [field for field in dataclasses.fields(section) if getattr(section, field.name) != field.default]
    return f"{name}={type(section).__name__}({', '.join(f'{field.name}={getattr(section, field.name)!r}' for field in fields)}),"


def _text(text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": text.splitlines(keepends=True)}


def _code(text: str) -> dict[str, Any]:
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": text.splitlines(keepends=True)}
