"""A net's model card for people: its errors with the conditions they came about under, and where it comes from."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.checkpoints.gallery import Entry, test_error, tested_on
from pages.ui.labels import duration, escaped, listed_classes
from resnet_core import paper
from resnet_core.conditions import augmentation_text, falling_text, fraction_text
from resnet_core.config import DATASETS, DataConfig, Recipe
from resnet_core.imports import LAYOUTS
from resnet_core.language import mark, retold, tr
from resnet_core.nets import NORMALIZATIONS, Net

ORIGINS = {
    "shipped": mark("ships with ResNet Lab: read-only"),
    "imported": mark("imported from elsewhere"),
    "run": mark("trained here: its newest checkpoint"),
}
#: How the input is normalised where it is in no known way: of other checkpoints, and of runs.
_OTHER = (mark("with the mean that came with it"), mark("per-pixel mean of its training images subtracted"))
_NBSP = "\u00a0"


def model_card(entry: Entry) -> None:
    """Draws all that is known of the net; what is not known is left out."""
    net, card = entry.net, entry.card
    published = paper.published(net.model, net.class_names)
    errors = st.columns(4)
    errors[0].metric(tr("Test error"), _percent(test_error(net, card)))
    errors[1].metric(tr("Training error"), _percent(net.train_error))
    errors[2].metric(tr("Test error in the paper"), f"{published.text} %" if published else "–")
    errors[3].metric(tr("Parameters"), f"{entry.row['parameters']:,}")
    st.caption(conditions(net, card, published))
    left, right = st.columns(2, gap="large")
    with left:
        _table(tr("Where it comes from") if net.config is None else tr("How it was trained"), training(net, card))
    with right:
        _table(tr("What it is"), identity(net, card))
    for title, key in (("weights.safetensors", "checksum_sha256"), (tr("the imported file"), "source_sha256")):
        if card.get(key):
            st.markdown(tr("SHA-256 of {title}: `{card}`", title=title, card=card[key]))
    if card.get("evaluations"):
        st.markdown(_evaluations(card["evaluations"]))


def conditions(net: Net, card: dict[str, Any], published: paper.Published | None) -> str:
    """What must be read with the numbers: how many images, how much of the paper's schedule, precision, data, seed."""
    parts = []
    if on := tested_on(net, card):
        count, data = on
        parts.append(tr("test error on {count:,} images of {words}", count=count, words=escaped(data.words)))
    if card.get("schedule_fraction") is not None:
        parts.append(f"**{escaped(fraction_text(card['schedule_fraction']))}**")
    if net.config:
        parts += [tr("trained on {label}", label=escaped(net.config.data.label)), tr("seed {seed}", seed=net.config.recipe.seed)]
    if precision := net.precision or card.get("sample_precision"):
        parts.append(escaped(precision))
    if net.state != "finished":
        parts.append(tr("{state}: errors so far", state=net.state))
    if published:
        parts.append(
            escaped(
                tr("paper: {source}, full schedule{note}", source=published.source, note=", " + published.note if published.note else "")
            )
        )
    return f"{' · '.join(parts)}." if parts else tr("How it was trained is not known.")


def training(net: Net, card: dict[str, Any]) -> dict[str, str | None]:
    """How it came about; the values are Markdown."""
    if net.config is None:
        size = card.get("source_bytes")
        return {
            tr("training"): tr("not known: it was trained elsewhere"),
            tr("layout of its keys"): _text(LAYOUTS.get(str(card.get("layout")), card.get("layout"))),
            tr("file"): _text(card.get("source_file")) and f"{escaped(str(card['source_file']))}{f', {size / 1e6:.2f} MB' if size else ''}",
            tr("what was changed"): _text(" ".join(map(retold, card.get("notes") or []))) or tr("nothing"),
            tr("error measured"): tr("when it was imported") if card.get("sample_error") is not None else None,
        }
    recipe, seconds = net.config.recipe, card.get("training_seconds")
    speed = card.get("images_per_second")
    done = tr("{iteration:,} of ", iteration=net.iteration) if net.iteration not in (None, recipe.iterations) else ""
    return {
        tr("data"): escaped(net.config.data.label),
        tr("recipe"): escaped(recipe_text(recipe)),
        tr("schedule"): tr(
            "{done}{iterations:,} iterations of {batch_size} images: **{fraction_text}**",
            done=done,
            iterations=recipe.iterations,
            batch_size=recipe.batch_size,
            fraction_text=fraction_text(recipe.schedule_fraction),
        ),
        tr("augmentation"): augmentation_text(recipe),
        tr("precision"): _text(net.precision),
        tr("seed"): str(recipe.seed),
        tr("training time"): seconds
        and (tr("{time} ({speed:,.0f} images/s on average)", time=duration(seconds), speed=speed) if speed else duration(seconds)),
        tr("machine"): _text("; ".join(card.get("machines") or []) or card.get("machine")),
    }


