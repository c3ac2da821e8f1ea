"""The part of the recipe that all nets of the table share: one widget a field, made from ``Recipe`` itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from pages.ui.labels import escaped
from resnet_core import config
from resnet_core.config import Recipe
from resnet_core.differences import recipe_label
from resnet_core.errors import ConfigError
from resnet_core.field_docs import field_docs
from resnet_core.language import mark, tr

#: heading -> fields, in the order of the form; those that are not here are columns of the table (``nets_table``), so that nets can differ.
GROUPS = {
    mark("Optimiser and augmentation"): ("momentum", "weight_decay", "augmentation", "scale_range", "pca_colour", "colour_jitter"),
    mark("Schedule"): ("milestones", "gamma", "patience", "warmup_iterations", "warmup_learning_rate", "warmup_error"),
    mark("Machine"): ("device", "precision", "compile", "replicas"),
    mark("Records, every N iterations (0: chosen by the length)"): ("record_every", "test_every", "layers_every", "checkpoint_every"),
}
_CHOICES = {
    "augmentation": config.AUGMENTATIONS,
    "precision": config.PRECISIONS,
    "device": config.DEVICES,
    "compile": config.COMPILES,
}
_STEPS = {
    "momentum": 0.05, "weight_decay": 1e-4, "pca_colour": 0.05, "colour_jitter": 0.1, "gamma": 0.05, "warmup_learning_rate": 0.001,
    "warmup_error": 1.0,
}  # fmt: skip
_PREFIX = "train.recipe."
_DOCS = field_docs(Recipe)


def fill(recipe: Recipe) -> None:
    """Puts a recipe's values into the form, for its next drawing. To be called before the form is drawn, or in a callback."""
    for fields in GROUPS.values():
        for name in fields:
            st.session_state[_PREFIX + name] = _shown(getattr(recipe, name))


def recipe_form() -> dict[str, Any]:
    """Draws the form. Returns field -> value, as ``Recipe`` takes them.

    Raises:
        ConfigError: the milestones or the scales are no numbers. Everything else is for ``Recipe`` to check.
    """
    values: dict[str, Any] = {}
    for column, (heading, fields) in zip(st.columns(len(GROUPS)), GROUPS.items(), strict=True):
        with column:
            st.markdown(f"**{heading}**")
            for name in fields:
                values[name] = _widget(name)
            if heading == "Machine":
                _probe(values["device"])
    values["milestones"] = _numbers("milestones", values["milestones"], float, "0.5, 0.75")
    values["scale_range"] = _numbers("scale_range", values["scale_range"], int, "256, 480")
    return values


def _widget(name: str) -> Any:
    label, key, default = tr(recipe_label(name)), _PREFIX + name, getattr(Recipe(), name)
    shared: dict[str, Any] = {"key": key, "persist_state": "session", "help": f"{tr(_DOCS[name])}."}
    if name in _CHOICES:
        return st.selectbox(label, _CHOICES[name], **shared)
    if isinstance(default, tuple):
        return st.text_input(label, **shared)
    if isinstance(default, int):
        return st.number_input(label, step=1, **shared)
    return st.number_input(label, step=_STEPS[name], format="%g", **shared)


def _probe(device: str) -> None:
    """What ``auto`` means for the precision, if that was measured here before, and a button that measures it again."""
    from resnet_core.training import probe, timing
    from resnet_core.training.device import pick_device

    try:
        chosen = pick_device(device)
    except ConfigError as error:  # the rest of the form is drawn all the same, so that nothing typed is lost
        st.caption(escaped(str(error)))
        return
    answer = timing.kept(chosen, "precision")
    if answer is None:
        st.caption(tr("Which precision is faster here is measured when the first training starts; it takes about a second."))
    else:
        st.caption(
            tr(
                "auto: {value}. {precision_text}, measured {measured}.",
                value="bf16" if answer.wins else "fp32",
                precision_text=probe.precision_text(answer),
                measured=answer.measured[:10],
            )
        )
    again = tr("Forgets the measurement and measures now. Nets that are compared are to be trained in one precision.")
    measure: dict[str, Any] = {"on_click": probe.measure_again, "args": (chosen,)}
    st.button(tr("Measure the precisions"), key="train.probe", icon=":material/speed:", help=again, **measure)


def _shown(value: Any) -> Any:
    return ", ".join(f"{v:g}" for v in value) if isinstance(value, tuple) else value


def _numbers(name: str, text: str, kind: Callable[[str], Any], like: str) -> tuple[Any, ...]:
    try:
        return tuple(kind(part) for part in text.replace(";", ",").split(",") if part.strip())
    except ValueError:
        raise ConfigError(name, "{text!r} is not a list of numbers with commas between them, like {like}.", text=text, like=like) from None
