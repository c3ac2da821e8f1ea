"""What the readouts behind the blocks say of one picture: the class with the highest score after each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from resnet_core.errors import DataError
from resnet_core.experiments.base import Measured, Picture, Table, each_of
from resnet_core.figures.lines import Panel, heatmaps
from resnet_core.language import tr

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from resnet_core.experiments.readout import Readout


@dataclass(frozen=True, eq=False)
class OnePicture:
    """The readouts' answers to one picture.

    Attributes:
        picture: which; blocks: names of the B blocks.
        scores: (B, classes), regressions on 0 and 1; said: the net's own answer; train: training images of the fit.
        classes: their names.
    """

    picture: Picture
    blocks: tuple[str, ...]
    scores: np.ndarray
    said: str
    train: int
    classes: tuple[str, ...]

    @property
    def top(self) -> list[str]:
        """The class with the highest score after each block."""
        return [self.classes[i] for i in self.scores.argmax(1)]

    @property
    def settled(self) -> str:
        """The block from which on the class is that of the last readout."""
        others = [i for i, name in enumerate(self.top) if name != self.top[-1]]
        return self.blocks[others[-1] + 1 if others else 0]

    def at(self, part: float) -> tuple[str, float]:
        """Class and score after that part of the blocks, 0 to 1."""
        index = max(0, round(part * len(self.blocks)) - 1)
        return self.top[index], float(self.scores[index].max())

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        rows = zip(self.blocks, self.top, self.scores.max(1).tolist(), strict=True)
        blocks = [{"name": name, "class": top, "score": score} for name, top, score in rows]
        return {"picture": self.picture.number, "class": self.picture.label, "answer": self.said, "train": self.train, "blocks": blocks}


def of(found: Readout, number: int) -> OnePicture:
    """One of the pictures that were read.

    Raises:
        DataError: it was not.
    """
    if number >= found.n:
        raise DataError(
            "Test image {number:,} is not among the {n:,} that were read, 0 to {n2:,}. Ask for more test images.",
            number=number,
            n=found.n,
            n2=found.n - 1,
        )
    picture = Picture(number, found.classes[int(found.labels[number])])
    return OnePicture(picture, found.blocks, found.scores[:, number], found.classes[int(found.said[number])], found.train, found.classes)


def table(results: Sequence[Measured]) -> Table:
    """Class and score after a quarter, a half, three quarters and all of the blocks, and the net's own answer."""

    def cell(one: Measured, part: float) -> str:
        name, score = one.result.at(part)
        return f"{name} ({score:.2f})"

    rows = [(one.label, *(cell(one, part) for part in (0.25, 0.5, 0.75, 1.0)), one.result.settled, one.result.said) for one in results]
    return Table(
        (tr("Net"), tr("after 1/4"), tr("after 1/2"), tr("after 3/4"), tr("after all"), tr("settled from"), tr("its own classifier")),
        tuple(rows),
    )


def figure(results: Sequence[Measured], dark: bool = False) -> go.Figure:
    """The score of each class after each block as colour, the highest one ringed; one panel a net, the true class in bold."""
    true, classes = results[0].result.picture.label, results[0].result.classes
    rows = [f"<b>{name}</b>" if name == true else name for name in classes]
    panels = [Panel(one.label, one.result.scores.T, rows, one.result.blocks) for one in results]
    made = heatmaps(panels, 1, "class", tr("after block"), dark)
    for index, one in enumerate(results):
        found: OnePicture = one.result
        made.add_scatter(
            x=found.blocks, y=[rows[classes.index(name)] for name in found.top], mode="markers", showlegend=False, hoverinfo="skip",
            uid=f"{one.label}-top", marker={"symbol": "circle-open", "size": 13, "color": "#ffffff", "line": {"width": 2.5}},
            row=index + 1, col=1,
        )  # fmt: skip
    made.update_coloraxes(colorbar={"title": {"text": "score"}})
    return made


def finding(results: Sequence[Measured]) -> str:
    """The class halfway and at the end, and from where on it stays."""

    def said(one: Measured) -> str:
        (half, low), (end, high) = one.result.at(0.5), one.result.at(1.0)
        return tr(
            "{half} ({low:.2f}) after half of the blocks, {end} ({high:.2f}) after all and from {settled} on; "
            "its own classifier says {said}",
            half=half,
            low=low,
            end=end,
            high=high,
            settled=one.result.settled,
            said=one.result.said,
        )

    found: OnePicture = results[0].result
    return tr(
        "Of {name} linear readouts, fitted on {train:,} training images, say: {each_of}.",
        name=found.picture.name,
        train=found.train,
        each_of=each_of(results, said),
    )
