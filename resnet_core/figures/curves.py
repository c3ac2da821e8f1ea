"""Learning curves of any runs together, as in Figure 6 of He et al. 2016: training error dashed, test error bold.

``learning_curves(runs, View(...), dark)`` draws, ``view_note`` says what the drawing adds; what must stand beside every curve is
in ``captions``.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from resnet_core.config import RunConfig
from resnet_core.figures import end_names, style
from resnet_core.figures.captions import Group, conditions, grouped, labels
from resnet_core.figures.series import KINDS, Points, RunRecords, decimate, mean_over_runs, points, run_curve
from resnet_core.language import mark, tr

X_AXES = (mark("iterations"), mark("epochs"), mark("time"))
_LINES = {"training": style.TRAIN_LINE, "test": style.TEST_LINE, "validation": {"dash": "1.5px,3px", "width": 2.4}}
#: Samples of the lines, for the title of the legend.
_KEYS = {"training": mark("╌╌ training"), "test": mark("<b>━━</b> test"), "validation": mark("┈┈ validation")}
#: Names stand at the ends of the curves while there are at most so many, of at most so many characters.
_MOST_END_LABELS, _LONGEST_END_LABEL = 10, 26
#: Per metric the lowest and the highest value that there can be: no axis shows more.
_POSSIBLE: dict[str, tuple[float | None, float | None]] = {"error": (0.0, 100.0), "loss": (0.0, None)}
#: Measured on a whole data set, so not smoothed: of batches only the training error and loss are.
_UNSMOOTHED = ("test", "validation")


@dataclass(frozen=True)
class View:
    """What a chart shows of its runs.

    Attributes:
        metric: ``error`` (percent) or ``loss`` (cross-entropy, nats).
        x: ``iterations``, ``epochs``, or ``time`` (training time, summed over resumptions).
        kinds: any of ``training``, ``test``, ``validation``.
        smoothing: width of the centred moving mean of the training curves, as a fraction of each run's length; 0 for none.
        log: a logarithmic y axis.
        seeds: each run on its own (``separate``), or those that differ in the seed only as one mean with the ``range`` (lowest to
            highest) or one standard deviation (``std``) around it.
    """

    metric: str = "error"
    x: str = "iterations"
    kinds: tuple[str, ...] = ("training", "test")
    smoothing: float = 0.0
    log: bool = False
    seeds: str = "separate"


def window(config: RunConfig, view: View) -> float:
    """The moving mean's width in iterations of this run."""
    return view.smoothing * config.recipe.iterations


def group_points(group: Group, view: View, kind: str) -> Points:
    """The curve of a group before decimation: of its runs that have come to a first record of that kind; empty where none has."""
    widths = [0.0 if kind in _UNSMOOTHED else window(run.config, view) for run in group.runs]
    curves = [each for run, width in zip(group.runs, widths, strict=True) if len(each := run_curve(run, view.metric, kind, width))]
    return mean_over_runs(curves, view.seeds) if curves else points([], view.metric, kind)


def _time_unit(curves: Sequence[Points]) -> tuple[float, str]:
    """Seconds in the unit of the time axis, and its name, by the longest curve."""
    longest = max((np.nanmax(curve.seconds) for curve in curves if np.isfinite(curve.seconds).any()), default=0.0)
    return (1.0, "seconds") if longest < 180 else (60.0, "minutes") if longest < 3 * 3600 else (3600.0, "hours")


@dataclass(frozen=True)
class _Net:
    """One group on its way into the chart. ``text`` is the label as plotly may show it: the user's own ``<`` is no tag."""

    group: Group
    key: str
    text: str
    color: str
    symbol: str | None

    def shared(self, layer: str) -> dict[str, Any]:
        """What all traces of the net have. ``uid`` lets plotly know a trace again when its data change; it becomes a CSS class there."""
        return {"uid": f"{self.key}-{layer}", "legendgroup": self.key, "name": self.text, "showlegend": False}


def _nets(groups: Sequence[Group], dark: bool) -> list[_Net]:
    looks = style.told_apart([group.config.model for group in groups], dark)
    return [
        _Net(group, group.runs[0].run_id, html.escape(label, quote=False), color, symbol)
        for group, label, (color, symbol) in zip(groups, labels(groups), looks, strict=True)
    ]


