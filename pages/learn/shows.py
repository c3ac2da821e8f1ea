"""What a step shows: curves that ship, experiments, counts. Each function draws one kind of ``resnet_core.lessons.SHOWS`` in place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from pages.learn import live
from pages.learn.scene import Scene
from pages.myths import bench
from pages.ui import analyses, shipped
from pages.ui.figure_chart import figure_chart
from pages.ui.jobs import JOBS, Job, job_panel
from pages.ui.labels import escaped
from pages.ui.recorded import recorded
from pages.ui.runs_view import all_seen
from resnet_core import literature
from resnet_core.architectures import parse
from resnet_core.architectures.table import complexity
from resnet_core.claims import myths
from resnet_core.config import DataConfig
from resnet_core.errors import DataError
from resnet_core.experiments import Experiment, Measured, Table, find_experiment, run
from resnet_core.experiments.base import shown
from resnet_core.figures.captions import caption, grouped
from resnet_core.figures.complexity import layers_figure
from resnet_core.figures.curves import View, learning_curves
from resnet_core.figures.diagram import diagram
from resnet_core.figures.diagram_blocks import forms_figure
from resnet_core.figures.figure6 import NOTE, figure6, missing_text
from resnet_core.figures.gradients_by_depth import gradients_by_depth
from resnet_core.figures.lines import HEIGHT
from resnet_core.figures.predicted import Truth, predicted
from resnet_core.figures.responses import ResponseCurve, branch_figure
from resnet_core.figures.series import RunRecords, decimate, outcome, run_curve
from resnet_core.figures.tradeoff import totals_figure, tradeoff_figure
from resnet_core.imports.cost import in_images
from resnet_core.language import mark, tr
from resnet_core.lessons import Show, facts
from resnet_core.lessons import recorded as results
from resnet_core.nets import Net, find
from resnet_core.runs import RunStore
from resnet_core.verdict import degradation, degradation_verdict

#: The part of a training that its training error is a moving mean over.
SMOOTHED = 0.05


def draw(show: Show, scene: Scene) -> None:
    """Draw it, what its numbers say, and what is written under it.

    Raises:
        UserError: what it needs is not there, or cannot be read.
    """
    _KINDS[show.kind](show, scene)


def _chart(make: Callable[[bool], go.Figure], scene: Scene, fixed: bool = False) -> None:
    light, dark = make(False), make(True)
    if scene.presented:
        for figure in (light, dark):
            figure.update_layout(font={"size": scene.font_size}, legend={"title": {"font": {"size": scene.font_size}}})
    figure_chart(light, dark, key=scene.key, fixed=fixed)


def _said(*texts: str) -> None:
    """What must be read with a chart, in small letters below it."""
    if found := [text for text in texts if text]:
        st.caption(" ".join(found))


def _finding(text: str) -> None:
    st.markdown(f"**{escaped(text)}**")


def trainings(name: str, nets: Sequence[str]) -> list[RunRecords]:
    """The trainings of these nets whose records ship; of several of one net the first.

    Raises:
        DataError: one is missing.
    """
    runs = [trained.records for trained in shipped.shipped()] if name == "shipped" else recorded(name).runs
    found = {run.config.model: run for run in reversed(runs)}
    missing = [net for net in nets if parse(net) not in found]
    if missing:
        raise DataError(mark("There is no record of the training of {nets} here."), nets=", ".join(missing))
    return [found[parse(net)] for net in nets]


def ends(runs: Sequence[RunRecords], test: bool = False) -> str:
    """How trainings ended, in a sentence or two."""
    found = [outcome(run) for run in runs]
    pairs = [(run.config.model.name, one.clean_error, one.train_error, one.test_error) for run, one in zip(runs, found, strict=True)]
    if all(clean is not None for _, clean, _, _ in pairs):
        text = tr("Clean training error at the end: {errors}.", errors=", ".join(f"{name} {clean:.1f} %" for name, clean, _, _ in pairs))
    else:
        errors = ", ".join(f"{name} {train:.1f} %" for name, _, train, _ in pairs)
        text = tr("Training error, mean over the last epoch: {errors}.", errors=errors)
    if not test:
        return text
    return f"{text} {tr('Test error: {errors}.', errors=', '.join(f'{name} {error:.1f} %' for name, *_, error in pairs))}"


def _curves(show: Show, scene: Scene) -> None:
    name, kinds = show.arguments["set"], tuple(show.arguments.get("kinds", "training,test").split(","))
    runs = trainings(name, show.nets)
    view = View(kinds=kinds, smoothing=SMOOTHED)
    _chart(lambda dark: learning_curves(runs, view, dark), scene)
    results = [outcome(run) for run in runs]
    seen = degradation(results)
    both = seen is not None and seen.plain is not None and seen.residual is not None
    _finding(degradation_verdict(results) if both else ends(runs, "test" in kinds))
    where = "" if name == "shipped" else tr("Recorded {source}.", source=recorded(name).source)
    _said(show.caption, caption(grouped(runs)), tr("Training error: a moving mean over 5 % of each run."), where)
    if name != "shipped":
        live.run_it_now([run.config for run in runs], scene)


def _truth(show: Show, scene: Scene) -> None:
    assert scene.question is not None  # the reader sees to it
    answers, question = [] if scene.answer is None else [scene.answer], scene.question
    if show.arguments["set"] == "lesions":
        experiment = find_experiment("lesions")
        measured = [found for name in show.nets if (found := results.result(experiment, find(name), {})) is not None]
        lesions = [Truth(one.label, one.model, _depths(len(one.result.blocks)), one.result.errors) for one in measured]
        _chart(lambda dark: predicted(question, answers, lesions, dark), scene)
        if measured:
            _finding(experiment.functions.finding(measured))
            _said(show.caption, experiment.limits, tr("Source: {source}.", source=experiment.source))
        return
    runs = trainings(show.arguments["set"], show.nets)
    curves = [decimate(run_curve(run, "error", "training", SMOOTHED * run.config.recipe.iterations)) for run in runs]
    truths = [Truth(run.config.model.name, run.config.model, each.iteration, each.y) for run, each in zip(runs, curves, strict=True)]
    _chart(lambda dark: predicted(question, answers, truths, dark), scene)
    _finding(ends(runs))
    _said(show.caption, tr("Recorded {source}.", source=recorded(show.arguments["set"]).source))


def _depths(count: int) -> np.ndarray:
    """The place of each block in the depth, the last one 1; as the experiment's own figure has it."""
    return np.arange(1, count + 1) / count


