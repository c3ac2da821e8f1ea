"""A net's README.md for other people's collections: a header that programs read (Hugging Face's model card), and a few lines for people.

For example::

    text = readme(card, classes=net.class_names)  # begins with "---", YAML; only what was measured is in it
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from resnet_core import architectures
from resnet_core.datasets import DATA_SETS

#: What the official data sets are called on the Hub.
_ON_THE_HUB = {
    "cifar10": "uoft-cs/cifar10",
    "cifar100": "uoft-cs/cifar100",
    "mnist": "ylecun/mnist",
    "fashion": "zalando-datasets/fashion_mnist",
    "svhn": "ufldl-stanford/svhn",
}
#: What the embedded samples are a part of.
_WHOLE = {"sample": "cifar10", "fashion-sample": "fashion"}


def _text(value: Any) -> str:
    """A YAML scalar: what JSON writes is one, whatever is in the string."""
    return json.dumps(value, ensure_ascii=True)


def _title(dataset: str, card: dict[str, Any]) -> str:
    """A data set's name in English, of pictures that of their folder; of a sample also how many test images it has."""
    if dataset not in DATA_SETS:
        pictures = ((card.get("config") or {}).get("data") or {}).get("pictures") or {}
        return str(pictures.get("title") or dataset)
    found = DATA_SETS[dataset]
    title = str.__str__(found.title)
    if not found.embedded:
        return title
    return f"{str.__str__(DATA_SETS[_WHOLE[dataset]].title)}, {found.test:,} of its test images"


def measured(card: dict[str, Any]) -> list[dict[str, Any]]:
    """The test errors that a card has, in percent: each with its data set, and how it was measured. None is made up.

    Those measured from these very weights where there are any; else what the training measured at its end, or the import.
    """
    found = [
        {"dataset": each["data"], "error": each["top1_error"], "how": each.get("precision"), "images": each.get("n")}
        for each in card.get("evaluations") or ()
        if each.get("top1_error") is not None
    ]
    if not found and card.get("test_error") is not None and card.get("dataset"):
        found = [{"dataset": card["dataset"], "error": card["test_error"], "how": card.get("precision"), "images": None}]
    if not found and card.get("sample_error") is not None:
        found = [{"dataset": "sample", "error": card["sample_error"], "how": card.get("sample_precision"), "images": None}]
    return found


def header(card: dict[str, Any], licence: str | None = None) -> str:
    """The YAML between two lines of dashes.

    Args:
        card: as ``card.json``, see ``export.card``.
        licence: of the weights, where it is known: an identifier of the Hub.
    """
    dataset = _WHOLE.get(card.get("dataset") or "", card.get("dataset"))
    lines = ["---"]
    if licence:
        lines.append(f"license: {_text(licence)}")
    lines += ["library_name: pytorch", "pipeline_tag: image-classification"]
    if dataset in _ON_THE_HUB:
        lines += ["datasets:", f"- {_text(_ON_THE_HUB[dataset])}"]
    lines.append("tags:")
    lines += [f"- {_text(tag)}" for tag in ("image-classification", "resnet-lab", str(card["model"].get("family", "resnet")))]
    results = measured(card)
    if results:
        lines += ["model-index:", f"- name: {_text(card['name'])}", "  results:"]
    for each in results:
        known = _WHOLE.get(each["dataset"], each["dataset"])
        how = f", {each['how']}" if each["how"] else ""
        lines += [
            "  - task:",
            "      type: image-classification",
            "    dataset:",
            f"      name: {_text(_title(each['dataset'], card))}",
            f"      type: {_text(_ON_THE_HUB.get(known, known))}",
            "      split: test",
            "    metrics:",
            "    - type: error",
            f"      name: {_text(f'top-1 test error, percent{how}')}",
            f"      value: {_text(each['error'])}",
        ]
    return "\n".join([*lines, "---", ""])


def readme(card: dict[str, Any], classes: Sequence[str] | None = None, licence: str | None = None, body: str = "") -> str:
    """The whole file.

    Args:
        body: what people have been told of this net already; else a few lines are made.
    """
    return f"{header(card, licence)}\n{body or _body(card, classes)}"


def _body(card: dict[str, Any], classes: Sequence[str] | None) -> str:
    rows = {
        "net": architectures.from_dict(card["model"]).name,
        "parameters": f"{card['params']:,}" if card.get("params") else None,
        "classes": ", ".join(classes) if classes and len(classes) <= 20 else None,
        "trained on images of": _title(card["dataset"], card) if card.get("config") and card.get("dataset") else None,
        "iterations": f"{card['iterations']:,} with batches of {card['batch_size']}" if card.get("batch_size") else None,
        "seed": card.get("seed"),
        "precision": card.get("precision"),
        "training error": None if card.get("train_error") is None else f"{card['train_error']:.2f} %",
        "test error": None if card.get("test_error") is None else f"{card['test_error']:.2f} %",
        "state of the training": card.get("state"),
        "input": f"pixel / 255, normalised as the weights file says ({card.get('normalization')})",
    }
    table = "\n".join(f"| {name} | {str(value).replace('|', ' ')} |" for name, value in rows.items() if value is not None)
    return f"""# {card["name"]}

`weights.safetensors` holds the weights, and what the input is normalised with, under `normalization.mean` (and `.std`); `card.json` what
stands here, for programs. `python -m resnet_core evaluate weights.safetensors` takes it as it is.

| | |
|:--|:--|
{table}
"""
