"""What the analysis pages compute, once for all viewers (``jobs``): plain results by weights, data and number of images; never a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from pages.ui import links
from pages.ui.jobs import JOBS, Job
from pages.ui.labels import escaped
from pages.ui.permitted import may
from pages.ui.uploaded import may_be_shown
from resnet_core import data
from resnet_core.config import DATASETS, DataConfig
from resnet_core.datasets import DATA_SETS
from resnet_core.errors import DataError
from resnet_core.language import tr
from resnet_core.nets import NORMALIZATIONS, Net
from resnet_core.nets.fitting import fitting, pictures_of

if TYPE_CHECKING:
    from resnet_core.analysis.gradients import AtInitialization, Gradients
    from resnet_core.analysis.responses import Responses


#: What nets are shown of which no classes are known.
_UNKNOWN = [DataConfig(key) for key in DATASETS if DATA_SETS[key].classes == data.CLASSES]


def folder_key(dataset: str) -> str:
    """Where in the session the folder of a data set is that was typed on the Train page."""
    return "train.data_dir" if dataset == "cifar10" else f"train.data_dir.{dataset}"


def folder(dataset: str = "cifar10") -> str | None:
    """The folder of a data set that was typed on the Train page in this session, if any."""
    return (st.session_state.get(folder_key(dataset)) or None) if may("name folders") else None


@dataclass(frozen=True)
class Images:
    """A data set whose images nets can be shown.

    Attributes:
        config: which, as a whole; where: its folder, if not where ``data.load`` looks for it.
    """

    config: DataConfig
    where: str | None = None


def here() -> list[str]:
    """The data sets that are on this machine, the embedded ones among them."""
    return [key for key in DATASETS if is_here(DataConfig(key), folder(key))]


def is_here(config: DataConfig, where: str | None) -> bool:
    """Tell whether a data set is on this machine."""
    return _are_whole(config, where) if config.pictures else _is_whole(config, where)


@st.cache_data(ttl=10, show_spinner=False, max_entries=50)
def _are_whole(pictures: DataConfig, where: str | None) -> bool:
    """``_is_whole`` of a folder that is to be looked through."""
    return _is_whole(pictures, where)


def _is_whole(config: DataConfig, where: str | None) -> bool:
    try:
        data.check(config, where)
    except DataError:
        return False
    return True


def offered(nets: Sequence[Net]) -> list[Images]:
    """The data sets on this machine that have the classes of some of the nets, or the classes of CIFAR-10 where those of none are known.

    Pictures are offered to whoever may see them.
    """
    known: list[Net | None] = [net for net in nets if net.class_names is not None] or [None]
    found: dict[DataConfig, str | None] = {}
    for net in known:
        place = pictures_of(net) if net else None
        for config in fitting(net) if net else _UNKNOWN:
            if config.pictures and not (place and may_be_shown(place)):
                continue
            where = str(place) if config.pictures else folder(config.dataset)
            if config not in found and is_here(config, where):
                found[config] = where
    return [Images(*each) for each in found.items()]


def choose_images(nets: Sequence[Net], key: str, label: str, own: bool = False, **kept: Any) -> Images | None:
    """Draw the choice of a data set for some of the nets, which stands in the address; None where there is none.

    Args:
        own: begin with what the first net was trained on; else with what ships of its classes.
        kept: instead of ``bind``, where it is to be kept otherwise.
    """
    found: dict[str, Images] = {}
    for each in offered(nets):
        name, number = each.config.name, 2
        while name in found:
            name, number = f"{each.config.name} ({number})", number + 1
        found[name] = each
    asked = st.query_params.get(key, "")
    before = DATA_SETS[asked].title if asked in DATA_SETS else asked.partition(": ")[0]  # what links of before call it
    if asked not in found and before in found:
        st.session_state.setdefault(key, before)
    else:
        links.check_choice(key, label[:1].lower() + label[1:], found, _absent(asked))
    if not found:
        text = tr("No images of the classes of these nets are on this machine. The Train page downloads data sets.")
        st.info(text, icon=":material/info:")
        return None
    there = [each.config for each in found.values()]
    absent = dict.fromkeys(each.title for net in nets if net.class_names for each in fitting(net) if each not in there)
    more = tr("Once they are on this machine (see Train), also: {titles}.", titles=", ".join(absent)) if absent else None
    trained = nets[0].config.data.dataset if own and nets and nets[0].config else ""
    first = next((name for name, each in found.items() if each.config.dataset == trained), next(iter(found)))
    if st.session_state.get(key, first) not in found:
        st.session_state[key] = first  # of the nets before
    options: dict[str, Any] = {"default": first, "required": True, "key": key, "help": more, **(kept or {"bind": "query-params"})}
    name = st.segmented_control(label, list(found), format_func=tr, **options)
    return found.get(name or first, found[first])


def _absent(asked: str) -> str:
    """Why a data set is not offered that a link asks for; empty of one that nobody knows."""
    key = next((key for key, each in DATA_SETS.items() if asked in (key, each.title, tr(each.title))), None)
    if key is None:
        return ""
    if is_here(DataConfig(key), folder(key)):
        return tr("None of the nets that are chosen tells its classes apart.")
    return tr("{title} is not on this machine: the Train page downloads it.", title=DATA_SETS[key].title)


def fit_for(nets: Sequence[Net], labels: Mapping[str, str], images: Images | None) -> list[Net]:
    """The nets that are looked at side by side: of the images' classes, or of no known ones. Says why the others are left out.

    Args:
        images: None: pictures of any class; nets then go by the first one's classes.
    """
    first = next((net for net in nets if net.class_names is not None), None)
    if images is None and first is None:
        return list(nets)
    classes = images.config.class_names if images else first.class_names if first else None
    found = [net for net in nets if net.class_names in (None, classes)]
    for net in nets:
        if net not in found:
            named = replace(net, name=labels[net.id])
            why = named.refusal(images.config) if images else _no_comparison(named, labels[first.id], first) if first else ""
            st.info(escaped(tr("{why} It is left out.", why=why)), icon=":material/info:")
    return found


def _no_comparison(net: Net, label: str, first: Net) -> str:
    told = {"name": net.name, "own": net.classes_of, "first": label, "theirs": first.classes_of}
    return tr("{name} tells {own}'s classes apart, and {first} {theirs}'s: their answers cannot be compared.", **told)


@st.cache_resource(show_spinner=False, max_entries=4)
def images_of(images: Images, split: str) -> data.Split:
    """All images of a split, ``train`` or ``test``, which all viewers share: nobody may write into them."""
    return getattr(data.load(images.config, images.where), split)


def responses(net: Net, title: str, images: Images, count: int, meanwhile: Callable[[], None]) -> tuple[Net, Responses]:
    """``layer_responses`` of the net's weights as they are now, on the first ``count`` test images; and the net as it was measured.

    That is further than ``net`` where it is a run that went on while it waited for its turn.
    """

    def work(job: Job) -> tuple[Net, Responses]:
        from resnet_core.analysis.responses import layer_responses
        from resnet_core.nets.loading import load

        loaded, shown = load(net), images_of(images, "test").images[:count]
        found = layer_responses(loaded.model, shown, loaded.normalize, loaded.plan, progress=job.progress, should_stop=job.should_stop)
        return loaded.net, found

    return JOBS.outcome(("responses", net.version, images.config, count), title, work, unit=tr("test images"), meanwhile=meanwhile)


def untrained_ratio(net: Net, title: str, images: Images, count: int) -> np.ndarray:
    """(B,), |F(x)| / |x| of the same net before its first update (its own seed, else 0), on the same images, with batch statistics."""
    seed = net.config.recipe.seed if net.config else 0

    def work(job: Job) -> np.ndarray:
        import torch

        from resnet_core.analysis.responses import layer_responses
        from resnet_core.architectures.net import build_model
        from resnet_core.nets.loading import load

        loaded, shown = load(net), images_of(images, "test").images[:count]
        fresh = build_model(net.model, seed).to(loaded.device).to(memory_format=torch.channels_last)
        prepare, plan = loaded.normalize, loaded.plan
        found = layer_responses(fresh, shown, prepare, plan, batch_statistics=True, progress=job.progress, should_stop=job.should_stop)
        return found.ratio

    return JOBS.outcome(("untrained", net.version, seed, images.config, count), title, work, unit=tr("test images"))


def gradients(net: Net, title: str, images: Images, batches: int, size: int) -> tuple[Net, Gradients]:
    """``layer_gradients``, as ``responses``, on the first ``batches`` batches of ``size`` training images; of fewer, of all.

    Raises:
        DataError: the net tells other classes apart than theirs: there is no loss.
    """
    if why := replace(net, name=title).refusal(images.config):
        raise DataError("{why} There is no loss on them, and so no gradient. Its layer responses can be measured all the same.", why=why)
    if images.config.train_images < 2 * batches:
        raise DataError("{title} has too few training images for {batches} batches.", title=images.config.title, batches=batches)
    size = min(size, images.config.train_images // batches)

    def work(job: Job) -> tuple[Net, Gradients]:
        from resnet_core.analysis.gradients import layer_gradients
        from resnet_core.nets.loading import load

        loaded, train = load(net), images_of(images, "train")
        found = layer_gradients(
            loaded.model,
            train.images,
            train.labels,
            loaded.normalize,
            loaded.plan,
            batches=batches,
            batch_size=size,
            progress=job.progress,
            should_stop=job.should_stop,
        )
        return loaded.net, found

    return JOBS.outcome(("gradients", net.version, images.config, batches, size), title, work, unit=tr("batches"))


def at_initialization(title: str, depths: Sequence[int], shortcut: str, batch_norm: bool, images: int) -> list[AtInitialization]:
    """``gradients_at_initialization`` with seed 0, on the sample's first training images, normalised as in the paper."""

    def of_one(depth: int) -> Callable[[Job], AtInitialization]:
        def work(job: Job) -> AtInitialization:
            import torch

            from resnet_core.analysis.gradients import gradients_at_initialization

            train, mean = images_of(Images(DataConfig()), "train"), torch.from_numpy(NORMALIZATIONS["pixel-mean"].arrays()[0])
            x, labels = data.normalize(train.images[:images], mean), train.labels[:images]
            return gradients_at_initialization([depth], shortcut, batch_norm, 0, x, labels, should_stop=job.should_stop)[0]

        return work

    kind = ("initialization", shortcut, batch_norm, images)
    return [JOBS.outcome((*kind, depth), tr("{title}: depth {depth}", title=title, depth=depth), of_one(depth)) for depth in depths]
