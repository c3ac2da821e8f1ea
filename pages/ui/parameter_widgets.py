"""Widgets made from the declarations of parameters (``resnet_core.attribution``): nothing here knows a method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from pages.ui import links
from pages.ui.labels import titled
from pages.ui.runs_view import REACH
from resnet_core.attribution import Parameter, default_layer, layers_of
from resnet_core.attribution.methods import scaled
from resnet_core.language import tr
from resnet_core.nets import Net, catalog, told_apart

#: Where nets differ in depth, one layer's name is not the same place in all: these are.
LAST = "last"
#: Pixels of the fields that stand in one row, by how long their choices are: none is cut off on a projector.
WIDE, NARROW = 230, 165


def parameter_widgets(parameters: Sequence[Parameter], nets: Sequence[Net], prefix: str = "", row: bool = False) -> dict[str, Any]:
    """Draws one widget for each, where it is called: name -> value. A ``layer`` may be a place; see ``resolved``. A ``net`` is one.

    Args:
        nets: whose layers are offered.
        prefix: of the widgets' keys, which are their names in the URL.
        row: whether they stand beside each other; else each is as wide as its place.
    """
    return {each.name: _widget(each, nets, f"{prefix}{each.name}", row) for each in parameters}


def _widget(parameter: Parameter, nets: Sequence[Net], key: str, row: bool) -> Any:
    label = tr(parameter.label)[:1].upper() + tr(parameter.label)[1:]
    width = (WIDE if parameter.kind == "layer" else NARROW) if row else "stretch"
    shared: dict[str, Any] = {"key": key, "bind": "query-params", "help": tr(parameter.help), "width": width}
    if parameter.kind == "choice":
        titles = dict(parameter.choices)
        options = [value for value, _ in parameter.choices]
        links.check_choice(key, parameter.label, titles.values())
        return st.selectbox(label, options, options.index(parameter.default), format_func=titled(titles), **shared)
    if parameter.kind == "layer":
        options = layer_options(nets, parameter)
        links.check_choice(key, parameter.label, map(_layer_title, options))
        return st.selectbox(label, options, format_func=_layer_title, **shared)
    if parameter.kind == "net":
        return _other_net(parameter, nets, key, label, shared)
    number = float if parameter.kind == "float" else int
    ends: tuple[Any, ...] = (parameter.minimum, parameter.maximum, parameter.default, parameter.step)  # every number's are declared
    bounds: list[Any] = [None if value is None else number(value) for value in ends]
    links.check_number(key, parameter.label, *ends[:2])
    form = "%g" if parameter.kind == "float" else None
    return st.number_input(label, *bounds[:3], step=bounds[3], format=form, placeholder=tr("all"), **shared)


def _other_net(parameter: Parameter, nets: Sequence[Net], key: str, label: str, shared: dict[str, Any]) -> Any:
    """A net that one of those chosen can be compared with, being of the same architecture; empty for none."""
    others = {
        other.id: other for other in catalog(newest=REACH).nets if any(net.model == other.model and net.id != other.id for net in nets)
    }
    titles = dict(parameter.choices) | told_apart(list(others.values()))
    links.check_choice(key, parameter.label, titles.values(), tr("No net of that name has the architecture of another that is chosen."))
    chosen = st.selectbox(label, list(titles), format_func=titled(titles), **shared)
    return others.get(chosen, "")


def layer_options(nets: Sequence[Net], parameter: Parameter | None = None) -> list[str]:
    """Places that all nets have, then all layers of all nets, in the order of the net that has most."""
    of = parameter.layers if parameter else layers_of
    each = sorted((of(net.model) for net in nets), key=len, reverse=True)
    names = list(dict.fromkeys(name for names in each for name in names))
    stages = sorted({name.partition(".")[0] for name in names if "." in name})
    return [LAST, *stages, *names]


def _layer_title(option: str) -> str:
    if option == LAST:
        return tr("the last one with a map")
    return tr("end of {option}", option=option) if option.startswith("layer") and "." not in option else option


def resolved(values: Mapping[str, Any], parameters: Sequence[Parameter], net: Net) -> dict[str, Any]:
    """The values for one net: places become the names of its layers, pixels of an image of 32 those of its images.

    A name that it does not have stays, to be refused.
    """
    found = dict(values)
    for parameter in parameters:
        if parameter.kind == "layer":
            found[parameter.name] = _layer_of(found[parameter.name], net)
        elif parameter.pixels:
            found[parameter.name] = scaled(found[parameter.name], net.side)
    return found


def _layer_of(option: str, net: Net) -> str:
    if option == LAST:
        return default_layer(net)
    inside = [name for name in layers_of(net.model) if name.startswith(f"{option}.")]
    return inside[-1] if inside and "." not in option else option
