"""Experiments: deletions, paths, readouts and their like, with any trained nets side by side; made from ``resnet_core.experiments``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from pages.experiments.gates_course import course_section
from pages.experiments.lesion import BLOCK, lesion_section
from pages.ui.analyses import Images, choose_images, fit_for
from pages.ui.chart_files import chart_files
from pages.ui.figure_chart import figure_chart
from pages.ui.guard import guarded
from pages.ui.jobs import JOBS, Job, job_panel
from pages.ui.labels import duration, escaped, titled
from pages.ui.nets_pick import choose_nets, offered
from pages.ui.parameter_widgets import parameter_widgets, resolved
from resnet_core.attribution import Parameter
from resnet_core.csv_text import csv_text
from resnet_core.errors import ConfigError
from resnet_core.experiments import EXPERIMENTS, Experiment, Measured, Table, run, seconds_per_image
from resnet_core.experiments.base import shown
from resnet_core.figures.lines import HEIGHT
from resnet_core.imports.cost import in_images
from resnet_core.language import tr
from resnet_core.nets import Catalog, Net, told_apart

#: Multiply-adds for one picture that are done at once, without a button; about a second on two cores.
AT_ONCE = 60e9
_TITLES = {key: each.title for key, each in EXPERIMENTS.items()}
#: Chosen for somebody who has chosen nothing: the plain and the residual net that differ most.
_FIRST = ("plain-56", "resnet-56")


def pair(found: Catalog) -> list[str]:
    """The ids of the nets that are compared at first."""
    shipped = [net.id for net in found.nets if net.origin == "shipped"]
    return [name for name in _FIRST if name in shipped] or shipped[:2]


def describe(experiment: Experiment) -> None:
    """Draws what is asked, what is done, and what it cannot show."""
    st.markdown(f"**{experiment.question}** {experiment.method}")
    st.caption(tr("{limits} Source: {source}.", limits=experiment.limits, source=experiment.source))


def able(experiment: Experiment, nets: Sequence[Net], labels: Mapping[str, str], images: Images, given: Mapping[str, Any]) -> list[Net]:
    """The nets that it can be made with, as far as ``given`` goes; why the others cannot is said."""
    found = []
    for net in nets:
        try:
            experiment.check(net.model, labels[net.id])
            experiment.check_images(replace(net, name=labels[net.id]), images.config)
            experiment.check_others(net, given)
            for layer in [each for each in experiment.parameters if each.kind == "layer"]:
                _check_layer(layer, resolved(given, [layer], net)[layer.name], net, labels[net.id])
            found.append(net)
            if net.enlarged and experiment.parameters:  # without any it looks at no images
                st.caption(escaped(net.enlarged))
        except ConfigError as error:
            st.caption(escaped(str(error).removeprefix("net: ")))
    return found


def _check_layer(parameter: Parameter, layer: str, net: Net, label: str) -> None:
    if layer not in parameter.layers(net.model):
        raise ConfigError("net", "{label}: it has no layer {layer}.", label=label, layer=layer)


def measured(
    experiment: Experiment, nets: Sequence[Net], labels: Mapping[str, str], images: Images, given: dict[str, Any]
) -> list[Measured]:
    """The results that are there; for the others, a button that begins them, and how far they are."""
    jobs = {}
    values = {net.id: resolved(given, experiment.parameters, net) for net in nets}
    computed = {of: {name: value for name, value in each.items() if name not in experiment.views} for of, each in values.items()}
    keys = {net.id: ("experiment", experiment.key, net.version, images.config, *sorted(computed[net.id].items())) for net in nets}

    def begin() -> None:
        for net in nets:
            JOBS.start(keys[net.id], labels[net.id], work(net))

    def work(net: Net) -> Any:
        def of(job: Job) -> Measured:
            told: dict[str, Any] = {"progress": job.progress, "should_stop": job.should_stop, "preview": job.show}
            return run(experiment, net, images.config, computed[net.id], folder=images.where, label=labels[net.id], whole=True, **told)

        return of

    for net in nets:
        jobs[net.id] = JOBS.get(keys[net.id])
    missing = [net for net in nets if (job := jobs[net.id]) is None or job.state in ("stopped", "failed")]
    if missing:
        macs = sum(experiment.work(net, experiment.complete(values[net.id], net.model)) for net in missing)
        if (
            "picture" not in experiment.views
            and given.get("picture") is not None
            and macs <= AT_ONCE
            and not any(jobs[net.id] for net in missing)
        ):
            begin()
            st.rerun()
        st.button(tr("Run"), type="primary", icon=":material/play_arrow:", key="experiment.run", on_click=begin)
        st.caption(
            tr(
                "It takes {in_images}{timed}, and ends when you leave the app.",
                in_images=in_images(macs, 1),
                timed=timed(experiment, missing, given),
            )
        )
    for job in jobs.values():
        if job is not None and job.state != "done":
            job_panel(job)
    found = {of: job.result if job.state == "done" else job.preview for of, job in jobs.items() if job is not None}
    # Who computed it called the net in a language of their own, and among other nets.
    called = {of: replace(one, label=labels[of]) for of, one in found.items() if one is not None}
    return [experiment.viewed(one, experiment.complete(values[of], one.model)) for of, one in called.items()]


def timed(experiment: Experiment, nets: Sequence[Net], given: Mapping[str, Any]) -> str:
    """How long it takes, of an experiment that consists of images through the net: such a pass is timed, once for each net."""
    if experiment.passes is None:
        return ""

    def work(net: Net) -> Any:
        return lambda job: seconds_per_image(net)

    paces = [JOBS.outcome(("pace", net.version), tr("Timing {name}", name=net.name), work(net), light=True) for net in nets]
    passes = [experiment.passes(net.model, experiment.complete(given, net.model)) for net in nets]
    seconds = sum(pace * count for pace, count in zip(paces, passes, strict=True))
    return tr(", about {duration} by a pass of images that was timed on this machine", duration=duration(seconds))


def markdown(table: Table) -> str:
    """The table as Markdown: words on the left, numbers on the right."""
    number = [all(isinstance(row[i], (int, float)) or row[i] is None for row in table.rows) for i in range(len(table.head))]
    lines = [table.head, ["---:" if right else "---" for right in number]]
    lines += [[escaped(shown(cell)) for cell in row] for row in table.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def show(experiment: Experiment, results: Sequence[Measured]) -> None:
    """Draws finding, figure, table and files."""
    functions = experiment.functions
    finding = functions.finding(results)
    st.markdown(f"## {escaped(finding)}")
    light, dark = (functions.figure(results, dark) for dark in (False, True))
    rows = (light.layout.height or 0) > HEIGHT or any(trace.type == "image" for trace in light.data)  # as high as they need
    figure_chart(light, dark, key=f"experiment.{experiment.key}", fixed=rows, said=finding)
    table = functions.table(results)
    st.markdown(markdown(table))
    chart_files(
        f"experiment-{experiment.key}", tr("ResNet Lab: {title}", title=experiment.title), lambda: csv_text(table.head, table.rows),
        lambda dark: functions.figure(results, dark), f"{experiment.method} {experiment.limits}",
    )  # fmt: skip


def main() -> None:
    st.title(tr("Experiments"), anchor=False)
    found = offered()
    if not found.nets:
        return
    with st.sidebar:
        nets = choose_nets(found, shipped=pair)
        images = choose_images(nets, "experiment.data", tr("Images of"))
    first = next(iter(EXPERIMENTS))
    key = st.pills(
        tr("Experiment"), list(EXPERIMENTS), format_func=titled(_TITLES), default=first, required=True, key="experiment",
            bind="query-params",
        label_visibility="collapsed",
    )  # fmt: skip
    experiment = EXPERIMENTS[key or first]
    describe(experiment)
    if not nets:
        st.info(tr("Choose a net on the left."), icon=":material/arrow_back:")
        return
    if images is None:
        return
    labels = told_apart(nets)
    if experiment.parameters:  # without any it looks at no images
        nets = fit_for(nets, labels, images)
    with st.container(horizontal=True):
        given = parameter_widgets(experiment.parameters, nets, prefix=f"{experiment.key}.", row=True)
    usable = able(experiment, nets, labels, images, given)
    if experiment.key == "lesions" and usable:
        with guarded(tr("One block by a click")):
            lesion_section(usable, labels, images, given["images"])
        st.header(tr("Each block in turn"), anchor=False)
    else:
        st.query_params.pop(BLOCK, None)
    with guarded(experiment.title):
        results = measured(experiment, usable, labels, images, given)
        if results:
            show(experiment, results)
    if experiment.key == "gates" and usable:
        with guarded(tr("Through training")):
            course_section(usable, labels)


main()
