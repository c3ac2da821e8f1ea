"""Where the nets looked: one map under each prediction, in one colour scale, of the target that is asked for and no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import streamlit as st

from pages.predict import computed
from pages.predict.computed import Failed
from pages.predict.image import Shown
from pages.ui import links
from pages.ui.labels import escaped, titled
from pages.ui.parameter_widgets import NARROW, WIDE, parameter_widgets, resolved
from resnet_core.architectures import ResNetConfig
from resnet_core.attribution import METHODS, Method, Parameter
from resnet_core.data import CLASSES
from resnet_core.errors import ConfigError
from resnet_core.figures.attribution import Panel, maps_csv
from resnet_core.figures.overlay import Scale, color_scale, common_scale, enlarge, overlay, png
from resnet_core.figures.sheet import captioned, side_by_side
from resnet_core.imports.cost import macs_per_image, said_before
from resnet_core.language import mark, tr
from resnet_core.nets import Net

PREDICTED, TRUE, CHOSEN = "predicted", "true", "another"
TITLES = {PREDICTED: mark("what each net says"), TRUE: mark("the true class"), CHOSEN: mark("a class of my choice")}
#: Side of a picture as a file, in pixels; 14 for each of the image's, 2 of one of 224.
SIZE = 448
#: Columns of the row at least: pictures of one net are not larger than of four.
COLUMNS = 4


@dataclass(frozen=True, eq=False)
class Explained:
    """A net with what it says of the image, and what is to be explained of that.

    Attributes:
        label: of the net, distinct.
        probabilities: of what the bars show; None where the net cannot be asked.
        predicted: index of its own prediction, as the bars show it, or None.
        alone: of bars that are of several views: index of its prediction of the one view that a map explains; else None.
        target: index, or None where this net has no such target; then ``why`` says it.
        values: the method's parameters for this net.
        found: its ``Attribution``, once there is one.
    """

    net: Net
    label: str
    classes: Sequence[str]
    predicted: int | None
    target: int | None
    why: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    found: Any = None
    alone: int | None = None

    @property
    def index(self) -> int:
        """``target`` of a net that has one."""
        assert self.target is not None
        return self.target

    @property
    def target_name(self) -> str:
        """The target's class, of a net that has one."""
        return self.classes[self.index]


def choose_method() -> Method:
    links.check_choice("method", tr("the method"), [method.label for method in METHODS.values()])
    key = st.selectbox(
        tr("Method"), list(METHODS), format_func=lambda key: tr(METHODS[key].label), key="method", bind="query-params", width=WIDE
    )
    return METHODS[key]


def choose_target() -> tuple[str, str | None]:
    """What is to be explained: one of ``TITLES``, and the class's name if the viewer has chosen one."""
    links.check_choice("target", tr("the target"), TITLES.values())
    kind = st.selectbox(
        tr("Explain"), list(TITLES), format_func=titled(TITLES), key="target", bind="query-params", width=WIDE,
        help=tr("The class whose logit the maps explain. Nets may predict different ones: what each map is of stands "
"below it."),
    )  # fmt: skip
    if kind == CHOSEN:
        links.check_choice("explain", tr("the class"), CLASSES)
        # No default, not even the image's own class: the address leaves a default out, so a link would ask for another class
        # as soon as another image is shown.
        shared: dict[str, Any] = {"key": "explain", "placeholder": tr("Choose a class"), "bind": "query-params", "width": NARROW}
        return kind, st.selectbox(tr("Class to explain"), CLASSES, None, format_func=tr, **shared)
    return kind, None


def target_of(kind: str, name: str | None, predicted: int | None, label: int | None, classes: Sequence[str]) -> tuple[int | None, str]:
    """The target's index for one net, or None and why. One target never stands in for another."""
    if kind == PREDICTED:
        return predicted, ""
    if tuple(classes) != tuple(CLASSES):
        return None, tr("It does not know CIFAR-10's classes, which this target is one of.")
    if kind == TRUE:
        unknown = tr("The true class of this picture is not known. Say it in the sidebar, or explain another target.")
        return label, unknown if label is None else ""
    return (CLASSES.index(name), "") if name else (None, tr("Choose the class to explain above."))


