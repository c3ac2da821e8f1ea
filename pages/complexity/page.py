"""Complexity: parameters and MACs of the chosen nets, in total and layer by layer, what the shortcuts cost, and the net drawn."""

from __future__ import annotations

import dataclasses

import plotly.graph_objects as go
import streamlit as st
from streamlit.elements.lib.streamlit_plotly_theme import GRAY_90

from pages.ui.labels import escaped, titled
from resnet_core.analysis.measured import measured
from resnet_core.analysis.shortcuts import percent, shortcut_differences
from resnet_core.architectures import ModelConfig, ResNetConfig, parse, presets
from resnet_core.architectures.resnet import BLOCKS, SHORTCUTS
from resnet_core.architectures.table import complexity, rows_as_csv
from resnet_core.errors import ConfigError
from resnet_core.figures.complexity import layers_figure
from resnet_core.figures.diagram import diagram, is_drawn_in_full
from resnet_core.figures.diagram_parts import shape_text
from resnet_core.paper import published

DEFAULT_NETS = ["plain-20", "ResNet-20", "plain-56", "ResNet-56"]
OFFERED_NETS = [config.name for config in presets()] + ["plain-1202", "ResNet-164-bottleneck", "ResNet-20-w64"]
#: More would neither fit a table nor a chart that one can look at.
MOST_NETS = 8
SHORTCUT_TITLES = {
    "none": "none (plain)",
    "A": "A: identity, zero-padded",
    "B": "B: projections where dimensions change",
    "C": "C: projections",
}
CHART = {"displaylogo": False, "scrollZoom": False, "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"]}


def draw(figure: go.Figure, key: str) -> None:
    """Streamlit's theme writes on charts in a pale grey; on a projector it wants the page's own text colour."""
    figure.update_layout(font={"color": GRAY_90}, dragmode=False)  # a swipe scrolls; the buttons still zoom
    figure.update_xaxes(tickfont={"color": GRAY_90}, title={"font": {"color": GRAY_90}})
    figure.update_yaxes(tickfont={"color": GRAY_90})
    st.plotly_chart(figure, config=CHART, key=key)


@st.cache_data(show_spinner=False, max_entries=200)
def measure(name: str) -> dict | None:
    """``Measured`` as plain values (classes do not outlive a hot reload) of the net of that name; None if it is too large."""
    try:
        return dataclasses.asdict(measured(parse(name)))
    except ConfigError:
        return None


def add_net() -> None:
    """Appends the net of the form to the chosen ones, or keeps the message that says why not."""
    state = st.session_state
    try:
        config = ResNetConfig(state["new_depth"], state["new_shortcut"], state["new_width"], state["new_block"])
    except ConfigError as error:
        state["new_error"] = str(error)
        return
    if len(state["net"]) >= MOST_NETS:
        state["new_error"] = f"{MOST_NETS} nets are chosen already; take one away first."
    elif config.name not in state["net"]:
        state["net"] = [*state["net"], config.name]


def choose_nets() -> list[ModelConfig]:
    """The pickers. What is wrong with a typed or linked net is said, and the others are shown all the same."""
    names = st.multiselect(
        "Nets",
        OFFERED_NETS,
        default=DEFAULT_NETS,
        key="net",
        bind="query-params",
        accept_new_options=True,
        max_selections=MOST_NETS,
        help="Pick, or type a name: plain-32, ResNet-44-B, ResNet-20-w32, ResNet-110-preact, ResNet-56-nobn. The link keeps them.",
    )
    with st.form("new_net", border=False):
        depth, shortcut, width, block, button = st.columns([2, 4, 2, 3, 2], vertical_alignment="bottom")
        depth.number_input("Depth", value=110, step=6, key="new_depth", help="6n+2 layers with basic blocks, 9n+2 with bottlenecks")
        shortcut.selectbox("Shortcut", SHORTCUTS, index=1, format_func=titled(SHORTCUT_TITLES), key="new_shortcut")
        width.number_input("Width", value=16, key="new_width", help="filters of the first stage; the others have 2 and 4 times as many")
        block.selectbox("Block", BLOCKS, key="new_block")
        button.form_submit_button("Add net", icon=":material/add:", on_click=add_net, width="stretch")
    if message := st.session_state.pop("new_error", None):
        st.error(escaped(message), icon=":material/error:")
    configs: list[ModelConfig] = []
    for name in names:
        try:
            configs.append(parse(name))
        except ConfigError as error:
            st.error(f"**{escaped(name[:40])}** is left out. {escaped(str(error))}", icon=":material/error:")
    return list(dict.fromkeys(configs))


