"""Architectures: what nets of any families cost, in what they differ, how good they are said to be, and the net drawn."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import streamlit as st

from pages.architectures.drawn import draw, show_agreement, show_diagram
from pages.ui.chart_files import chart_files
from pages.ui.figure_chart import figure_chart
from pages.ui.guard import guarded
from pages.ui.labels import escaped, titled
from resnet_core import literature
from resnet_core.analysis.measured import measured
from resnet_core.analysis.shortcuts import percent, shortcut_differences
from resnet_core.architectures import FAMILIES, ModelConfig, parse, presets
from resnet_core.architectures.table import complexity, rows_as_csv
from resnet_core.differences import between_nets
from resnet_core.errors import ConfigError
from resnet_core.figures.complexity import layers_figure
from resnet_core.figures.diagram_parts import shape_text
from resnet_core.figures.tradeoff import COSTS, totals_figure, tradeoff_csv, tradeoff_figure
from resnet_core.language import mark, tr
from resnet_core.paper import published

DEFAULT_NETS = ["plain-20", "ResNet-20", "plain-56", "ResNet-56"]
OFFERED_NETS = [*(config.name for config in presets()), "plain-1202", "ResNet-164-bottleneck", "ResNet-20-w64"]
#: More would neither fit a table nor a chart that one can look at.
MOST_NETS = 8
#: Nets that are told about together, each set at one click.
SETS = {
    mark("Add, gate, concatenate"): ["plain-56", "Highway-56", "ResNet-56", "DenseNet-40-k12"],
    mark("From AlexNet to ResNet"): ["AlexNet", "VGG-19", "GoogLeNet", "plain-34-ImageNet", "ResNet-34-A-ImageNet", "ResNet-152-ImageNet"],
    mark("Equal complexity"): ["ResNet-50-ImageNet-v1.5", *(f"ResNeXt-50-{form}" for form in ("2x40d", "4x24d", "8x14d", "32x4d"))],
}
SHORTCUT_TITLES = {
    "none": tr("none (plain)"),
    "A": tr("A: identity, zero-padded"),
    "B": tr("B: projections where dimensions change"),
    "C": tr("C: projections"),
}
_DATA = (literature.IMAGENET, literature.CIFAR10)
_COSTS = {key: COSTS[key] for key in ("macs", "params")}
CONDITIONS = tr(
    "Errors under different conditions cannot be compared: each symbol is one condition, and each point "
    "names its source. Costs are counted here, for one image of the size that the net is made for; ten "
    "crops cost ten times as much."
)


@st.cache_data(show_spinner=False, max_entries=200)
def measure(name: str) -> dict | None:
    """``Measured`` as plain values (classes do not outlive a hot reload) of the net of that name; None if it is too large."""
    try:
        return dataclasses.asdict(measured(parse(name)))
    except ConfigError:
        return None


def add_net() -> None:
    """Appends the preset of the form to the chosen nets, or keeps the message that says why not."""
    state = st.session_state
    name = state["new_preset"]
    if len(state["net"]) >= MOST_NETS:
        state["new_error"] = tr("{most_nets} nets are chosen already; take one away first.", most_nets=MOST_NETS)
    elif name not in state["net"]:
        state["net"] = [*state["net"], name]


def choose_nets() -> list[ModelConfig]:
    """The pickers. What is wrong with a typed or linked net is said, and the others are shown all the same."""
    names = st.multiselect(
        tr("Nets"),
        OFFERED_NETS,
        default=DEFAULT_NETS,
        key="net",
        bind="query-params",
        accept_new_options=True,
        max_selections=MOST_NETS,
        help=tr("Pick, or type a name: plain-32, ResNet-44-B, ResNet-110-preact, Highway-20, WRN-40-4, VGG-16-bn. The link keeps them."),
    )
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        family = FAMILIES[
            st.selectbox(
                tr("Family"),
                list(FAMILIES),
                format_func=lambda key: tr(FAMILIES[key].title),
                key="new_family",
                width=320,
                help=tr("In order."),
            )
        ]
        st.selectbox(tr("Its best known nets"), [config.name for config in family.presets], key="new_preset", width=300)
        st.button(tr("Add net"), icon=":material/add:", on_click=add_net, key="new_add")
    with st.container(horizontal=True, gap="small"):
        for title, chosen in SETS.items():
            st.button(tr(title), key="set." + title, on_click=st.session_state.update, args=({"net": chosen},), type="tertiary")
    st.caption(f"{tr(family.title)}: {tr(family.paper)}.")
    if message := st.session_state.pop("new_error", None):
        st.error(escaped(message), icon=":material/error:")
    configs: list[ModelConfig] = []
    for name in names:
        try:
            configs.append(parse(name))
        except ConfigError as error:
            st.error(tr("**{name}** is left out. {error}", name=escaped(name[:40]), error=escaped(str(error))), icon=":material/error:")
    return list(dict.fromkeys(configs))


def totals_table(configs: list[ModelConfig], found: dict[str, dict | None]) -> str:
    """Markdown. A net that is not in ``found`` is still to be measured; one that is None there is too large for it."""
    lines = [
        tr("| Net | Weighted layers | Parameters | MACs | Counted by | Image | Published error (%) |"),
        "|:--|--:|--:|--:|:--|--:|:--|",
    ]
    for config in configs:
        net, tool = complexity(config), found.get(config.name)
        params, macs = (tool["params"], tool["macs"]) if tool else (net.params, net.macs)
        if not tool:
            by = tr("arithmetic (too large for fvcore here)") if config.name in found else tr("arithmetic; fvcore follows …")
        elif (params, macs) == (net.params, net.macs):
            by = tr("fvcore, and arithmetic: equal")
        else:
            by = tr("fvcore; arithmetic says {params:,} and {macs:,}", params=net.params, macs=net.macs)
        side = config.plan().input[-1]
        lines.append(f"| **{config.name}** | {net.layers} | {params:,} | {macs:,} | {by} | {side}×{side} | {error_text(config)} |")
    return "\n".join(lines)


def error_text(config: ModelConfig) -> str:
    """What is published of exactly this net, with its condition."""
    if results := literature.of(config):
        return "; ".join(f"{result.error:.2f} ({result.condition})" for result in results)
    return (row.text if (row := published(config)) else "") or "–"


def show_difference(configs: Sequence[ModelConfig], shown: ModelConfig) -> None:
    """In what the net that is looked into differs from each of the others."""
    lines = []
    for other in configs:
        if other == shown:
            continue
        facts = between_nets(shown, other)
        a, b = complexity(shown), complexity(other)
        said = ", ".join(f"{tr(word)} ({one}; {two})" for word, one, two in facts) or tr("nothing")
        costs = tr("the same parameters and MACs") if (a.params, a.macs) == (b.params, b.macs) else (
            tr("{params:.2f} times the parameters and {macs:.2f} times the MACs", params=b.params / a.params, macs=b.macs / a.macs)
        )  # fmt: skip
        one_thing = tr(" They differ in **one thing**.") if len(facts) == 1 else ""
        lines.append(
            tr(
                "- From **{name}** to **{name2}**: {said}. It has {costs}.{one_thing}",
                name=shown.name,
                name2=other.name,
                said=escaped(said),
                costs=costs,
                one_thing=one_thing,
            )
        )
    if lines:
        st.header(tr("What differs"))
        st.markdown("\n".join(lines))


def show_shortcuts(config: ModelConfig) -> None:
    differences = shortcut_differences(config)
    if not differences:
        return
    st.header(tr("Plain against A, B and C at {depth} layers", depth=config.depth))
    lines = [tr("| Shortcut | Parameters | more than plain | MACs | more than plain |"), "|:--|--:|--:|--:|--:|"]
    plain = differences[0].net
    for difference in differences:
        net = difference.net
        more = [
            f"+{extra:,} ({percent(extra, whole)})" if extra else "0"
            for extra, whole in ((difference.params, plain.params), (difference.macs, plain.macs))
        ]
        lines.append(f"| **{SHORTCUT_TITLES[net.config.shortcut]}** | {net.params:,} | {more[0]} | {net.macs:,} | {more[1]} |")
    st.markdown("\n".join(lines))
    st.markdown("\n".join(f"- {difference.text}" for difference in differences[1:]))


def show_layers(config: ModelConfig, tool: dict | None) -> None:
    net = complexity(config)
    with st.expander(tr("Table of the layers of {name}", name=config.name), icon=":material/table_rows:"):
        arithmetic = {row.name: (row.params, row.macs) for row in net.rows}
        counts = tool["layers"] if tool else arithmetic
        rows = [
            {
                tr("layer"): row.name,
                tr("kind"): row.kind,
                tr("output"): shape_text(row.output_shape),
                tr("kernel"): row.kernel,
                tr("stride"): row.stride,
                tr("parameters"): counts[row.name][0],
                "MACs": counts[row.name][1],
                tr("share of MACs"): row.share * 100,
            }
            for row in net.rows
        ]
        number = st.column_config.NumberColumn(format="localized")
        share = st.column_config.ProgressColumn(format="%.2f %%", min_value=0, max_value=100 * max(row.share for row in net.rows))
        st.dataframe(
            rows,
            hide_index=True,
            height=420,
            placeholder="–",
            column_config={tr("parameters"): number, "MACs": number, tr("share of MACs"): share},
        )
        if tool and counts == arithmetic:
            st.caption(tr("Counted by fvcore in the built net; each of the {rows} rows is the same by arithmetic.", rows=len(rows)))
    label, name = tr("CSV of the layers of {name}", name=config.name), f"{config.name}-layers.csv"
    st.download_button(label, rows_as_csv(net), name, "text/csv", icon=":material/download:", on_click="ignore")


def show_tradeoff() -> None:
    """Published errors against costs, one data set at a time."""
    st.header(tr("Published errors against cost"))
    with st.container(horizontal=True):
        shared: dict[str, Any] = {"required": True, "bind": "query-params"}
        data = st.segmented_control(tr("Data"), _DATA, format_func=tr, default=_DATA[0], key="data", **shared)
        cost = st.segmented_control(tr("Against"), _COSTS, default="macs", key="against", format_func=titled(_COSTS), **shared) or "macs"
    results = [result for result in literature.RESULTS if result.data == data]
    figure_chart(tradeoff_figure(results, cost), tradeoff_figure(results, cost, dark=True), key=f"tradeoff.{data}.{cost}")
    st.caption(CONDITIONS)
    title = tr("ResNet Lab: published errors on {data} against {costs}", data=data, costs=COSTS[cost])
    chart_files("published-errors", title, lambda: tradeoff_csv(results), lambda dark: tradeoff_figure(results, cost, dark), CONDITIONS)


st.title(tr("Architectures"), anchor=False)
st.markdown(
    tr(
        "What a net costs for one image of the size that it is made for: 32×32, ImageNet's nets 224×224. "
        "With identity shortcuts, a residual net has exactly the parameters and MACs of its plain twin."
    )
)
chosen = choose_nets()
if not chosen:
    st.info(tr("Choose at least one net."), icon=":material/info:")
    st.stop()

# What this session has seen measured stands in the table at once, so that it does not change under the viewer's eyes on every click.
found: dict[str, dict | None] = st.session_state.setdefault("complexity_found", {})
table, measuring = st.empty(), st.container()
table.markdown(totals_table(chosen, found))
st.caption(
    tr(
        "MACs: one multiply-add counts once (the paper says FLOPs). Counted are convolutions, projections "
        "and the fully connected layer; BN, ReLU, pooling and the additions are not. Projections are not "
        "weighted layers, as in the paper."
    )
)
counts = [complexity(config) for config in chosen]
with guarded(tr("The chart of the totals")):
    figure_chart(totals_figure(counts), totals_figure(counts, dark=True), key="totals", fixed=True)
    st.caption(tr("Activations are the values kept for the backward pass of one image; times 4 bytes in fp32, and times the batch."))

by_name = {config.name: config for config in chosen}
default = "ResNet-56" if "ResNet-56" in by_name else chosen[0].name
picked = st.segmented_control(tr("Net to look into"), list(by_name), default=default, required=True, key="show", bind="query-params")
shown = by_name.get(picked or default, chosen[0])
show_difference(chosen, shown)
proof = show_diagram(shown)
show_shortcuts(shown)

st.header(tr("Layer by layer"))
draw(layers_figure(counts), "layers", tr("Parameters and multiply-adds, layer by layer: {names}.", names=", ".join(by_name)))
st.caption(
    tr(
        "In a ResNet for CIFAR the filters are doubled where the maps are halved: from stage to stage the "
        "MACs of a layer stay the same (but for the first layer of a stage, which reads half as many "
        "channels), its parameters grow fourfold. Parameters are with those of the layer's BN."
    )
)
with guarded(tr("Published errors")):
    show_tradeoff()

if proof:
    with guarded(tr("The comparison of the three forms")):
        show_agreement(shown, proof)

# Building and tracing the nets takes seconds the first time: everything that arithmetic can say is on the page by now.
for config in chosen:
    if config.name not in found:
        with measuring, st.spinner(tr("fvcore measures {name} …", name=config.name), show_time=True):
            found[config.name] = measure(config.name)
        table.markdown(totals_table(chosen, found))
show_layers(shown, found[shown.name])