def _figure6(show: Show, scene: Scene) -> None:
    problems: list[str] = []
    nets = [trained.records for trained in shipped.shipped(problems)]
    _chart(lambda dark: figure6(nets, dark), scene)
    seen = degradation([outcome(run) for run in nets])
    if seen is not None:
        _finding(". ".join(map(str, seen.gaps)) + ".")
    _said(show.caption, caption(grouped(nets)), missing_text(nets), NOTE, *map(escaped, problems))


def _myth(show: Show, scene: Scene) -> None:
    myth = next((each for each in myths.MYTHS if each.key == show.arguments["key"]), None)
    if myth is None:
        raise DataError(mark("There is no myth called {key}."), key=show.arguments["key"])
    found = bench.find(all_seen(RunStore().look()))
    curves = found.shown(myth)
    if myth.key == "vanishing":
        rows = [(one.label, one.records.config.model, one.layers) for one in curves if one.layers]
        _chart(lambda dark: gradients_by_depth(rows, dark), scene)
        note = tr("Before the first iteration; mini-batch of 32 images; seed and precision as of the training. Logarithmic.")
    else:
        runs = [one.records for one in curves]
        _chart(lambda dark: learning_curves(runs, View(kinds=("training",), smoothing=SMOOTHED), dark), scene)
        note = f"{caption(grouped(runs))} {tr('Training error: a moving mean over 5 % of each run.')}"
    judged = myths.judged(myth, found.trained)
    _finding(judged.evidence)
    _said(show.caption, note, escaped(found.seeds(myth)))
    if not scene.presented:
        label = tr("Train it here with another seed, on the page Myths")
        st.page_link("myths/page.py", label=label, icon=":material/model_training:", query_params={"myth": myth.key})


