"""Experiments of a step, from the results that ship; they can be made anew on this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import streamlit as st

from pages.learn import parts
from pages.learn.scene import Scene
from pages.ui import analyses
from pages.ui.jobs import JOBS, Job, job_panel
from resnet_core.config import DataConfig
from resnet_core.experiments import Experiment, Measured, find_experiment, run
from resnet_core.figures.lines import HEIGHT
from resnet_core.figures.predicted import Truth, predicted
from resnet_core.figures.responses import ResponseCurve, branch_figure
from resnet_core.imports.cost import in_images
from resnet_core.language import tr
from resnet_core.lessons import Show
from resnet_core.lessons import recorded as results
from resnet_core.nets import Net, find


def experiment(show: Show, scene: Scene) -> None:
    """Draws an experiment with nets that ship: what was measured here, else the results that ship; and the button that measures."""
    kind = find_experiment(show.arguments["key"])
    nets, values = [find(name) for name in show.nets], results.given(kind, show)
    jobs = _jobs(kind, nets, values)
    computed = [job.result if job is not None and job.state == "done" else None for job in jobs.values()]
    known = [results.result(kind, net, values) for net in nets]
    found = [made or kept for made, kept in zip(computed, known, strict=True)]
    if all(found):
        measured = [kind.viewed(one, kind.complete(values, one.model)) for one in found if one is not None]
        figures = kind.functions.figure(measured), kind.functions.figure(measured, True)
        tall = (figures[0].layout.height or 0) > HEIGHT or any(trace.type == "image" for trace in figures[0].data)
        parts.chart(lambda dark: figures[dark], scene, fixed=tall)
        parts.finding(kind.functions.finding(measured))
        where = tr("Measured here.") if all(computed) else tr("Measured {source}.", source=results.source(kind.key))
        parts.said(show.caption, kind.limits, tr("Source: {source}.", source=kind.source), where)
        parts.numbers(kind.functions.table(measured), scene)
    if not scene.presented:
        _run_experiment(kind, nets, values, jobs, scene)


def _jobs(experiment: Experiment, nets: Sequence[Net], values: dict[str, Any]) -> dict[tuple, Job | None]:
    """The jobs by their keys, which are those of the page Experiments: what was measured there is here too."""
    keys = [
        ("experiment", experiment.key, net.version, results.DATASET, *sorted(experiment.complete(values, net.model).items()))
        for net in nets
    ]
    return {key: JOBS.get(key) for key in keys}


def _run_experiment(
    experiment: Experiment, nets: Sequence[Net], values: dict[str, Any], jobs: dict[tuple, Job | None], scene: Scene
) -> None:
    """A button that measures it on this machine, and how far that is."""

    def begin() -> None:
        for key, net in zip(jobs, nets, strict=True):
            JOBS.start(key, net.name, work(net))

    def work(net: Net) -> Callable[[Job], Measured]:
        def of(job: Job) -> Measured:
            told: dict[str, Any] = {"progress": job.progress, "should_stop": job.should_stop}
            return run(experiment, net, DataConfig(results.DATASET), values, folder=analyses.folder(), label=net.name, whole=True, **told)

        return of

    if any(job is None or job.state in ("stopped", "failed") for job in jobs.values()):
        macs = sum(experiment.work(net, experiment.complete(values, net.model)) for net in nets)
        st.button(tr("Run it now"), icon=":material/play_arrow:", key=f"{scene.key}.run", on_click=begin)
        st.caption(tr("It takes {work}.", work=in_images(macs, 1)))
    for job in jobs.values():
        if job is not None and job.state != "done":
            job_panel(job)


def lesions(show: Show, scene: Scene) -> None:
    """Draws the errors without each block over the curve that was predicted."""
    assert scene.question is not None  # the reader sees to it
    question, answers, experiment = scene.question, [] if scene.answer is None else [scene.answer], find_experiment("lesions")
    measured, truths = _recorded(experiment, show), lesion_truths(show)
    parts.chart(lambda dark: predicted(question, answers, truths, dark), scene)
    if measured:
        parts.finding(experiment.functions.finding(measured))
        parts.said(show.caption, experiment.limits, tr("Source: {source}.", source=experiment.source))


def lesion_truths(show: Show) -> list[Truth]:
    """The error without each block, over the block's place in the depth: the last one is 1, as in the experiment's own figure."""
    measured = _recorded(find_experiment("lesions"), show)
    places = [np.arange(1, len(one.result.blocks) + 1) / len(one.result.blocks) for one in measured]
    return [Truth(one.label, one.model, place, one.result.errors) for one, place in zip(measured, places, strict=True)]


def _recorded(experiment: Experiment, show: Show) -> list[Measured]:
    """The results that ship of the nets, with the experiment's own parameters."""
    return [found for name in show.nets if (found := results.result(experiment, find(name), {})) is not None]


def branch(show: Show, scene: Scene) -> None:
    """Draws how large what each block adds is beside its input."""
    found = _recorded(find_experiment("responses"), show)
    curves = [
        ResponseCurve(
            one.key,
            one.label,
            one.model,
            one.result.names,
            one.result.std,
            one.result.blocks,
            one.result.ratio,
            one.result.dimensions_change,
        )
        for one in found
    ]
    parts.chart(lambda dark: branch_figure(curves, dark), scene)
    parts.finding(_ratios(curves))
    parts.said(show.caption, tr("Hollow points: blocks where dimensions change."))


def _ratios(curves: Sequence[ResponseCurve]) -> str:
    medians = ", ".join(f"{curve.label} {float(np.nanmedian(curve.ratio)):.2f}" for curve in curves)
    return tr("Median of |F(x)| / |x| over the blocks: {medians}.", medians=medians)