def learning_curves(runs: Sequence[RunRecords], view: View = View(), dark: bool = False) -> go.Figure:
    """One chart of all the runs.

    Every net has one entry in the legend, which hides or shows all its curves, and its name at the end of its curve where there is room.
    Raw curves stand faint behind smoothed ones, and the hover text has the value of the record; a band is the spread over seeds. Curves
    keep at most 1,000 points, with both ends and all extremes. NaN is a gap.
    """
    nets = _nets(grouped(runs, view.seeds), dark)
    whole = {(net.key, kind): group_points(net.group, view, kind) for net in nets for kind in KINDS if kind in view.kinds}
    # Without a validation split there is no curve to wait for. A net that has no point yet is in the legend already.
    kinds = [kind for kind in KINDS if kind in view.kinds and (kind != "validation" or any(len(whole[net.key, kind]) for net in nets))]
    unit, unit_name = _time_unit(list(whole.values()))
    where = {"iterations": tr("iteration %{x:,.0f}"), "epochs": tr("epoch %{x:.2f}"), "time": f"%{{x:.1f}} {unit_name}"}[view.x]
    form, unit_of_value = (".2f", " %") if view.metric == "error" else (".3f", "")
    bands, raw, lines, joints = [], [], [], []
    ends: list[tuple[_Net, float, float]] = []
    for kind in sorted(kinds, key=("validation", "training", "test").index):  # the bold curves last: they lie on top
        for net in nets:
            curve = decimate(whole[net.key, kind])
            per_iteration = net.group.config.recipe.batch_size / net.group.config.data.train_images if view.x == "epochs" else 1.0
            x = curve.seconds / unit if view.x == "time" else curve.iteration * per_iteration
            if curve.low is not None:
                bands.append(_band(net, kind, x, curve, view.log))
            if curve.raw is not None:
                faint = {**_LINES[kind], "color": style.rgba(net.color, 0.3), "width": 1.2, "dash": "solid"}
                raw.append(go.Scatter(**net.shared(f"{kind}-raw"), x=x, y=curve.raw, mode="lines", line=faint, hoverinfo="skip"))
            lines.append(
                go.Scatter(
                    {**net.shared(kind), "showlegend": kind == _named_by(kinds)},
                    x=x if len(curve) else np.array([np.nan]),
                    y=curve.y if len(curve) else np.array([np.nan]),
                    mode="lines+markers" if net.symbol or len(curve) == 1 else "lines",
                    line={**_LINES[kind], "color": net.color},
                    marker={"symbol": net.symbol or "circle", "size": 9 if kind == "test" else 7, "color": net.color, "maxdisplayed": 12},
                    meta=kind,
                    customdata=None if curve.raw is None else curve.raw,
                    hovertemplate=tr(
                        "%{{fullData.name}}: {kind} {metric} "
                        "<b>%{{{value}:{form}}}{unit_of_value}</b><br>{where}{value2}{hover_note}<extra></extra>",
                        kind=kind,
                        metric=view.metric,
                        value="y" if curve.raw is None else "customdata",
                        form=form,
                        unit_of_value=unit_of_value,
                        where=where,
                        value2=""
                        if curve.raw is None
                        else tr("<br>moving mean: %{{y:{form}}}{unit_of_value}", form=form, unit_of_value=unit_of_value),
                        hover_note=style.hover_note(conditions(net.group)),
                    ),
                )
            )
            if kind == _named_by(kinds) and np.isfinite(curve.y).any():
                last = np.flatnonzero(np.isfinite(curve.y))[-1]
                ends.append((net, x[last], curve.y[last]))
                if net.group.runs[0].before:
                    at = np.searchsorted(curve.iteration, net.group.runs[0].grown_at, side="right") - 1
                    joints.append(_joint(net, x[at], curve.y[at]))
    drawn = [*lines, *raw, *bands]
    finite = [y for y in (np.asarray(trace.y)[np.isfinite(trace.y)] for trace in drawn) if len(y)]
    span = (min(y.min() for y in finite), max(y.max() for y in finite)) if finite else (0.0, 1.0)
    longest = max((np.nanmax(line.x) for line in lines if np.isfinite(line.x).any()), default=0.0)
    names = _end_labels(ends, span, longest, view)
    return _laid_out(
        go.Figure([*bands, *raw, *lines, *joints, *names]), view, kinds, unit_name, dark, [net.text for net in nets], bool(names)
    )


def _named_by(kinds: Sequence[str]) -> str:
    """The kind of curve that carries a net's entry in the legend."""
    return "test" if "test" in kinds else kinds[0]


def _band(net: _Net, kind: str, x: np.ndarray, curve: Points, log: bool) -> go.Scatter:
    assert curve.low is not None and curve.high is not None  # only a curve with a spread has a band
    shown = np.isfinite(curve.low) & np.isfinite(curve.high) & ((curve.low > 0) if log else True)
    x, low, high = x[shown], curve.low[shown], curve.high[shown]
    outline = {"x": np.concatenate([x, x[::-1]]), "y": np.concatenate([high, low[::-1]])}
    fill = {"fill": "toself", "fillcolor": style.rgba(net.color, 0.18), "line": {"width": 0}, "mode": "lines", "hoverinfo": "skip"}
    return go.Scatter(**net.shared(f"{kind}-band"), **outline, **fill)


