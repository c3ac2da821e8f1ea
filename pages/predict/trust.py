"""Is a map to be believed? Two numbers for each, and the sanity check of Adebayo et al. 2018, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st

from pages.predict import computed
from pages.predict.computed import Failed, Task
from pages.predict.image import Shown
from pages.predict.maps import SIZE, Explained, cost, save
from pages.ui.chart_files import chart_files
from pages.ui.figure_chart import figure_chart
from pages.ui.jobs import Progress, ShouldStop
from pages.ui.labels import escaped, titled
from pages.ui.parameter_widgets import parameter_widgets
from resnet_core.attribution import TRUST, Method, cascade_steps
from resnet_core.csv_text import csv_text
from resnet_core.figures.attribution import KINDS, SanityCurve, sanity_csv, sanity_figure
from resnet_core.figures.overlay import common_scale, overlay, png
from resnet_core.figures.sheet import captioned, side_by_side
from resnet_core.imports.cost import macs_per_image, said_before
from resnet_core.language import mark, tr

#: Side of a picture of one step, in pixels of the page.
_SMALL = 132
#: And in pixels of its file at least.
_SMALL_FILE = 160
#: Times that infidelity hides all its squares: for the map and the two that it is held against, with either sign where need be.
_HIDINGS = 10
IN_NUMBERS, SANITY = mark("in two numbers"), mark("sanity check")


def trust_section(shown: Shown, method: Method, explained: Sequence[Explained]) -> None:
    """Draws both checks; each is computed when its button is pressed, and stays while image, nets and settings do."""
    st.header(tr("Is the map to be believed?"), anchor=False)
    # No tabs: a redrawing below a progress bar would turn them back to the first.
    options: dict[str, Any] = {"default": IN_NUMBERS, "required": True, "key": "check", "bind": "query-params"}
    if st.segmented_control(tr("Check"), [IN_NUMBERS, SANITY], format_func=tr, label_visibility="collapsed", **options) == SANITY:
        _sanity(shown, method, explained)
    else:
        _numbers(shown, method, explained)


def _head(button: str, icon: str, key: str, which: Sequence[str], text: str) -> tuple[bool, dict[str, dict[str, Any]], Any]:
    """What is about to be done, its button and its settings: pressed, the values of each of ``which``, and the place for its cost."""
    st.markdown(text)
    place = st.empty()
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        pressed = st.button(button, icon=icon, key=key)
        with st.popover(tr("Settings"), icon=":material/tune:"):
            values = {}
            for each in which:
                st.markdown(f"**{each.capitalize()}**")
                values[each] = parameter_widgets(TRUST[each], (), f"{each}.")
    return pressed, values, place


def _may_begin(pressed: bool, tasks: Sequence[Task], work: Sequence[float], place: Any) -> bool:
    """Whether there is something to show; until then, what it takes, where that is long."""
    missing = [macs for task, macs in zip(tasks, work, strict=True) if not computed.is_kept(task.key)]
    if missing and not pressed and (text := said_before(sum(missing))):
        place.caption(text)
    return pressed or not missing


# ---------------------------------------------------------------- infidelity and sensitivity


def _numbers(shown: Shown, method: Method, explained: Sequence[Explained]) -> None:
    pressed, values, place = _head(
        tr("Measure"),
        ":material/rule:",
        "predict.measure",
        ("infidelity", "sensitivity"),
        tr(
            "**Infidelity**: does the map foretell what hiding a part of the image does? 0: exactly; 1: no "
            "better than a map of zeros. Hiding more changes more: beside it stand a map that is the same "
            "everywhere and one of noise, and what is not below them tells nothing. **Sensitivity**: by which "
            "part of itself the map changes when the image hardly does; 0: not at all. (Yeh et al. 2019)"
        ),
    )
    tasks = [_trust_task(shown, method, each, values) for each in explained]
    maps, hidden = values["sensitivity"]["samples"] + 1, _HIDINGS * values["infidelity"]["samples"]
    work = [maps * cost(method, each.values, each.net) + hidden * macs_per_image(each.net) for each in explained]
    if not _may_begin(pressed, tasks, work, place):
        return
    found = computed.results(tr("Infidelity and sensitivity: maps"), tasks)
    head = (tr("Net"), tr("Map of"), tr("Infidelity"), tr("of a constant map"), tr("of noise"), tr("in squared logits"), tr("Sensitivity"))
    lines = [f"| {' | '.join(head)} |", "|---|---|---:|---:|---:|---:|---:|"]
    rows, measured = [], []
    for each, pair in zip(explained, found, strict=True):
        if isinstance(pair, Failed):
            st.error(escaped(pair.message), icon=":material/error:")
            continue
        hidden, shaken = pair
        of = each.target_name
        measures = (hidden.relative, hidden.constant, hidden.random, hidden.value, shaken.value)
        cells = [number(value) for value in measures]
        lines.append(f"| {escaped(each.label)} | {escaped(of)} | " + " | ".join(cells) + " |")
        rows.append((shown.name, each.label, method.key, of, hidden.text, shaken.text, *map(exact, measures)))
        measured = [hidden.text, shaken.text]
    if not rows:
        return
    st.markdown("\n".join(lines))
    of_what = tr(" Infidelity is that of {before}.", before=method.before) if method.key == "saliency" else ""
    note = tr(
        "Infidelity: {measured}. Sensitivity: {measured2}. – where hiding changes nothing, or the map is zero.{of_what}",
        measured=measured[0],
        measured2=measured[1],
        of_what=of_what,
    )
    st.caption(escaped(note))
    columns = (
        "image", "net", "method", "target", "infidelity_of", "sensitivity_of", "infidelity_relative", "infidelity_constant_map",
        "infidelity_random_map", "infidelity", "sensitivity",
    )  # fmt: skip
    save(tr("Numbers (CSV)"), lambda: csv_text(columns, rows).encode(), f"{shown.stem}-{method.key}-trust.csv", "text/csv")


def _trust_task(shown: Shown, method: Method, each: Explained, values: Mapping[str, Mapping[str, Any]]) -> Task:
    load, pixels, settings = computed.loader(), shown.seen_by(each.net), {name: dict(of) for name, of in values.items()}

    def work(progress: Progress, should_stop: ShouldStop) -> Any:
        from resnet_core.attribution import trust

        loaded, image = load(each.net), computed.tensor(pixels)
        hidden = trust.infidelity(loaded, image, each.found, **settings["infidelity"], should_stop=should_stop)
        options: dict[str, Any] = {"progress": progress, "should_stop": should_stop}
        return hidden, trust.sensitivity(loaded, image, each.found, **settings["sensitivity"], **options)

    key = _key("trust", each, shown, method, settings["infidelity"], settings["sensitivity"])
    return Task(key, work, settings["sensitivity"]["samples"] + 1)


def _key(what: str, each: Explained, shown: Shown, method: Method, *settings: Mapping[str, Any]) -> tuple:
    map_key = computed.map_key(each.net, shown.seen_by(each.net), method.key, each.index, each.values)
    return what, map_key, tuple(tuple(sorted(of.items())) for of in settings)


# ---------------------------------------------------------------- the sanity check


def _sanity(shown: Shown, method: Method, explained: Sequence[Explained]) -> None:
    pressed, values, place = _head(
        tr("Randomise"),
        ":material/shuffle:",
        "predict.randomise",
        ("sanity",),
        tr(
            "The weights are replaced by random ones from the top layer down. A map that shows what the net has "
            "learned loses its order of pixels, and its rank correlation falls: with signs to about 0, of "
            "magnitudes to what the maps of two random nets have in common, which are of one image too (dotted). "
            "One that hardly changes shows the image. (Adebayo et al. 2018)"
        ),
    )
    settings = values["sanity"]
    tasks = [_sanity_task(shown, method, each, settings) for each in explained]
    # The maps of the net itself, after each step, and of two random ones.
    work = [(task.steps + 2) * cost(method, each.values, each.net) for task, each in zip(tasks, explained, strict=True)]
    if not _may_begin(pressed, tasks, work, place):
        return
    found = computed.results(tr("Sanity check of {label}: steps", label=method.label), tasks)
    there = {}
    for each, steps in zip(explained, found, strict=True):
        if isinstance(steps, Failed):
            st.error(escaped(steps.message), icon=":material/error:")
        else:
            there[each.label] = (each, *steps)
    if not there:
        return
    curves = [_curve(shown, each, steps, level, method, settings["seed"]) for each, steps, level in there.values()]
    picked: dict[str, Any] = {"format_func": titled(KINDS), "default": "signed", "required": True, "key": "rank", "bind": "query-params"}
    kind = st.segmented_control(tr("Rank correlation"), list(KINDS), **picked) or "signed"
    figure_chart(sanity_figure(curves, kind), sanity_figure(curves, kind, dark=True), key="sanity_chart")
    note = tr(
        "Spearman's rank correlation of each map with that of the net as it is; {label}, {name}, seed "
        "{seed}; the target stays. No point where a map is flat. Dotted: the same of two nets with all "
        "weights random.",
        label=method.label,
        name=shown.name,
        seed=settings["seed"],
    )
    if method.before:
        note += tr(" With signs: of {before}; the pictures show the map, which has none.", before=method.before)
    st.caption(escaped(note))
    chart_files(
        f"{shown.stem}-{method.key}-sanity",
        tr("ResNet Lab: sanity check"),
        lambda: sanity_csv(curves),
        lambda dark: sanity_figure(curves, kind, dark),
        note,
    )
    for label, (each, steps, _) in there.items():
        _strip(shown, method, label, each, steps, kind)
    st.caption(tr("Each picture has a colour scale of its own: magnitudes of random nets cannot be compared with a trained one's."))


def _sanity_task(shown: Shown, method: Method, each: Explained, settings: Mapping[str, Any]) -> Task:
    load, pixels = computed.loader(), shown.seen_by(each.net)
    count = 1 + len(cascade_steps(each.net.model, settings["per_stage"]))

    def work(progress: Progress, should_stop: ShouldStop) -> Any:
        from resnet_core.attribution.sanity import cascade, random_level

        loaded, image, found = load(each.net), computed.tensor(pixels), []
        for step in cascade(loaded, image, method.key, each.index, **settings, **each.values, should_stop=should_stop):
            found.append(step)
            progress(len(found), count)
        return found, random_level(loaded, image, method.key, each.index, seed=settings["seed"], **each.values, should_stop=should_stop)

    return Task(_key("sanity", each, shown, method, settings), work, count)


def _curve(
    shown: Shown, each: Explained, steps: Sequence[Any], level: tuple[float | None, float | None], method: Method, seed: int
) -> SanityCurve:
    labels = [step.label for step in steps]
    signed, absolute = [step.signed for step in steps], [step.absolute for step in steps]
    of = (shown.name, each.target_name, seed)
    levels = dict(zip(KINDS, level, strict=True))
    return SanityCurve(each.net.id, each.label, each.net.model, method.key, *of, labels, signed, absolute, levels)


def _strip(shown: Shown, method: Method, label: str, each: Explained, steps: Sequence[Any], kind: str) -> None:
    def pictures(size: int) -> list[np.ndarray]:
        maps = [finite(step.map) for step in steps]
        return [overlay(shown.seen_by(each.net), one, common_scale([one], method.signed), size) for one in maps]

    def sheet() -> bytes:
        what = tr("{label} for {target_name}", label=method.label, target_name=each.target_name)
        words = [[label, what, tr("random down to {label}", label=step.label) if k else step.label] for k, step in enumerate(steps)]
        return png(side_by_side([captioned(picture[..., :3], lines) for picture, lines in zip(pictures(SIZE), words, strict=True)]))

    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(tr("**{label}**, for {target_name}", label=escaped(label), target_name=escaped(each.target_name)), width="content")
        save(tr("All steps (PNG)"), sheet, f"{shown.stem}-{each.net.id}-{method.key}-sanity.png", "image/png")
    captions = [escaped(f"{step.label} · {number(getattr(step, kind))}") for step in steps]
    alt = [f"{method.label}, {label}: {step.label}" for step in steps]
    small = [picture[..., :3] for picture in pictures(max(_SMALL_FILE, each.net.side))]
    st.image(small, caption=captions, alt=alt, width=_SMALL, output_format="PNG")


def finite(values: np.ndarray) -> np.ndarray:
    """Random nets may overflow fp32; such pixels are shown as nothing."""
    return np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)


# ---------------------------------------------------------------- numbers


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}".replace("-", "−")


def exact(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
