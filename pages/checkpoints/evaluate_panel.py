"""A net on test images: its error with the count behind it, what it takes for what, and the mistakes it was surest of."""

from __future__ import annotations

import io
from typing import Any

import streamlit as st

from pages.ui.analyses import datasets, folder, images_of
from pages.ui.figure_chart import figure_chart
from pages.ui.jobs import JOBS, Job, job_panel
from pages.ui.labels import escaped, titled
from resnet_core import data
from resnet_core.apart import apart as computed_apart
from resnet_core.config import PRECISIONS, DataConfig
from resnet_core.figures.confusion import confusion_csv, confusion_figure
from resnet_core.imports.cost import cost
from resnet_core.language import mark, tr
from resnet_core.nets import Net

_TITLES = {"sample": mark("Sample: 1,000 images"), "cifar10": mark("CIFAR-10: 10,000 images")}
_IMAGES = {"sample": 1_000, "cifar10": 10_000}
_SHORT = {"sample": mark("the sample"), "cifar10": "CIFAR-10"}
#: Mistakes shown, and how many of them in a row.
WORST, _COLUMNS = 20, 5
#: In the session: the key of what was begun, by net, data and precision.
_BEGUN = "evaluate.begun"
#: A pixel of an image becomes so many on the page.
_ZOOM = 6
#: Of CIFAR-10 as it is embedded here and as it is found on disk.
_CLASSES = 10


def evaluate_panel(net: Net, card: dict[str, Any]) -> None:
    """Draws the choice, the button, and what is known already: results are shared by all viewers."""
    if net.model.num_classes != _CLASSES:
        st.info(
            tr(
                "{name} tells {num_classes} classes apart. The images here are of CIFAR-10's {classes}, which are "
                "not its own: no error can be counted on them.",
                name=escaped(net.name),
                num_classes=net.model.num_classes,
                classes=_CLASSES,
            ),
            icon=":material/info:",
        )
        return
    dataset, precision = _choice(net)
    if net.enlarged:
        st.caption(escaped(net.enlarged))
    key = ("evaluate", net.version, dataset, precision)
    # A run that goes on has other weights by the time its evaluation is through: what was begun here is shown all the same.
    begun = st.session_state.setdefault(_BEGUN, {})
    job = JOBS.get(key) or JOBS.get(begun.get((net.id, dataset, precision)))
    if job is None or job.state in ("failed", "stopped") or (job.state == "done" and job.key != key):
        where = folder()
        work = cost(net, _IMAGES[dataset])
        if work.is_heavy:
            st.caption(tr("This takes long: {work}. It ends when you leave.", work=work))
        if st.button(tr("Evaluate"), type="primary", icon=":material/calculate:", key="evaluate.start"):
            title = tr("{name} on {short}", name=net.name, short=_SHORT[dataset])
            JOBS.start(key, title, lambda job: evaluated(net, dataset, where, precision, job, work.is_heavy))
            begun[net.id, dataset, precision] = key
            st.rerun()
    if job is None:
        return
    if job.state == "done":
        _show(net, card, dataset, *job.result)
    else:
        job_panel(job)


def _choice(net: Net) -> tuple[str, str]:
    left, right = st.columns(2, vertical_alignment="bottom")
    found = datasets()
    kept: dict[str, Any] = {"key": "evaluate.data", "persist_state": "session"}
    dataset = left.segmented_control(tr("Test images"), found, format_func=titled(_TITLES), default="sample", required=True, **kept)
    precision = right.segmented_control(
        tr("Precision"), PRECISIONS, default="fp32", required=True, key=f"evaluate.precision.{net.id}",
        help=tr("fp32: the checkpoint's own error, whatever the machine. auto: what is fastest on this machine. A "
"model card names both."),
    )  # fmt: skip
    if "cifar10" not in found:
        left.caption(tr("The full test set of 10,000 images is offered once CIFAR-10 is there: the Train page downloads it."))
    return dataset or "sample", precision or "fp32"


def evaluated(net: Net, dataset: str, where: str | None, precision: str, job: Job, apart: bool = False) -> tuple[Any, int | None]:
    """The job: an ``Evaluation`` of the net, on a copy of its own; and the iteration of the weights that this copy has, if known.

    Args:
        where: the folder of CIFAR-10, if the viewer has named one.
        apart: in a process of its own, of bounded memory, which ends when the job is stopped.
    """
    from resnet_core.analysis.evaluation import evaluate_net

    options: dict[str, Any] = {"precision": precision, "worst": WORST, "progress": job.progress, "should_stop": job.should_stop}
    if apart:
        return computed_apart("resnet_core.analysis.evaluation:evaluate_net", net, DataConfig(dataset), where, **options)
    return evaluate_net(net, DataConfig(dataset), where, **options)


def _show(net: Net, card: dict[str, Any], dataset: str, result: Any, iteration: int | None) -> None:
    if iteration is not None and net.config is not None and iteration < net.config.recipe.iterations:
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
            "**{wrong:,} of {n:,}** images of {short} wrong · mean cross-entropy {loss:.4f} · {precision} · single view{against_card}",
            wrong=result.wrong,
            n=result.n,
            short=_SHORT[dataset],
            loss=result.loss,
            precision=result.precision,
            against_card=_against_card(card, dataset, result),
        )
    )
    st.header(tr("What is taken for what"), anchor=False)
    light, night = (confusion_figure(result.confusion, data.CLASSES, dark) for dark in (False, True))
    figure_chart(light, night, key=f"confusion.{net.id}")
    st.caption(
        tr("Rows are true classes, columns what the net says, the diagonal is right. Colours are parts of a row, on a square-root scale.")
    )
    csv = confusion_csv(result.confusion, data.CLASSES).encode()
    st.download_button(
        tr("Matrix (CSV)"), csv, f"{net.id}-confusion.csv", "text/csv", key="evaluate.csv", icon=":material/download:", on_click="ignore"
    )
    _mistakes(dataset, result)


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


def _mistakes(dataset: str, result: Any) -> None:
    shown = result.worst[:WORST]
    st.header(tr("The worst mistakes"), anchor=False)
    if not shown:
        st.markdown(tr("There is none: every image is right."))
        return
    images = images_of(dataset, "test", folder()).images
    for start in range(0, len(shown), _COLUMNS):
        for column, mistake in zip(st.columns(_COLUMNS), shown[start : start + _COLUMNS], strict=False):
            true, said = data.CLASSES[mistake.true], data.CLASSES[mistake.predicted]
            with column:
                st.image(
                    enlarged(images[mistake.index]),
                    alt=tr("test image {index}, a {true} taken for a {said}", index=mistake.index, true=true, said=said),
                )
                st.markdown(
                    tr(
                        "**{true}**, taken for **{said}**  \n{said} {part}, {true} {part2}",
                        true=true,
                        said=said,
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
