"""A net's model card for people: its errors with the conditions they came about under, and where it comes from."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.checkpoints.gallery import Entry, test_error, tested_on
from pages.ui.labels import duration, escaped
from resnet_core import paper
from resnet_core.config import Recipe
from resnet_core.figures.captions import fraction_text
from resnet_core.imports import LAYOUTS
from resnet_core.nets import NORMALIZATIONS, Net

ORIGINS = {
    "shipped": "ships with ResNet Lab: read-only",
    "imported": "imported from elsewhere",
    "run": "trained here: its newest checkpoint",
}
#: How the input is normalised where it is in no known way: of other checkpoints, and of runs.
_OTHER = ("with the mean that came with it", "per-pixel mean of its training images subtracted")
_NBSP = "\u00a0"
#: The data of ``evaluations``, as a card has them.
_DATA = {"sample": "the embedded sample", "cifar10": "CIFAR-10"}


def model_card(entry: Entry) -> None:
    """Draws all that is known of the net; what is not known is left out."""
    net, card = entry.net, entry.card
    published = paper.published(net.model)
    errors = st.columns(4)
    errors[0].metric("Test error", _percent(test_error(net, card)))
    errors[1].metric("Training error", _percent(net.train_error))
    errors[2].metric("Test error in the paper", f"{published.text} %" if published else "–")
    errors[3].metric("Parameters", f"{entry.row['parameters']:,}")
    st.caption(conditions(net, card, published))
    left, right = st.columns(2, gap="large")
    with left:
        _table("Where it comes from" if net.config is None else "How it was trained", training(net, card))
    with right:
        _table("What it is", identity(net, card))
    for title, key in (("weights.safetensors", "checksum_sha256"), ("the imported file", "source_sha256")):
        if card.get(key):
            st.markdown(f"SHA-256 of {title}: `{card[key]}`")
    if card.get("evaluations"):
        st.markdown(_evaluations(card["evaluations"]))


def conditions(net: Net, card: dict[str, Any], published: paper.Published | None) -> str:
    """What must be read with the numbers: how many images, how much of the paper's schedule, precision, data, seed."""
    parts = []
    if on := tested_on(net, card):
        count, _, sample = on.partition(" ")
        parts.append(f"test error on {count} images{' of the sample' if sample else ''}")
    if card.get("schedule_fraction") is not None:
        parts.append(f"**{escaped(fraction_text(card['schedule_fraction']))}**")
    if net.config:
        parts += [f"trained on {escaped(net.config.data.label)}", f"seed {net.config.recipe.seed}"]
    if precision := net.precision or card.get("sample_precision"):
        parts.append(escaped(precision))
    if net.state != "finished":
        parts.append(f"{net.state}: errors so far")
    if published:
        parts.append(escaped(f"paper: {published.source}, full schedule{', ' + published.note if published.note else ''}"))
    return f"{' · '.join(parts)}." if parts else "How it was trained is not known."


def training(net: Net, card: dict[str, Any]) -> dict[str, str | None]:
    """How it came about; the values are Markdown."""
    if net.config is None:
        size = card.get("source_bytes")
        return {
            "training": "not known: it was trained elsewhere",
            "layout of its keys": _text(LAYOUTS.get(str(card.get("layout")), card.get("layout"))),
            "file": _text(card.get("source_file")) and f"{escaped(str(card['source_file']))}{f', {size / 1e6:.2f} MB' if size else ''}",
            "what was changed": _text(" ".join(card.get("notes") or [])) or "nothing",
            "error measured": "when it was imported" if card.get("sample_error") is not None else None,
        }
    recipe, seconds = net.config.recipe, card.get("training_seconds")
    speed = card.get("images_per_second")
    done = f"{net.iteration:,} of " if net.iteration not in (None, recipe.iterations) else ""
    return {
        "data": escaped(net.config.data.label),
        "recipe": escaped(recipe_text(recipe)),
        "schedule": f"{done}{recipe.iterations:,} iterations of {recipe.batch_size} images: **{fraction_text(recipe.schedule_fraction)}**",
        "augmentation": {"standard": "4 pixels of padding, random crop, random flip", "none": "none"}[recipe.augmentation],
        "precision": _text(net.precision),
        "seed": str(recipe.seed),
        "training time": seconds and f"{duration(seconds)}{f' ({speed:,.0f} images/s on average)' if speed else ''}",
        "machine": _text("; ".join(card.get("machines") or []) or card.get("machine")),
    }


def recipe_text(recipe: Recipe) -> str:
    """``SGD, momentum 0.9, weight decay 0.0001; learning rate 0.1, times 0.1 at 8,000 and 12,000``."""
    rate = f"learning rate {recipe.learning_rate:g}"
    if recipe.schedule == "step":
        steps = [f"{round(milestone * recipe.iterations):,}" for milestone in recipe.milestones]
        rate += f", times {recipe.gamma:g} at {' and '.join(steps)}" if steps else ""
    else:
        rate += {"linear": ", falling linearly to 0", "cosine": ", falling to 0 as a cosine", "constant": ", constant"}[recipe.schedule]
    if recipe.warmup == "error":
        rate += f"; {recipe.warmup_learning_rate:g} until the training error is below {recipe.warmup_error:g} %"
    elif recipe.warmup == "linear":
        rate += f"; rising from 0 over the first {recipe.warmup_iterations:,}"
    return f"SGD, momentum {recipe.momentum:g}, weight decay {recipe.weight_decay:g}; {rate}"


def identity(net: Net, card: dict[str, Any]) -> dict[str, str | None]:
    """What and where it is; the values are Markdown."""
    key = card.get("normalization")
    normalization = NORMALIZATIONS[key].label if key in NORMALIZATIONS else _OTHER[net.origin == "run"]
    versions = card.get("versions") or {}
    commits = [str(each) for each in card.get("commits") or filter(None, [card.get("commit")])]
    return {
        "net": f"{escaped(net.model.name)}: {net.model.depth} layers, {_shortcut(net.model.shortcut)}, {net.model.num_classes} classes",
        "MACs": f"{card['macs']:,}" if card.get("macs") else None,
        "origin": ORIGINS.get(net.origin, net.origin),
        "its input": escaped(normalization),
        "date": _text(str(card.get("created") or "").replace("T", " ")[:16]),
        "commit": ", then ".join(f"`{each[:12]}{'-dirty' if each.endswith('-dirty') else ''}`" for each in commits) or None,
        "versions": _text(", ".join(f"{name} {version}" for name, version in versions.items() if name != "commit")),
        "id": f"`{net.id}`",
    }


def _shortcut(shortcut: str) -> str:
    return "no shortcuts (plain)" if shortcut == "none" else f"shortcut {shortcut}"


def _evaluations(found: list[dict[str, Any]]) -> str:
    lines = ["**Measured from these weights**", "", "| test images | precision | wrong | error |", "|:--|:--|--:|--:|"]
    for each in found:
        n, wrong, error = each.get("n"), each.get("wrong"), each.get("top1_error")
        where = _DATA.get(str(each.get("data")), str(each.get("data")))
        lines.append(f"| {n:,} of {where} | {each.get('precision')} | {'–' if wrong is None else f'{wrong:,}'} | {_percent(error)} |")
    return "\n".join(lines)


def _table(title: str, values: dict[str, str | None]) -> None:
    st.markdown(f"**{title}**")
    rows = [{"what": key.replace(" ", _NBSP), "value": value} for key, value in values.items() if value]
    st.table(rows, border="horizontal", hide_index=True, hide_header=True)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f} %"


def _text(value: Any) -> str | None:
    return escaped(str(value)) if value else None
