"""One deletion by a click: a block in the net's diagram, or by its name; the error without it is there in a moment."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.architectures.drawn import draw
from pages.ui import links
from pages.ui.alternative import plain
from pages.ui.analyses import Images
from pages.ui.asking import may_begin
from pages.ui.jobs import JOBS, Job
from pages.ui.labels import escaped, titled
from pages.ui.linked import Linked
from resnet_core.architectures.table import complexity
from resnet_core.config import DataConfig
from resnet_core.errors import UserError
from resnet_core.figures.diagram import diagram, is_drawn_in_full
from resnet_core.imports.cost import macs_per_image
from resnet_core.language import tr
from resnet_core.nets import Net

if TYPE_CHECKING:
    from resnet_core.experiments.lesion import Kept

NOTHING = "none"
#: Nets whose inputs of blocks are kept, ``lesion.BUDGET`` bytes each.
_MOST_KEPT = 3
#: Only the thread of the jobs, which works at one after the other, looks into it.
_KEPT: OrderedDict[tuple[str, DataConfig, int], Kept] = OrderedDict()
BLOCK, _PICK = "lesion.block", "lesion.pick"
#: Not bound to the list: a default that a click sets would leave the old block in the address.
_CHOICE = Linked("lesion", BLOCK)


def lesion_section(nets: Sequence[Net], labels: Mapping[str, str], images: Images, count: int) -> None:
    """Draws the choice of a block, the nets' errors without it, and the diagram to click into."""
    blocks = list(dict.fromkeys(unit.name for net in sorted(nets, key=_length, reverse=True) for unit in net.model.plan().units))
    st.header(tr("One block by a click"), anchor=False)
    links.check_choice(BLOCK, tr("the block"), [NOTHING, *blocks], tr("No net that is chosen has such a block."))
    with st.container(horizontal=True):
        chosen = _CHOICE.current(list)
        block = chosen[0] if chosen and chosen[0] in blocks else NOTHING
        st.session_state[_PICK] = block
        st.selectbox(
            tr("Deleted block"),
            [NOTHING, *blocks],
            format_func=tr,
            key=_PICK,
            on_change=lambda: _delete(st.session_state[_PICK]),
            width=230,
        )
        shown = nets[-1]
        if len(nets) > 1:
            titles = {net.id: labels[net.id] for net in nets}
            links.check_choice("lesion.net", tr("the diagram of"), titles.values())
            options: dict[str, Any] = {"format_func": titled(titles), "default": nets[-1].id, "required": True, "bind": "query-params"}
            picked = st.segmented_control(tr("Diagram of"), list(titles), key="lesion.net", **options)
            shown = next((net for net in nets if net.id == picked), shown)
    words = _errors(nets, labels, images, count, block) if block != NOTHING else {}
    net = complexity(shown.model)
    has = any(unit.name == block for unit in shown.model.plan().units)
    figure = diagram(net, block if has else "", words.get(shown.id, ""))
    key = f"lesion.diagram.{block}"  # another one each time: a chart that stays takes a second click on a box for no click
    alt = f"{tr('{name}, drawn', name=shown.name)}. {plain(words.get(shown.id, ''))}".strip()
    draw(figure, key, alt, on_select=partial(_clicked, key), selection_mode="points")
    more = "" if is_drawn_in_full(net) else tr(" Blocks that are not drawn are in the list above.")
    st.caption(
        tr(
            "Click a block to delete it, and once more to put it back. All nets above that have a block of that "
            "name lose it; what comes before it is kept, so that only what is behind it is computed anew.{more}",
            more=more,
        )
    )


def _delete(block: str) -> None:
    _CHOICE.choose([] if block == NOTHING else [block])


def _length(net: Net) -> int:
    return len(net.model.plan().units)


def _clicked(key: str) -> None:
    """Delete the block that was clicked; the one that is deleted already is put back."""
    points = st.session_state[key].selection.points
    block = next((point["customdata"] for point in points if point.get("customdata")), "")
    block = block[0] if isinstance(block, list) else block
    if block:
        _delete(NOTHING if block == st.session_state[_PICK] else block)


def _errors(nets: Sequence[Net], labels: Mapping[str, str], images: Images, count: int, block: str) -> dict[str, str]:
    """Draws the error of each net without the block; returns it in words by the net's id."""
    there = [net for net in nets if any(unit.name == block for unit in net.model.plan().units)]
    work = 2 * count * sum(map(macs_per_image, there))
    if not may_begin(("lesion", block, images.config, count, *(net.id for net in there)), tr("Without {block}", block=block), work):
        return {}
    words, wholes, of = {}, [], ""
    with st.container(horizontal=True):
        for net in nets:
            if net not in there:
                st.metric(labels[net.id], "–", tr("has no {block}", block=block), delta_color="off", delta_arrow="off", width="content")
                continue
            try:
                wrong, whole, n = _counted(net, labels[net.id], images, count, block)
            except UserError as error:
                st.error(escaped(str(error)), icon=":material/error:")
                continue
            more = 100 * (wrong - whole) / n
            words[net.id] = f"{100 * wrong / n:.1f} %"
            wholes.append(f"{labels[net.id]} {100 * whole / n:.1f} %")
            of = tr("on {n:,} test images", n=n)
            st.metric(labels[net.id], words[net.id], tr("{more:+.1f} points", more=more), delta_color="inverse", width="content")
    if wholes:
        st.caption(escaped(tr("Error without {block} {of}. Of the whole nets: {wholes}.", block=block, of=of, wholes=", ".join(wholes))))
    return words


def _counted(net: Net, title: str, images: Images, count: int, block: str) -> tuple[int, int, int]:
    """Images wrong without the block, wrong of the whole net, and images."""

    def work(job: Job) -> tuple[int, int, int]:
        from resnet_core import data
        from resnet_core.experiments import lesion
        from resnet_core.nets.loading import load

        key = (net.version, images.config, count)
        if key not in _KEPT:
            shown = data.load(images.config, images.where)
            _KEPT[key] = lesion.keep(load(net), shown, count, job.progress, job.should_stop)
            while len(_KEPT) > _MOST_KEPT:
                _KEPT.popitem(last=False)
        _KEPT.move_to_end(key)
        kept = _KEPT[key]
        return lesion.deleted(kept, block, job.progress, job.should_stop), kept.whole, len(kept.test)

    return JOBS.outcome(
        ("lesion", net.version, images.config, count, block),
        tr("{title} without {block}", title=title, block=block),
        work,
        unit=tr("test images"),
    )
