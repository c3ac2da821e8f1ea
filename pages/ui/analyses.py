"""What the analysis pages compute, once for all viewers (``jobs``): plain results by weights, data and number of images; never a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from pages.ui.jobs import JOBS, Job
from pages.ui.permitted import may
from resnet_core import data
from resnet_core.config import DATASETS, DataConfig
from resnet_core.errors import DataError
from resnet_core.language import tr
from resnet_core.nets import NORMALIZATIONS, Net

if TYPE_CHECKING:
    from resnet_core.analysis.gradients import AtInitialization, Gradients
    from resnet_core.analysis.responses import Responses


def folder_key(dataset: str) -> str:
    """Where in the session the folder of a data set is that was typed on the Train page."""
    return "train.data_dir" if dataset == "cifar10" else f"train.data_dir.{dataset}"


def folder(dataset: str = "cifar10") -> str | None:
    """The folder of a data set that was typed on the Train page in this session, if any."""
    return (st.session_state.get(folder_key(dataset)) or None) if may("name folders") else None


def here() -> list[str]:
    """The data sets that are on this machine, the embedded ones among them."""
    return [key for key in DATASETS if _is_here(key, folder(key))]


def _is_here(key: str, where: str | None) -> bool:
    try:
        data.check(DataConfig(key), where)
    except DataError:
        return False
    return True


def datasets(net: Net | None = None) -> list[str]:
    """The data sets on this machine of a net's own classes; without a net those of CIFAR-10's: ``sample``, and ``cifar10`` where it is."""
    wanted = data.CLASSES if net is None else net.class_names
    return [key for key in here() if wanted is None or DataConfig(key).class_names == wanted]


@st.cache_resource(show_spinner=False, max_entries=4)
def images_of(dataset: str, split: str, where: str | None) -> data.Split:
    """All images of a split, ``train`` or ``test``, which all viewers share: nobody may write into them."""
    return getattr(data.load(DataConfig(dataset), where), split)


def responses(net: Net, title: str, dataset: str, count: int, where: str | None, meanwhile: Callable[[], None]) -> tuple[Net, Responses]:
    """``layer_responses`` of the net's weights as they are now, on the first ``count`` test images; and the net as it was measured.

    That is further than ``net`` where it is a run that went on while it waited for its turn.
    """

    def work(job: Job) -> tuple[Net, Responses]:
        from resnet_core.analysis.responses import layer_responses
        from resnet_core.nets.loading import load

        loaded, images = load(net), images_of(dataset, "test", where).images[:count]
        found = layer_responses(loaded.model, images, loaded.normalize, loaded.plan, progress=job.progress, should_stop=job.should_stop)
        return loaded.net, found

    return JOBS.outcome(("responses", net.version, dataset, count), title, work, unit=tr("test images"), meanwhile=meanwhile)


def untrained_ratio(net: Net, title: str, dataset: str, count: int, where: str | None) -> np.ndarray:
    """(B,), |F(x)| / |x| of the same net before its first update (its own seed, else 0), on the same images, with batch statistics."""
    seed = net.config.recipe.seed if net.config else 0

    def work(job: Job) -> np.ndarray:
        import torch

        from resnet_core.analysis.responses import layer_responses
        from resnet_core.architectures.net import build_model
        from resnet_core.nets.loading import load

        loaded, images = load(net), images_of(dataset, "test", where).images[:count]
        fresh = build_model(net.model, seed).to(loaded.device).to(memory_format=torch.channels_last)
        prepare, plan = loaded.normalize, loaded.plan
        found = layer_responses(fresh, images, prepare, plan, batch_statistics=True, progress=job.progress, should_stop=job.should_stop)
        return found.ratio

    return JOBS.outcome(("untrained", net.version, seed, dataset, count), title, work, unit=tr("test images"))


def gradients(net: Net, title: str, batches: int, size: int) -> tuple[Net, Gradients]:
    """``layer_gradients``, as ``responses``, on the first ``batches`` batches of ``size`` training images of the sample.

    Raises:
        DataError: the net tells other classes apart than theirs: there is no loss.
    """
    if net.model.num_classes != len(data.CLASSES):
        raise DataError(
            "{title} tells {num_classes:,} classes apart, and the images are of CIFAR-10's {classes}, which are "
            "not its own: there is no loss on them, and so no gradient. Its layer responses can be measured all "
            "the same.",
            title=title,
            num_classes=net.model.num_classes,
            classes=len(data.CLASSES),
        )

    def work(job: Job) -> tuple[Net, Gradients]:
        from resnet_core.analysis.gradients import layer_gradients
        from resnet_core.nets.loading import load

        loaded, train = load(net), images_of("sample", "train", None)
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

    return JOBS.outcome(("gradients", net.version, batches, size), title, work, unit=tr("batches"))


def at_initialization(title: str, depths: Sequence[int], shortcut: str, batch_norm: bool, images: int) -> list[AtInitialization]:
    """``gradients_at_initialization`` with seed 0, on the sample's first training images, normalised as in the paper."""

    def of_one(depth: int) -> Callable[[Job], AtInitialization]:
        def work(job: Job) -> AtInitialization:
            import torch

            from resnet_core.analysis.gradients import gradients_at_initialization

            train, mean = images_of("sample", "train", None), torch.from_numpy(NORMALIZATIONS["pixel-mean"].arrays()[0])
            x = train.images[:images].float().div(255).sub(mean).contiguous(memory_format=torch.channels_last)
            labels = train.labels[:images]
            return gradients_at_initialization([depth], shortcut, batch_norm, 0, x, labels, should_stop=job.should_stop)[0]

        return work

    kind = ("initialization", shortcut, batch_norm, images)
    return [JOBS.outcome((*kind, depth), tr("{title}: depth {depth}", title=title, depth=depth), of_one(depth)) for depth in depths]