def totals_table(configs: list[ModelConfig], found: dict[str, dict | None]) -> str:
    """Markdown. A net that is not in ``found`` is still to be measured; one that is None there is too large for it."""
    lines = ["| Net | Weighted layers | Parameters | MACs | Counted by | Parameters in the paper |", "|:--|--:|--:|--:|:--|--:|"]
    for config in configs:
        net, tool = complexity(config), found.get(config.name)
        params, macs = (tool["params"], tool["macs"]) if tool else (net.params, net.macs)
        if not tool:
            by = "arithmetic (too large for fvcore here)" if config.name in found else "arithmetic; fvcore follows …"
        elif (params, macs) == (net.params, net.macs):
            by = "fvcore, and arithmetic: equal"
        else:
            by = f"fvcore; arithmetic says {net.params:,} and {net.macs:,}"
        in_paper = (row.params if (row := published(config)) else "") or "–"
        lines.append(f"| **{config.name}** | {net.layers} | {params:,} | {macs:,} | {by} | {in_paper} |")
    return "\n".join(lines)


def show_shortcuts(config: ModelConfig) -> None:
    differences = shortcut_differences(config)
    if not differences:
        return
    st.subheader(f"Plain against A, B and C at {config.depth} layers")
    lines = ["| Shortcut | Parameters | more than plain | MACs | more than plain |", "|:--|--:|--:|--:|--:|"]
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


def show_diagram(config: ModelConfig) -> None:
    net = complexity(config)
    st.subheader(f"{config.name}, drawn")
    draw(diagram(net), "diagram")
    parts = "its BN and ReLU" if any(row.kind == "bn" for row in net.rows) else "its ReLU"
    note = f"Each box is a convolution with {parts}: kernel, filters, and /2 where it takes every second pixel. "
    if not config.is_plain:
        note += "Solid shortcuts where dimensions match, dotted where they change, as in Fig. 3 of the paper. "
    else:
        note += "A plain net has no shortcuts. "
    if not is_drawn_in_full(net):
        note += "Of so deep a net the first and the last blocks of each stage are drawn; the wide box stands for those between. "
    st.caption(note + "Point at anything for its shape, parameters and MACs.")


def show_layers(config: ModelConfig, tool: dict | None) -> None:
    net = complexity(config)
    with st.expander(f"Table of the layers of {config.name}", icon=":material/table_rows:"):
        arithmetic = {row.name: (row.params, row.macs) for row in net.rows}
        counts = tool["layers"] if tool else arithmetic
        rows = [
            {
                "layer": row.name,
                "kind": row.kind,
                "output": shape_text(row.output_shape),
                "kernel": row.kernel,
                "stride": row.stride,
                "parameters": counts[row.name][0],
                "MACs": counts[row.name][1],
                "share of MACs": row.share * 100,
            }
            for row in net.rows
        ]
        number = st.column_config.NumberColumn(format="localized")
        share = st.column_config.ProgressColumn(format="%.2f %%", min_value=0, max_value=100 * max(row.share for row in net.rows))
        st.dataframe(
            rows, hide_index=True, height=420, placeholder="–", column_config={"parameters": number, "MACs": number, "share of MACs": share}
        )
        if tool and counts == arithmetic:
            st.caption(f"Counted by fvcore in the built net; each of the {len(rows)} rows is the same by arithmetic.")
    label, name = f"CSV of the layers of {config.name}", f"{config.name}-layers.csv"
    st.download_button(label, rows_as_csv(net), name, "text/csv", icon=":material/download:", on_click="ignore")


st.title("Complexity")
st.markdown(
    "What a net costs for one image of the size that it is made for: 32×32, ImageNet's nets 224×224. With identity shortcuts, a residual "
    "net has exactly the parameters and MACs of its plain twin."
)
chosen = choose_nets()
if not chosen:
    st.info("Choose at least one net.", icon=":material/info:")
    st.stop()

# What this session has seen measured stands in the table at once, so that it does not change under the viewer's eyes on every click.
found: dict[str, dict | None] = st.session_state.setdefault("complexity_found", {})
table, measuring = st.empty(), st.container()
table.markdown(totals_table(chosen, found))
st.caption(
    "MACs: one multiply-add counts once (the paper says FLOPs). Counted are convolutions, projections and the fully connected layer; "
    "BN, ReLU, pooling and the additions are not. Projections are not weighted layers, as in the paper; its column is from Table 6."
)

st.subheader("Layer by layer")
draw(layers_figure([complexity(config) for config in chosen]), "layers")
st.caption(
    "Where the maps are halved the filters are doubled: from stage to stage the MACs of a layer stay the same (but for the first layer of "
    "a stage, which reads half as many channels), its parameters grow fourfold. Parameters are with those of the layer's BN."
)

by_name = {config.name: config for config in chosen}
default = "ResNet-56" if "ResNet-56" in by_name else chosen[0].name
picked = st.segmented_control("Net to look into", list(by_name), default=default, required=True, key="show", bind="query-params")
shown = by_name.get(picked or default, chosen[0])
show_diagram(shown)
show_shortcuts(shown)

# Building and tracing the nets takes seconds the first time: everything that arithmetic can say is on the page by now.
for config in chosen:
    if config.name not in found:
        with measuring, st.spinner(f"fvcore measures {config.name} …", show_time=True):
            found[config.name] = measure(config.name)
        table.markdown(totals_table(chosen, found))
show_layers(shown, found[shown.name])