def recipe_text(recipe: Recipe) -> str:
    """``SGD, momentum 0.9, weight decay 0.0001; learning rate 0.1, times 0.1 at 8,000 and 12,000``."""
    rate = tr("learning rate {learning_rate:g}", learning_rate=recipe.learning_rate) + falling_text(recipe)
    if recipe.warmup == "error":
        rate += tr(
            "; {warmup_learning_rate:g} until the training error is below {warmup_error:g} %",
            warmup_learning_rate=recipe.warmup_learning_rate,
            warmup_error=recipe.warmup_error,
        )
    elif recipe.warmup == "linear":
        rate += tr("; rising from 0 over the first {warmup_iterations:,}", warmup_iterations=recipe.warmup_iterations)
    return tr(
        "SGD, momentum {momentum:g}, weight decay {weight_decay:g}; {rate}",
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        rate=rate,
    )


def identity(net: Net, card: dict[str, Any]) -> dict[str, str | None]:
    """What and where it is; the values are Markdown."""
    key = card.get("normalization")
    normalization = NORMALIZATIONS[key].label if key in NORMALIZATIONS else _OTHER[net.origin == "run"]
    versions = card.get("versions") or {}
    commits = [str(each) for each in card.get("commits") or filter(None, [card.get("commit")])]
    return {
        tr("net"): tr(
            "{name}: {depth} layers, {shortcut}, {num_classes} classes",
            name=escaped(net.model.name),
            depth=net.model.depth,
            shortcut=_shortcut(net.model.shortcut),
            num_classes=net.model.num_classes,
        ),
        tr("classes"): listed_classes(net.class_names) if net.class_names else None,
        "MACs": f"{card['macs']:,}" if card.get("macs") else None,
        tr("origin"): tr(ORIGINS.get(net.origin, net.origin)),
        tr("its input"): escaped(normalization),
        tr("date"): _text(str(card.get("created") or "").replace("T", " ")[:16]),
        tr("commit"): ", then ".join(f"`{each[:12]}{'-dirty' if each.endswith('-dirty') else ''}`" for each in commits) or None,
        tr("versions"): _text(", ".join(f"{name} {version}" for name, version in versions.items() if name != "commit")),
        tr("id"): f"`{net.id}`",
    }


def _shortcut(shortcut: str) -> str:
    return tr("no shortcuts (plain)") if shortcut == "none" else tr("shortcut {shortcut}", shortcut=shortcut)


def _evaluations(found: list[dict[str, Any]]) -> str:
    lines = [tr("**Measured from these weights**"), "", tr("| test images | precision | wrong | error |"), "|:--|:--|--:|--:|"]
    for each in found:
        n, wrong, error = each.get("n"), each.get("wrong"), each.get("top1_error")
        key = str(each.get("data"))
        where = DataConfig(key).words if key in DATASETS else escaped(key)
        counted = "–" if wrong is None else f"{wrong:,}"
        lines.append(
            tr(
                "| {n:,} of {where} | {value} | {value2} | {percent} |",
                n=n,
                where=where,
                value=each.get("precision"),
                value2=counted,
                percent=_percent(error),
            )
        )
    return "\n".join(lines)


def _table(title: str, values: dict[str, str | None]) -> None:
    st.markdown(f"**{title}**")
    rows = [{"what": key.replace(" ", _NBSP), "value": value} for key, value in values.items() if value]
    st.table(rows, border="horizontal", hide_index=True, hide_header=True)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f} %"


def _text(value: Any) -> str | None:
    return escaped(str(value)) if value else None
