"""What a step shows: curves that ship, experiments, counts. Each function draws one kind of ``resnet_core.lessons.SHOWS`` in place."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from pages.learn import live, measured, parts, seeds
from pages.learn.scene import Scene
from pages.myths import bench
from pages.ui import shipped
from pages.ui.alternative import unmarked
from pages.ui.labels import escaped
from pages.ui.recorded import recorded
from pages.ui.runs_view import all_seen
from resnet_core import literature
from resnet_core.architectures import parse
from resnet_core.architectures.table import complexity
from resnet_core.claims import myths
from resnet_core.errors import DataError
from resnet_core.experiments import Table
from resnet_core.figures.captions import caption, grouped
from resnet_core.figures.complexity import layers_figure
from resnet_core.figures.curves import View, learning_curves
from resnet_core.figures.diagram import diagram
from resnet_core.figures.diagram_blocks import forms_figure
from resnet_core.figures.figure6 import NOTE, figure6, missing_text, seeds_of, seeds_text
from resnet_core.figures.gradients_by_depth import gradients_by_depth
from resnet_core.figures.predicted import Truth, predicted
from resnet_core.figures.series import RunRecords, decimate, outcome, run_curve
from resnet_core.figures.tradeoff import totals_figure, tradeoff_figure
from resnet_core.language import mark, tr
from resnet_core.lecture.runs import of_net
from resnet_core.lessons import Lesson, Show, facts
from resnet_core.nets import shipped_nets
from resnet_core.questions import Question
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


def empty_axes(question: Question, key: str) -> None:
    """Draw the axes of a curve that is asked for, for a projector."""
    parts.chart(lambda dark: predicted(question, [], dark=dark), Scene(key, question, None, True))


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


def taught(lesson: Lesson) -> list[RunRecords]:
    """The trainings whose curves a lesson shows first, with all their records; none where it shows none, or one is missing."""
    show = next((show for step in lesson.steps for show in step.shows if show.kind == "curves"), None)
    if show is None:
        return []
    try:
        found = trainings(show.arguments["set"], show.nets)
    except DataError:  # said where the curves are shown
        return []
    nets = {net.id: net for net in shipped_nets()} if show.arguments["set"] == "shipped" else {}
    return [of_net(nets[run.run_id]) if run.run_id in nets else run for run in found]


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
    name = show.arguments["set"]
    runs = trainings(name, show.nets)
    place = st.container()
    trained = name != "shipped" and live.run_it_now([run.config for run in runs], scene)
    with place if not trained else st.expander(tr("Recorded"), icon=":material/history:"):
        _recorded_curves(show, scene, runs)


def _recorded_curves(show: Show, scene: Scene, runs: Sequence[RunRecords]) -> None:
    name, kinds = show.arguments["set"], tuple(show.arguments.get("kinds", "training,test").split(","))
    view = View(kinds=kinds, smoothing=SMOOTHED)
    parts.chart(lambda dark: learning_curves(runs, view, dark), scene)
    results = [outcome(run) for run in runs]
    seen = degradation(results)
    both = seen is not None and seen.plain is not None and seen.residual is not None
    parts.finding(degradation_verdict(results) if both else ends(runs, "test" in kinds))
    where = "" if name == "shipped" else tr("Recorded {source}.", source=recorded(name).source)
    parts.said(show.caption, caption(grouped(runs)), tr("Training error: a moving mean over 5 % of each run."), where)


def truths(show: Show) -> list[Truth]:
    """What was measured of the curve that a step asks for (a ``truth``), that of the net that is asked for first.

    Raises:
        UserError: what it needs is not there, or cannot be read.
    """
    if show.arguments["set"] == "lesions":
        return measured.lesion_truths(show)
    runs = trainings(show.arguments["set"], show.nets)
    curves = [decimate(run_curve(run, "error", "training", SMOOTHED * run.config.recipe.iterations)) for run in runs]
    return [Truth(run.config.model.name, run.config.model, each.iteration, each.y) for run, each in zip(runs, curves, strict=True)]


def _truth(show: Show, scene: Scene) -> None:
    assert scene.question is not None  # the reader sees to it
    answers, question = [] if scene.answer is None else [scene.answer], scene.question
    if show.arguments["set"] == "lesions":
        measured.lesions(show, scene)
        return
    found = truths(show)
    parts.chart(lambda dark: predicted(question, answers, found, dark), scene)
    parts.finding(ends(trainings(show.arguments["set"], show.nets)))
    parts.said(show.caption, tr("Recorded {source}.", source=recorded(show.arguments["set"]).source))


def _figure6(show: Show, scene: Scene) -> None:
    problems: list[str] = []
    nets = [run for seeds in seeds_of(trained.records for trained in shipped.shipped(problems)) for run in seeds]
    parts.chart(lambda dark: figure6(nets, dark), scene)
    seen = degradation([outcome(run) for run in nets])
    if seen is not None:
        parts.finding(". ".join(map(str, seen.gaps)) + ".")
    parts.said(show.caption, caption(grouped(nets, "range")), seeds_text(nets), missing_text(nets), NOTE, *map(escaped, problems))


def _myth(show: Show, scene: Scene) -> None:
    myth = next((each for each in myths.MYTHS if each.key == show.arguments["key"]), None)
    if myth is None:
        raise DataError(mark("There is no myth called {key}."), key=show.arguments["key"])
    found = bench.find(all_seen(RunStore().look()))
    curves = found.shown(myth)
    if myth.key == "vanishing":
        rows = [(one.label, one.records.config.model, one.layers) for one in curves if one.layers]
        parts.chart(lambda dark: gradients_by_depth(rows, dark), scene)
        note = tr("Before the first iteration; mini-batch of 32 images; seed and precision as of the training. Logarithmic.")
    else:
        runs = [one.records for one in curves]
        parts.chart(lambda dark: learning_curves(runs, View(kinds=("training",), smoothing=SMOOTHED), dark), scene)
        note = f"{caption(grouped(runs))} {tr('Training error: a moving mean over 5 % of each run.')}"
    judged = myths.judged(myth, found.trained)
    parts.finding(judged.evidence)
    parts.said(show.caption, note, escaped(found.seeds(myth)))
    if not scene.presented:
        label = tr("Train it here with another seed, on the page Myths")
        st.page_link("myths/page.py", label=label, icon=":material/model_training:", query_params={"myth": myth.key})


def _drawn(net: str, show: Show) -> str:
    """What a drawing shows, for those who do not see it."""
    return f"{tr('{name}, drawn', name=net)}. {unmarked(show.caption)}".strip()


def _diagram(show: Show, scene: Scene) -> None:
    from pages.architectures.drawn import draw as draw_figure

    with st.container(key="diagram"):  # as on Architectures, on a phone it is as wide as it must be, and scrolls
        for net in show.nets:
            draw_figure(diagram(complexity(parse(net))), f"{scene.key}.{net}", alt=_drawn(net, show))
    parts.said(show.caption)


def _forms(show: Show, scene: Scene) -> None:
    from pages.architectures.drawn import draw as draw_figure

    with st.container(key="forms"):
        for net in show.nets:
            draw_figure(forms_figure(parse(net)), f"{scene.key}.{net}", alt=_drawn(net, show))
    parts.said(show.caption)


def _costs(show: Show, scene: Scene) -> None:
    counts = [complexity(parse(net)) for net in show.nets]
    parts.chart(lambda dark: totals_figure(counts, dark), scene, fixed=True)
    parts.said(show.caption)
    head = (tr("net"), tr("weighted layers"), tr("parameters"), tr("MACs"))
    parts.numbers(Table(head, tuple((net.config.name, net.layers, net.params, net.macs) for net in counts)), scene)


def _layers(show: Show, scene: Scene) -> None:
    from pages.architectures.drawn import draw as draw_figure

    with st.container(key="layers"):
        draw_figure(layers_figure([complexity(parse(net)) for net in show.nets]), scene.key, alt=_drawn(", ".join(show.nets), show))
    parts.said(show.caption)


def _published(show: Show, scene: Scene) -> None:
    data = {"CIFAR-10": literature.CIFAR10, "ImageNet": literature.IMAGENET}[show.arguments["data"]]
    wanted = facts.CONDITIONS.get(show.arguments.get("condition", ""))
    found = [each for each in literature.RESULTS if each.data == data and wanted in (None, each.condition)]
    parts.chart(lambda dark: tradeoff_figure(found, show.arguments.get("cost", "macs"), dark), scene)
    parts.said(show.caption, tr("Errors under different conditions cannot be compared; each point names its source."))


_KINDS: dict[str, Callable[[Show, Scene], None]] = {
    "curves": _curves,
    "truth": _truth,
    "figure6": _figure6,
    "myth": _myth,
    "experiment": measured.experiment,
    "branch": measured.branch,
    "diagram": _diagram,
    "forms": _forms,
    "costs": _costs,
    "layers": _layers,
    "published": _published,
    "seeds": seeds.draw,
}
