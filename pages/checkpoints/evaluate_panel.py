"""A net on test images: its error with the count behind it, what it takes for what, and the mistakes it was surest of."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import streamlit as st

from pages.ui.analyses import Images, choose_images, images_of
from pages.ui.figure_chart import figure_chart
from pages.ui.jobs import JOBS, Job, job_panel
from pages.ui.labels import escaped, titled
from pages.ui.runs_view import REACH
from resnet_core.analysis.protocols import ENLARGED, PROTOCOLS, SELECTS_NOTHING, Protocol, check_ensemble, cost_of_all, told, why_not
from resnet_core.apart import apart as computed_apart
from resnet_core.config import PRECISIONS, DataConfig
from resnet_core.errors import DataError
from resnet_core.figures.confusion import confusion_csv, confusion_figure
from resnet_core.imports.cost import said_before
from resnet_core.language import mark, retold, tr
from resnet_core.nets import Net, catalog, told_apart

#: Mistakes shown, and how many of them in a row.
WORST, _COLUMNS = 20, 5
#: In the session: the key of what was begun, by nets, data, precision and protocols.
_BEGUN = "evaluate.begun"
#: A pixel of an image becomes so many on the page.
_ZOOM = 6
#: Beside the keys of protocols.
ALL = mark("all of them, in a table")
#: Nets of an ensemble.
_MOST_MEMBERS = 10


def evaluate_panel(net: Net, card: dict[str, Any]) -> None:
    """Draws the choice, the button, and what is known already: results are shared by all viewers."""
    if net.class_names is None:
        why = tr("{why} No error can be counted on them.", why=net.refusal(DataConfig()))
        st.info(escaped(why), icon=":material/info:")
        return
    images, precision = _choice(net)
    if images is None:
        return
    config = images.config
    keys, others = _protocols(net)
    nets = [net, *others]
    if net.enlarged:
        st.caption(escaped(net.enlarged))
    if len(keys) == 1 and (why := why_not(net, PROTOCOLS[keys[0]])):
        st.info(escaped(why), icon=":material/info:")
        return
    key = ("evaluate", tuple(each.version for each in nets), config, precision, keys)
    # A run that goes on has other weights by the time its evaluation is through: what was begun here is shown all the same.
    begun, asked = st.session_state.setdefault(_BEGUN, {}), (tuple(each.id for each in nets), config, precision, keys)
    job = JOBS.get(key) or JOBS.get(begun.get(asked))
    if job is None or job.state in ("failed", "stopped") or (job.state == "done" and job.key != key):
        macs = sum(cost_of_all(nets, PROTOCOLS[each]).macs for each in keys) * config.test_images
        if takes_long := said_before(macs):
            st.caption(takes_long)
        if st.button(tr("Evaluate"), type="primary", icon=":material/calculate:", key="evaluate.start"):
            title = tr("{name} on {short}", name=", ".join(each.name for each in nets), short=config.words)
            JOBS.start(key, title, lambda job: evaluated(nets, images, precision, keys, job, bool(takes_long)))
            begun[asked] = key
            st.rerun()
    if job is None:
        return
    if job.state != "done":
        job_panel(job, "" if keys == ("single",) and not others else tr("passes"))
        return
    rows, iteration = job.result
    if len(rows) > 1:
        _table(nets, rows)
    if len(keys) == 1 and rows[-1].evaluation:
        _show(nets, card, images, PROTOCOLS[keys[0]], rows[-1].evaluation, iteration)


def _choice(net: Net) -> tuple[Images | None, str]:
    left, right = st.columns(2, vertical_alignment="bottom")
    with left:
        images = choose_images([net], "evaluate.data", tr("Test images"), persist_state="session")
    precision = right.segmented_control(
        tr("Precision"), PRECISIONS, default="fp32", required=True, key=f"evaluate.precision.{net.id}",
        help=tr("fp32: the checkpoint's own error, whatever the machine. auto: what is fastest on this machine. A "
"model card names both."),
    )  # fmt: skip
    return images, precision or "fp32"


def _protocols(net: Net) -> tuple[tuple[str, ...], list[Net]]:
    """Draw how it is tested and with which other nets; give the keys of the protocols, and those nets."""
    left, right = st.columns(2, vertical_alignment="bottom")
    titles = {ALL: ALL} | {key: each.title for key, each in PROTOCOLS.items()}
    kept: dict[str, Any] = {"key": "evaluate.protocol", "persist_state": "session"}
    options = [*PROTOCOLS, ALL]
    chosen = left.selectbox(tr("How it is tested"), options, format_func=titled(titles), **kept)
    candidates = {each.id: each for each in catalog(newest=REACH).nets if _fits(net, each)}
    labels = told_apart([net, *candidates.values()])
    others = right.multiselect(
        tr("As an ensemble with"), list(candidates), format_func=lambda i: labels[i], key=f"evaluate.ensemble.{net.id}",
        placeholder=tr("nets of the same classes"), max_selections=_MOST_MEMBERS - 1, disabled=not candidates,
        help=tr("The mean of the softmax of several nets (He et al. 2016, section 4.1), each tested in the same way."),
    )  # fmt: skip
    nets, keys = [net, *(candidates[i] for i in others)], tuple(PROTOCOLS) if chosen == ALL else (chosen or "single",)
    if keys == ("single",) and not others:
        return keys, []
    if chosen != ALL:
        st.caption(told(PROTOCOLS[keys[0]], nets))
    else:
        st.caption(tr(ENLARGED))
    return keys, nets[1:]


def _fits(net: Net, other: Net) -> bool:
    """Whether another net can be asked together with this one."""
    try:
        check_ensemble([net, other])
    except DataError:
        return False
    return True


def _table(nets: Sequence[Net], rows: Sequence[Any]) -> None:
    """Draw each net under each protocol, and the ensemble beside its members."""
    labels = told_apart(nets)
    ensemble, shown = tr("ensemble of {n}", n=len(nets)), []
    for each in rows:
        result = each.evaluation
        row = {
            "protocol": tr(PROTOCOLS[each.protocol].title),
            "net": ensemble if len(each.nets) > 1 else labels[each.nets[0]],
            "error": result.top1_error if result else None,
            "wrong": result.wrong if result else None,
            "loss": result.loss if result else None,
            "passes": each.cost.passes if result else None,
            "macs": each.cost.macs / 1e6 if result else None,
            "note": retold(each.why_not),  # said by a job, which speaks to nobody in particular
        }
        shown.append(row)
    number = st.column_config.NumberColumn
    columns: dict[str, Any] = {
        "protocol": tr("how it is tested"),
        "net": tr("net"),
        "error": number(tr("error (%)"), format="%.2f"),
        "wrong": number(tr("wrong"), format="localized"),
        "loss": number(tr("cross-entropy"), format="%.4f"),
        "passes": number(tr("passes"), help=tr("Of one image through a net.")),
        "macs": number(tr("million MACs"), format="%.0f", help=tr("Multiply-adds for one image.")),
        "note": tr("why not"),
    }
    if not any(each.why_not for each in rows):
        del columns["note"]
    st.dataframe(shown, column_config=columns, column_order=list(columns), hide_index=True, height="content")
    st.caption(tr(SELECTS_NOTHING))


def evaluated(
    nets: Sequence[Net], images: Images, precision: str, protocols: tuple[str, ...], job: Job, apart: bool = False
) -> tuple[list[Any], int | None]:
    """The job: rows of ``Examined``, on copies of the nets of its own; and the iteration of the first one's weights, if known.

    Args:
        images: those of the test set are asked about.
        apart: in a process of its own, of bounded memory, which ends when the job is stopped.
    """
    from resnet_core.analysis.evaluation import examine_nets

    options: dict[str, Any] = {"protocols": protocols, "precision": precision, "worst": WORST}
    options |= {"progress": job.progress, "should_stop": job.should_stop}
    if apart:
        return computed_apart("resnet_core.analysis.evaluation:examine_nets", list(nets), images.config, images.where, **options)
    return examine_nets(nets, images.config, images.where, **options)


def _show(nets: Sequence[Net], card: dict[str, Any], images: Images, protocol: Protocol, result: Any, iteration: int | None) -> None:
    """Draw the error with what is behind it: of one net, or of several as an ensemble."""
    net, together = nets[0], len(nets) > 1
    if not together and iteration is not None and net.config is not None and iteration < net.config.recipe.iterations:
        st.caption(
            tr(
                "The weights after {iteration:,} of {iterations:,} iterations.",
                iteration=iteration,
                iterations=net.config.recipe.iterations,
            )
        )
    left, right = st.columns([0.3, 0.7], vertical_alignment="center")
    left.metric(tr("Test error"), f"{result.top1_error:.2f} %")
    right.markdown(
        tr(
            "**{wrong:,} of {n:,}** images of {short} wrong · mean cross-entropy {loss:.4f} · {precision} · {how}{against_card}",
            wrong=result.wrong,
            n=result.n,
            short=escaped(images.config.words),
            loss=result.loss,
            precision=result.precision,
            how=tr(protocol.title) + (tr(", ensemble of {n}", n=len(nets)) if together else ""),
            against_card="" if together or protocol.key != "single" else _against_card(card, images.config.dataset, result),
        )
    )
    st.header(tr("What is taken for what"), anchor=False)
    light, night = (confusion_figure(result.confusion, images.config.class_names, dark) for dark in (False, True))
    figure_chart(light, night, key=f"confusion.{net.id}")
    st.caption(
        tr("Rows are true classes, columns what the net says, the diagonal is right. Colours are parts of a row, on a square-root scale.")
    )
    csv = confusion_csv(result.confusion, images.config.class_names).encode()
    st.download_button(
        tr("Matrix (CSV)"), csv, f"{net.id}-confusion.csv", "text/csv", key="evaluate.csv", icon=":material/download:", on_click="ignore"
    )
    _mistakes(images, result)


def _against_card(card: dict[str, Any], dataset: str, result: Any) -> str:
    """Whether the model card says the same of the same images and precision; nothing where it does not speak of them."""
    for each in card.get("evaluations") or []:
        if (each.get("data"), each.get("precision"), each.get("n")) == (dataset, result.precision, result.n):
            same = each.get("wrong") == result.wrong
            # Other processors, devices and versions of torch add up in another order, and a close call falls the other way.
            return (
                tr(" · **as its model card says**")
                if same
                else tr(" · its model card says {value:,} wrong, as measured for it", value=each.get("wrong"))
            )
    return ""


def _mistakes(images: Images, result: Any) -> None:
    shown = result.worst[:WORST]
    st.header(tr("The worst mistakes"), anchor=False)
    if not shown:
        st.markdown(tr("There is none: every image is right."))
        return
    names, pictures = images.config.class_names, images_of(images, "test").images
    for start in range(0, len(shown), _COLUMNS):
        for column, mistake in zip(st.columns(_COLUMNS), shown[start : start + _COLUMNS], strict=False):
            true, said = tr(names[mistake.true]), tr(names[mistake.predicted])
            with column:
                st.image(
                    enlarged(pictures[mistake.index]),
                    alt=tr("test image {index}, a {true} taken for a {said}", index=mistake.index, true=true, said=said),
                )
                st.markdown(
                    tr(
                        "**{true}**, taken for **{said}**  \n{said} {part}, {true} {part2}",
                        true=escaped(true),
                        said=escaped(said),
                        part=_part(mistake.probability),
                        part2=_part(mistake.true_probability),
                    )
                )
    st.caption(
        tr(
            "The wrong answers that the net was surest of: the softmax of the class it says, and of the true "
            "one. Enlarged without smoothing."
        )
    )


def _part(probability: float) -> str:
    return f"{100 * probability:.1f}\u00a0%"


def enlarged(image: Any) -> bytes:
    """uint8 (3, 32, 32) as a PNG in which every pixel is a square: 32x32 is legible, and nothing is invented."""
    from PIL import Image

    picture = Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())
    held = io.BytesIO()
    picture.resize((picture.width * _ZOOM, picture.height * _ZOOM), Image.Resampling.NEAREST).save(held, "PNG")
    return held.getvalue()
