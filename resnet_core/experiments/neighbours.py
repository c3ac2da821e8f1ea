"""Nearest neighbours in feature space, and how well a vote among them does (the last layer as in AlexNet's Figure 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from resnet_core.experiments.base import Experiment, Measured, Progress, ShouldStop, Table, each_of, first, images_parameter, whole_net_macs
from resnet_core.figures.lines import Line, lines_figure
from resnet_core.language import mark, tr

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from resnet_core.data import Cifar10
    from resnet_core.nets.loading import LoadedNet

#: The neighbours that vote.
VOTERS = (1, 3, 10, 30, 100)

EXPERIMENT = Experiment(
    key="neighbours",
    title=mark("Nearest neighbours"),
    module="resnet_core.experiments.neighbours",
    question=mark("Are images that a net takes for alike of one class?"),
    source=mark("Krizhevsky, Sutskever and Hinton: ImageNet Classification with Deep CNNs (2012), section 6.1 and Figure 4"),
    method=(
        mark(
            "Each test image's features, the inputs of the classifier, are compared with those of the training "
            "images by Euclidean distance; the nearest ones vote on its class, the nearer side winning a tie."
        )
    ),
    limits=mark(
        "The features were trained for the classifier that reads them: a vote that is as good says that they separate, and not why."
    ),
    parameters=(images_parameter(),),
    macs=lambda model, values: whole_net_macs(model) * (values["images"] + 5_000),
)


@dataclass(frozen=True, eq=False)
class Votes:
    """Errors of votes among nearest training images.

    Attributes:
        wrong: (V,) int64, test images that the vote of ``VOTERS[v]`` neighbours takes for something else.
        same: (V,), the mean part of those neighbours that are of the test image's class.
        classifier: test images that the net itself gets wrong; n: test images; train: training images.
    """

    wrong: np.ndarray
    same: np.ndarray
    classifier: int
    n: int
    train: int

    @property
    def errors(self) -> np.ndarray:
        """(V,), of the votes, in percent."""
        return 100.0 * self.wrong / self.n

    @property
    def error(self) -> float:
        """The net's own, in percent."""
        return 100.0 * self.classifier / self.n

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; errors in percent."""
        errors = self.errors.tolist()
        votes = [{"voters": k, "error": e, "same_class": s} for k, e, s in zip(VOTERS, errors, self.same.tolist(), strict=True)]
        return {"n": self.n, "train": self.train, "error": self.error, "votes": votes}


def measure(
    loaded: LoadedNet, images: Cifar10, values: Mapping[str, Any], progress: Progress = None, should_stop: ShouldStop = None
) -> Votes:
    """Compute both sets' features and count the votes.

    Raises:
        Stopped: ``should_stop`` returned True. CheckpointError: the features are not numbers.
    """
    import torch

    from resnet_core.analysis.neighbours import features

    test, train = first(images.test, values["images"]), images.train
    total = len(test) + len(train)

    def told(before: int) -> Progress | None:
        return None if progress is None else lambda done, _: progress(before + done, total)

    queries, held = features(loaded, test.images, told(0), should_stop), features(loaded, train.images, told(len(test)), should_stop)
    classifier = loaded.model.get_submodule(loaded.model.plan.classifier)
    with torch.no_grad():
        said = classifier(torch.from_numpy(queries).to(loaded.device)).argmax(1).cpu()
    distances = torch.cdist(torch.from_numpy(queries), torch.from_numpy(held), compute_mode="donot_use_mm_for_euclid_dist")
    nearest = train.labels[distances.topk(VOTERS[-1], largest=False).indices]  # (n, 100), nearest first
    counts, wrong, same = torch.zeros(len(test), int(train.labels.max()) + 1), [], []
    for k in range(VOTERS[-1]):
        counts.scatter_add_(1, nearest[:, k : k + 1], torch.full((len(test), 1), 1 + 1e-4 * (VOTERS[-1] - k) / VOTERS[-1]))
        if k + 1 in VOTERS:
            wrong.append(int((counts.argmax(1) != test.labels).sum()))
            same.append(float((nearest[:, : k + 1] == test.labels[:, None]).float().mean()))
    return Votes(np.array(wrong), np.array(same), int((said != test.labels).sum()), len(test), len(train))


def table(results: Sequence[Measured]) -> Table:
    """Errors in percent."""
    rows = [(one.label, one.result.error, *one.result.errors.tolist()) for one in results]
    return Table((tr("Net"), tr("Its own error (%)"), *(tr("{k} voting (%)", k=k) for k in VOTERS)), tuple(rows))


def figure(results: Sequence[Measured], dark: bool = False) -> go.Figure:
    """The error of the vote over the number of voters, on a logarithmic scale."""
    lines = [Line(one.key, one.label, one.model, np.log10(VOTERS), one.result.errors) for one in results]
    made = lines_figure(lines, tr("neighbours that vote"), tr("error of the vote (%)"), dark)
    made.update_xaxes(tickvals=np.log10(VOTERS), ticktext=[str(k) for k in VOTERS])
    return made


def finding(results: Sequence[Measured]) -> str:
    """The vote of ten beside the net's own error."""

    def of(one: Measured) -> str:
        vote = one.result.errors[VOTERS.index(10)]
        return tr("{vote:.1f} % by the vote of ten neighbours, {error:.1f} % by its own classifier", vote=vote, error=one.result.error)

    found = results[0].result
    return tr(
        "Errors on {n:,} test images, neighbours among {train:,} training images: {each_of}.",
        n=found.n,
        train=found.train,
        each_of=each_of(results, of),
    )