def cost(method: Method, values: Mapping[str, Any], net: Net) -> float:
    """Multiply-adds of one map, roughly; a backward pass counts as two forward ones."""
    macs = macs_per_image(net)
    if method.key == "integrated-gradients":
        return 3 * values["steps"] * macs
    if method.key == "occlusion":
        return (-(-(net.side - values["window"]) // values["stride"]) + 1) ** 2 * macs
    return 6 * macs


def maps_section(shown: Shown, asked: Sequence[Explained]) -> tuple[Method, list[Explained]]:
    """Draws the choice and the row of maps. Returns the method, and the nets that have a map."""
    st.header(tr("Where it looked"), anchor=False)
    nets = [each.net for each in asked]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="predict-controls"):
        method = choose_method()
        kind, name = choose_target()
        given = parameter_widgets(method.parameters, nets, row=True)
    wrong = invalid(method, given)
    if wrong:
        st.error(escaped(wrong), icon=":material/error:")
        return method, []
    if method.warning:
        st.warning(escaped(method.warning), icon=":material/report:")
    todo = [prepared(each, method, given, kind, name, shown.label) for each in asked]
    done = _computed(shown, method, todo)
    if done is None:
        return method, []
    scale = common_scale([each.found.map for each in done if each.found is not None], method.signed)
    for column, each in zip(st.columns(max(COLUMNS, len(done)), gap="small"), done, strict=False):
        with column:
            _picture(shown, method, each, scale)
    there = [each for each in done if each.found is not None]
    if there:
        color_bar(scale)
        st.caption(
            escaped(
                tr(
                    "{text} One scale for the row. {label} ({source}). {meaning}",
                    text=scale.text,
                    label=method.label,
                    source=method.source,
                    meaning=method.meaning,
                )
            )
        )
        _files(shown, method, there, scale)
    return method, there


def invalid(method: Method, given: Mapping[str, Any]) -> str:
    """What is wrong with the parameters whatever the net; layers are each net's own affair."""
    try:
        method.complete(_without_layers(given, method.parameters), ResNetConfig())  # pixels as the fields have them, of 32
    except ConfigError as error:
        return str(error)
    return ""


def _without_layers(given: Mapping[str, Any], parameters: Sequence[Parameter]) -> dict[str, Any]:
    layers = [each.name for each in parameters if each.kind == "layer"]
    return {name: value for name, value in given.items() if name not in layers}


def prepared(each: Explained, method: Method, given: Mapping[str, Any], kind: str, name: str | None, label: int | None) -> Explained:
    """With its target and parameters, or why it has none."""
    if each.predicted is None:
        return each
    target, why = target_of(kind, name, each.predicted, label, each.classes)
    values: dict[str, Any] = {}
    try:
        values = method.complete(resolved(given, method.parameters, each.net), each.net)
    except ConfigError as error:
        target, why = None, tr("{label} has no such layer: {value}", label=each.label, value=str(error).removeprefix("layer: "))
    return replace(each, target=target, why=why, values=values)


def _computed(shown: Shown, method: Method, todo: Sequence[Explained]) -> list[Explained] | None:
    """With the maps; None as long as the viewer has not asked for what takes long."""
    able = [each for each in todo if each.target is not None]
    tasks = [computed.map_task(e.net, shown.seen_by(e.net), method.key, e.index, e.values, cost(method, e.values, e.net)) for e in able]
    missing = [each for each, task in zip(able, tasks, strict=True) if not computed.is_kept(task.key)]
    work = sum(cost(method, each.values, each.net) for each in missing)
    if work > computed.AT_ONCE:
        st.caption(said_before(work) or tr("With these nets and settings the maps take more than a moment."))
        if not st.button(tr("Compute {label}", label=method.label), type="primary", icon=":material/visibility:", key="predict.compute"):
            return None
        computed.results(method.label, tasks)
        st.rerun()  # without the button
    found = dict(zip([each.net.id for each in able], computed.results(method.label, tasks), strict=True))
    return [_with(each, found.get(each.net.id)) for each in todo]


def _with(each: Explained, found: Any) -> Explained:
    if isinstance(found, Failed):
        return replace(each, target=None, why=found.message)
    return replace(each, found=found)


def _picture(shown: Shown, method: Method, each: Explained, scale: Scale) -> None:
    st.markdown(f"**{escaped(each.label)}**")
    if each.found is None:
        st.info(escaped(each.why or tr("It cannot be asked.")), icon=":material/info:")
        return
    content = png(overlay(shown.seen_by(each.net), each.found.map, scale, SIZE))
    st.image(
        content,
        width="stretch",
        alt=tr("{label} of {label2} for {target_name}", label=method.label, label2=each.label, target_name=each.target_name),
    )
    st.caption(escaped(note_of(each)))
    if each.found.is_zero:
        st.caption(tr("The map is zero everywhere: nothing speaks for this class at this layer."))
    st.download_button(
        tr("PNG"), content, f"{shown.stem}-{each.net.id}-{method.key}.png", "image/png", key=f"predict.png.{each.net.id}",
        icon=":material/download:", on_click="ignore", type="tertiary",
    )  # fmt: skip


def note_of(each: Explained) -> str:
    """``for cat (its prediction) · layer3.2 · convergence delta 0.0021 of 5.23``."""
    parts = [tr("for {target_name}{whose}", target_name=each.target_name, whose=_whose(each))]
    if "layer" in each.found.parameters:
        parts.append(str(each.found.parameters["layer"]))
    if each.found.delta is not None:
        parts.append(tr("convergence delta {delta:.2g} of {difference:.3g}", delta=each.found.delta, difference=each.found.difference))
    return " · ".join(parts)


def _whose(each: Explained) -> str:
    """Say of the target whether it is the net's own, and of which views. A map is of one view, whatever the bars are of."""
    if each.alone is None or each.alone == each.predicted:
        return tr(" (its prediction)") if each.target == each.predicted else ""
    if each.target == each.predicted:
        return tr(" (its prediction by several views; by this view alone {classes})", classes=each.classes[each.alone])
    return tr(" (its prediction by this view alone)") if each.target == each.alone else ""


def color_bar(scale: Scale) -> None:
    """The scale with its numbers."""
    stops = ", ".join(f"{color} {100 * part:.0f}%" for part, color in color_scale(scale))
    numbers = [scale.low, 0.0, scale.limit] if scale.signed else [0.0, scale.limit / 2, scale.limit]
    words = [tr("against the target"), "", tr("for the target")] if scale.signed else [tr("nothing"), "", tr("most")]
    texts = "".join(f"<span>{f'{number:.3g}'.replace('-', '−')} {word}</span>" for number, word in zip(numbers, words, strict=True))
    st.html(
        f'<div style="height:14px;border-radius:3px;background:linear-gradient(to right, {stops})"></div>'
        f'<div style="display:flex;justify-content:space-between;font-size:0.9rem">{texts}</div>'
    )


def _files(shown: Shown, method: Method, there: Sequence[Explained], scale: Scale) -> None:
    with st.container(horizontal=True, gap="small"):
        save(tr("The row (PNG)"), lambda: _sheet(shown, method, there, scale), f"{shown.stem}-{method.key}.png", "image/png")
        numbers = lambda: maps_csv([_panel(shown, method, each) for each in there]).encode()  # noqa: E731
        save(tr("Numbers (CSV)"), numbers, f"{shown.stem}-{method.key}.csv", "text/csv")


def _panel(shown: Shown, method: Method, each: Explained) -> Panel:
    found, target = each.found, each.target_name
    return Panel(shown.name, each.label, method.key, target, found.map, found.parameters, found.delta, found.difference)


def _sheet(shown: Shown, method: Method, there: Sequence[Explained], scale: Scale) -> bytes:
    """What the net sees, then the maps, from left to right, each with its words below."""
    pictures = [captioned(enlarge(shown.pixels, SIZE), [shown.name, method.label])]
    for each in there:
        sides = tr("colours from {low:.3g} to {limit:.3g}", low=scale.low, limit=scale.limit)
        pictures.append(
            captioned(overlay(shown.seen_by(each.net), each.found.map, scale, SIZE)[..., :3], [each.label, note_of(each), sides])
        )
    return png(side_by_side(pictures))


def save(title: str, content: bytes | Callable[[], bytes], name: str, mime: str) -> None:
    """A download whose content is made when it is clicked."""
    st.download_button(title, content, name, mime, key=f"save.{name}", icon=":material/download:", on_click="ignore", type="tertiary")


def input_png(pixels: np.ndarray) -> bytes:
    """What the net sees, each pixel a square."""
    return png(enlarge(pixels, SIZE))