def _experiment(show: Show, scene: Scene) -> None:
    experiment = find_experiment(show.arguments["key"])
    nets, values = [find(name) for name in show.nets], results.given(experiment, show)
    jobs = _jobs(experiment, nets, values)
    computed = [job.result if job is not None and job.state == "done" else None for job in jobs.values()]
    known = [results.result(experiment, net, values) for net in nets]
    found = [made or kept for made, kept in zip(computed, known, strict=True)]
    if all(found):
        measured = [experiment.viewed(one, experiment.complete(values, one.model)) for one in found if one is not None]
        figures = experiment.functions.figure(measured), experiment.functions.figure(measured, True)
        tall = (figures[0].layout.height or 0) > HEIGHT or any(trace.type == "image" for trace in figures[0].data)
        _chart(lambda dark: figures[dark], scene, fixed=tall)
        _finding(experiment.functions.finding(measured))
        where = tr("Measured here.") if all(computed) else tr("Measured {source}.", source=results.source(experiment.key))
        _said(show.caption, experiment.limits, tr("Source: {source}.", source=experiment.source), where)
        if not scene.presented:
            with st.expander(tr("Numbers"), icon=":material/table:"):
                st.markdown(_markdown(experiment.functions.table(measured)))
    if not scene.presented:
        _run_experiment(experiment, nets, values, jobs, scene)


def _markdown(table: Table) -> str:
    lines = [table.head, ["---"] * len(table.head), *([escaped(shown(cell)) for cell in row] for row in table.rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _branch(show: Show, scene: Scene) -> None:
    experiment = find_experiment("responses")
    found = [one for name in show.nets if (one := results.result(experiment, find(name), {})) is not None]
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
    _chart(lambda dark: branch_figure(curves, dark), scene)
    _finding(_ratios(curves))
    _said(show.caption, tr("Hollow points: blocks where dimensions change."))


def _ratios(curves: Sequence[ResponseCurve]) -> str:
    medians = ", ".join(f"{curve.label} {float(np.nanmedian(curve.ratio)):.2f}" for curve in curves)
    return tr("Median of |F(x)| / |x| over the blocks: {medians}.", medians=medians)


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


def _diagram(show: Show, scene: Scene) -> None:
    from pages.architectures.drawn import draw as draw_figure

    for net in show.nets:
        draw_figure(diagram(complexity(parse(net))), f"{scene.key}.{net}")
    _said(show.caption)


def _forms(show: Show, scene: Scene) -> None:
    from pages.architectures.drawn import draw as draw_figure

    for net in show.nets:
        draw_figure(forms_figure(parse(net)), f"{scene.key}.{net}")
    _said(show.caption)


def _costs(show: Show, scene: Scene) -> None:
    counts = [complexity(parse(net)) for net in show.nets]
    _chart(lambda dark: totals_figure(counts, dark), scene, fixed=True)
    lines = [f"| {tr('net')} | {tr('weighted layers')} | {tr('parameters')} | {tr('MACs')} |", "|:--|--:|--:|--:|"]
    lines += [f"| {escaped(net.config.name)} | {net.layers} | {net.params:,} | {net.macs:,} |" for net in counts]
    st.markdown("\n".join(lines))
    _said(show.caption)


def _layers(show: Show, scene: Scene) -> None:
    from pages.architectures.drawn import draw as draw_figure

    draw_figure(layers_figure([complexity(parse(net)) for net in show.nets]), scene.key)
    _said(show.caption)


def _published(show: Show, scene: Scene) -> None:
    data = {"CIFAR-10": literature.CIFAR10, "ImageNet": literature.IMAGENET}[show.arguments["data"]]
    wanted = facts.CONDITIONS.get(show.arguments.get("condition", ""))
    found = [each for each in literature.RESULTS if each.data == data and wanted in (None, each.condition)]
    _chart(lambda dark: tradeoff_figure(found, show.arguments.get("cost", "macs"), dark), scene)
    _said(show.caption, tr("Errors under different conditions cannot be compared; each point names its source."))


_KINDS: dict[str, Callable[[Show, Scene], None]] = {
    "curves": _curves,
    "truth": _truth,
    "figure6": _figure6,
    "myth": _myth,
    "experiment": _experiment,
    "branch": _branch,
    "diagram": _diagram,
    "forms": _forms,
    "costs": _costs,
    "layers": _layers,
    "published": _published,
}
