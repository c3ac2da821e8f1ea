"""What a lesson is made of, as data."""

from __future__ import annotations

from dataclasses import dataclass, field

from resnet_core.questions import Question

#: What a step can show -> the arguments that it must have, and those that it may have.
SHOWS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    # Learning curves that ship: of the front page's demo, of the comparison of joins, of Myths, or of the nets in checkpoints/.
    "curves": (frozenset({"set", "nets"}), frozenset({"kinds"})),
    # The measured curve of nets over the one that was drawn, for a step that asks for one: of trainings (a set as above), or with
    # set=lesions of that experiment, whose nets are checkpoints that ship.
    "truth": (frozenset({"set", "nets"}), frozenset()),
    # Figure 6 of the paper from the nets that ship.
    "figure6": (frozenset(), frozenset()),
    # What trainings say of a myth; its key.
    "myth": (frozenset({"key"}), frozenset()),
    # An experiment with nets that ship; values=... holds further parameters, as name:value,name:value.
    "experiment": (frozenset({"key", "nets"}), frozenset({"values"})),
    # The size of what each block adds beside what it adds to, from the recorded experiment "responses".
    "branch": (frozenset({"nets"}), frozenset()),
    # A net, drawn.
    "diagram": (frozenset({"nets"}), frozenset()),
    # A block of a ResNeXt in its three equal forms.
    "forms": (frozenset({"nets"}), frozenset()),
    # MACs, parameters and activations of nets, as bars.
    "costs": (frozenset({"nets"}), frozenset()),
    # MACs and parameters layer by layer.
    "layers": (frozenset({"nets"}), frozenset()),
    # Published errors over cost; of CIFAR-10 or ImageNet, under one condition (a key of ``facts.CONDITIONS``) or all.
    "published": (frozenset({"data"}), frozenset({"condition", "cost"})),
    # Of the seed bank: part=yours, the viewer's curves before those of all seeds; part=gaps, a dot a seed, by error=clean or error=test;
    # part=needed, how many seeds a claim takes.
    "seeds": (frozenset({"part"}), frozenset({"error"})),
}


@dataclass(frozen=True)
class Show:
    """Something that is shown in a step: its kind (a key of ``SHOWS``), its arguments, and what is written under it."""

    kind: str
    arguments: dict[str, str] = field(default_factory=dict)
    caption: str = ""

    @property
    def nets(self) -> tuple[str, ...]:
        """Names of the nets that it is about, or of checkpoints (``of_checkpoints``)."""
        return tuple(name for name in self.arguments.get("nets", "").split(",") if name)

    @property
    def of_checkpoints(self) -> bool:
        """Whether its nets are trained ones that ship."""
        return self.kind in ("experiment", "branch") or self.arguments.get("set") == "lesions"

    @property
    def values(self) -> dict[str, str]:
        """Parameters of an experiment, as text."""
        pairs = (pair.partition(":") for pair in self.arguments.get("values", "").split(",") if pair)
        return {name: value for name, _, value in pairs}


@dataclass(frozen=True)
class Step:
    """One idea. Texts are Markdown, and may have places for numbers (``facts.fill``).

    Attributes:
        title, text: what is read first.
        question: to be answered before ``shows`` and ``reveal`` are seen; None where the step asks nothing.
        truth: of a question for a number, what it is; empty else.
        shows: what is shown, in order; look: what to look at there; reveal: what is to be learned from it.
    """

    title: str
    text: str
    question: Question | None = None
    truth: str = ""
    shows: tuple[Show, ...] = ()
    look: str = ""
    reveal: str = ""

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything that may have places for numbers."""
        return (self.text, self.truth, self.look, self.reveal, *(show.caption for show in self.shows))


@dataclass(frozen=True)
class Lesson:
    """A lesson.

    Attributes:
        key: of links, the same in all languages; number: its place among the lessons, from 1.
        title, about: for the list; minutes: that a class needs for it, about.
    """

    key: str
    number: int
    title: str
    about: str
    minutes: int
    steps: tuple[Step, ...]