def _joint(net: _Net, x: float, y: float) -> go.Scatter:
    """The mark where a net was made deeper."""
    run = net.group.runs[0]
    assert run.config.start is not None  # it has a curve from before
    return go.Scatter(
        **net.shared("joint"),
        x=[x],
        y=[y],
        mode="markers",
        marker={"symbol": "diamond", "size": 13, "color": net.color, "line": {"width": 2, "color": "#ffffff"}},
        meta="joint",
        hovertemplate=tr("{net} is made deeper here: {name}<extra></extra>", net=run.config.start.net, name=run.config.model.name),
    )


def _end_labels(ends: Sequence[tuple[_Net, float, float]], span: tuple[float, float], longest: float, view: View) -> list[go.Scatter]:
    """The nets' names at the ends of their curves; none where names are long or many.

    ``span`` is the lowest and the highest value of the chart, ``longest`` the highest x.
    """
    if not ends or len(ends) > _MOST_END_LABELS or max(len(net.text) for net, _, _ in ends) > _LONGEST_END_LABEL:
        return []
    if view.log:
        ends = [each for each in ends if each[2] > 0]
    scale, back = (np.log10, lambda v: 10**v) if view.log and span[0] > 0 else (np.asarray, np.asarray)
    placed = back(end_names.heights(scale(np.array([value for _, _, value in ends])), float(scale(span[0])), float(scale(span[1]))))
    room = end_names.ROOM * longest
    return [
        go.Scatter({**end_names.end_name((x, end), (x + room, y), net.text, net.color), **net.shared("label")})
        for (net, x, end), y in zip(ends, placed, strict=True)
    ]


def _laid_out(
    figure: go.Figure, view: View, kinds: Sequence[str], unit: str, dark: bool, names: Sequence[str], labelled: bool
) -> go.Figure:
    base = style.layout(dark)
    x_title = {"iterations": tr("iterations"), "epochs": tr("epochs"), "time": tr("training time ({unit})", unit=unit)}[view.x]
    y_title = tr("error (%)") if view.metric == "error" else tr("loss (cross-entropy)")
    key = "\u2003".join(tr(_KEYS[kind]) for kind in ("test", "training", "validation") if kind in kinds)
    # Beside the chart, where names at the ends of the curves do not need the room.
    above = labelled or sum(len(name) + 6 for name in names) <= 90
    legend = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"} if above else {"orientation": "v", "y": 1}
    right = 24 + 9 * max(map(len, names)) if labelled else base["margin"]["r"]
    figure.update_layout(
        base,
        legend={**base["legend"], **legend, "title": {"text": key + ("\u2003" if above else ""), "font": base["font"]}},
        margin={**base["margin"], "t": 44 if above else base["margin"]["t"], "r": right},
        showlegend=True,
        hovermode="closest",
        # Zoom and hidden curves survive new points; zoom starts afresh with other axes.
        uirevision="viewer",
    )
    axes = f"{view.metric}/{view.x}/{view.log}"
    figure.update_xaxes(title_text=x_title, rangemode="tozero", uirevision=axes)
    ends = [max(trace.x) for trace in figure.data if trace.mode == "lines+text"]
    if ends:  # the names at the ends stand in the margin
        figure.update_xaxes(autorangeoptions_clipmax=max(ends))
    low, high = _POSSIBLE[view.metric]
    if view.log:  # in powers of ten, and without a lower end
        low, high = None, high and math.log10(high)
    figure.update_xaxes(minallowed=0)
    figure.update_yaxes(title_text=y_title + (tr(", log scale") if view.log else ""), type="log" if view.log else "linear", uirevision=axes)
    figure.update_yaxes(minallowed=low, maxallowed=high)
    return figure


def view_note(groups: Sequence[Group], view: View) -> str:
    """What the drawing itself adds to or takes from the records: the smoothing window, the spread; empty for neither."""
    parts = []
    if view.smoothing > 0 and "training" in view.kinds:
        widths = sorted({window(group.config, view) for group in groups})
        size = (
            f"{widths[0]:,.0f}"
            if len(widths) == 1
            else tr("{widths:,.0f} to {widths2:,.0f}", widths=widths[0], widths2=widths[-1])
            if widths
            else "0"
        )
        parts.append(
            tr(
                "Training: a moving mean over {size} iterations ({smoothing:.0%} of each run), centred; the raw "
                "curve stands faint behind it. Test and validation are as recorded, and so are the values at the "
                "pointer.",
                size=size,
                smoothing=view.smoothing,
            )
        )
    if view.seeds != "separate" and any(len(group.runs) > 1 for group in groups):
        band = tr("lowest to highest") if view.seeds == "range" else tr("± one standard deviation")
        parts.append(tr("Lines are means over seeds, up to where every seed of a net has come; bands are {band}.", band=band))
    return " ".join(parts)
