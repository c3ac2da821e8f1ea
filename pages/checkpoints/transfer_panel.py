"""A net for other images: a new classifier is trained on other data, some stages frozen or none, beside the same net from scratch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import streamlit as st

from pages.checkpoints.queued import note_queued, queued_links
from pages.ui import estimate
from pages.ui.analyses import folder, here
from pages.ui.figure_chart import figure_chart
from pages.ui.labels import escaped
from pages.ui.permitted import PermittedStore, admit
from pages.ui.runs_view import Seen, all_seen, going_on
from resnet_core.claims import transferred
from resnet_core.config import DataConfig, RunConfig, doubts
from resnet_core.errors import ConfigError
from resnet_core.figures.transfer import transfer_figure
from resnet_core.language import mark, tr, tr_n
from resnet_core.nets import Net, transfer

#: Training images of each class that can be chosen.
SIZES = (10, 50, 200, 500, 1000)
WHY = mark(
    "What a net has learned to see may serve for other images. Its classifier is replaced; the first stages can be **frozen** (nothing of "
    "them changes, their batch normalisation included, which computes with the statistics of the images before), or learn at a **lower "
    "rate** than the last. How much is gained over the same net from scratch depends on how few images there are: "
    "compared are the same images, the same recipe, the same seed."
)


def transfer_panel(net: Net) -> None:
    """Draws what may be chosen, what it costs, the button, and what has come of it so far."""
    st.markdown(tr(WHY))
    try:
        configs = _chosen(net)
    except ConfigError as error:
        st.error(escaped(str(error)), icon=":material/error:")
        return
    for doubt in doubts(configs):
        st.warning(escaped(doubt), icon=":material/photo_size_select_small:")
    store = PermittedStore()
    seen = all_seen(store.look())
    st.caption(
        tr(
            "{name} with a new classifier for {data}: {count}; {time}.",
            name=escaped(net.model.name),
            data=escaped(configs[0].data.title),
            count=tr_n(len(configs), "{number} training", "{number} trainings"),
            time=estimate.words(configs, estimate.measured(seen)),
        )
    )
    if st.button(tr("Train"), type="primary", icon=":material/swap_horiz:", key="transfer.start"):
        _start(store, net, configs)
    queued_links("transfer", net)
    _results(net, configs[0], seen)


def _start(store: PermittedStore, net: Net, configs: Sequence[RunConfig]) -> None:
    admit(configs)
    where = folder(configs[0].data.dataset)
    runs = []
    for config in configs:
        submitted = transfer.transfer(store, net, config, data_dir=where) if config.start else store.submit(config, data_dir=where)
        runs.append(going_on(store, *submitted))
    note_queued("transfer", net, runs)


def _chosen(net: Net) -> list[RunConfig]:
    """Raises ConfigError where the net cannot be trained so."""
    first, second, third = st.columns(3, vertical_alignment="bottom")
    keys = here()
    others = [key for key in keys if DataConfig(key).class_names != net.class_names]
    preferred = "fashion-sample" if "fashion-sample" in others else (others or keys)[0]
    dataset = first.selectbox(
        tr("Images"), keys, keys.index(preferred), format_func=lambda key: DataConfig(key).title, key=f"transfer.data.{net.id}"
    )
    most = DataConfig(dataset).most_per_class
    sizes = second.multiselect(
        tr("Images of each class"), [size for size in SIZES if size <= most], [10, 50], format_func="{:,}".format, key="transfer.sizes",
        help=tr("The first ones of each class; the test images stay all."),
    )  # fmt: skip
    names = transfer.groups(net.model)
    frozen = third.selectbox(
        tr("Frozen"), range(len(names) + 1), key=f"transfer.frozen.{net.id}",
        format_func=lambda count: tr("nothing") if not count else names[0] if count == 1
        else tr("{first} to {last}", first=names[0], last=names[count - 1]),
        help=tr("From the image on. All frozen: only the new classifier learns."),
    )  # fmt: skip
    first, second, third, fourth = st.columns(4, vertical_alignment="bottom")
    recipe = transfer.RECIPE
    iterations = first.number_input(tr("Iterations"), 1, 1_000_000, recipe.iterations, key="transfer.iterations")
    rate = second.number_input(tr("Learning rate"), 0.0, 10.0, recipe.learning_rate, format="%g", key="transfer.rate")
    decay = third.number_input(
        tr("Rate from stage to stage"), 0.01, 1.0, 1.0, format="%g", key="transfer.decay",
        help=tr("Each stage learns at this part of the rate of the stage behind it; 1: all alike."),
    )  # fmt: skip
    seeds = fourth.number_input(tr("Seeds"), 1, 10, 1, key="transfer.seeds")
    scratch = st.checkbox(tr("Train the same net from scratch too"), True, key="transfer.scratch")
    if not sizes:
        raise ConfigError("images_per_class", mark("choose at least one number of images."))
    found = []
    for size in sorted(sizes):
        for seed in range(int(seeds)):
            with_seed = dataclasses.replace(recipe, iterations=int(iterations), learning_rate=float(rate), seed=seed)
            config = transfer.planned(net, DataConfig(dataset, images_per_class=size), with_seed, frozen, float(decay))
            found += [config, transfer.from_scratch(config)] if scratch else [config]
    return found


def _results(net: Net, config: RunConfig, seen: Sequence[Seen]) -> None:
    """What trainings of this net by this recipe on this data have ended with, whatever of it is frozen."""
    shared = transferred.comparable(config)
    ended: list[tuple[RunConfig, float]] = []
    whole: list[Seen] = []  # transferred with nothing frozen
    for s in seen:
        mine = s.config.start is None or (not s.config.start.is_grown and s.config.start.origin == net.id)
        error = (s.status.result or {}).get("test_error") if s.state == "finished" else None
        if mine and error is not None and transferred.comparable(s.config) == shared:
            ended.append((s.config, float(error)))
            if s.config.start and not s.config.start.frozen:
                whole.append(s)
    found = transferred.curves(ended)
    if not any(not curve.way.scratch for curve in found):
        st.info(tr("Nothing of this has been trained yet by this recipe; the chart comes with the first training."), icon=":material/info:")
        return
    said = transferred.sentences(found)
    light, dark = (transfer_figure(found, theme) for theme in (False, True))
    st.header(tr("{net}: test error by the number of training images", net=escaped(config.model.name)), anchor=False)
    figure_chart(light, dark, "transfer_chart", fixed=True, said=" ".join(said))
    for sentence in said:
        st.markdown(f"- {escaped(sentence)}")
    if whole:
        _gradients(min(whole, key=lambda s: (transferred.per_class(s.config), s.config.recipe.seed)))
    st.caption(
        tr(
            "{data}, {iterations:,} iterations of {batch} images, rate {rate:g}. The error is that of the last iteration on all "
            "test images; nothing was chosen by it. Other images, recipes and seeds may say otherwise.",
            data=escaped(config.data.title),
            iterations=config.recipe.iterations,
            batch=config.recipe.batch_size,
            rate=config.recipe.learning_rate,
        )
    )


def _gradients(one: Seen) -> None:
    """Say how large the gradients of the layers near the image still are: from the training's own records."""
    ratio = transferred.near_the_data(one.run.records("layers"))
    if ratio is None:
        return
    st.markdown(
        "- "
        + tr(
            "Gradients near the image: with {images:,} images of each class, seed {seed} and nothing frozen, the weights' gradient norm of "
            "the first third of the layers was {ratio:.2g} times that of the last third, in the last record.",
            images=transferred.per_class(one.config),
            seed=one.config.recipe.seed,
            ratio=ratio,
        )
    )
    st.page_link("gradients/page.py", label=tr("Gradients, layer by layer"), icon=":material/show_chart:", query_params={"nets": [one.id]})
