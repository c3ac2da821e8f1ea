"""Which net a state_dict is of, from its keys and shapes alone. Without torch, and without a look at any value.

Every family proposes nets for the keys, in its own names and in those of each project whose layout it knows (``Layout``). The net whose
description has exactly the file's tensors is it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from resnet_core.architectures import FAMILIES, ModelConfig
from resnet_core.architectures.layouts import OWN
from resnet_core.architectures.parts import Shape
from resnet_core.imports.candidates import COUNTER, Candidate, candidates, computed
from resnet_core.imports.nearest import why_none
from resnet_core.imports.options import OPTIONS, options
from resnet_core.imports.refusal import ImportRefused, listed, shown
from resnet_core.language import together, tr

#: What DataParallel and torch.compile put before every key; a module that holds the net puts its own name there.
PREFIXES = ("module.", "_orig_mod.")
#: No name of a module that holds a whole net, but of a part of one.
_PART = re.compile(r"layer\d+|\d+|conv\d*|bn\d*|norm\d*|fc|linear|stem|features|classifier|weight|bias")


@dataclass(frozen=True)
class Recognition:
    """What the keys and shapes say.

    Attributes:
        layout: that the names are of.
        model: the net, with the first of ``shortcuts``.
        shortcuts: keys of ``OPTIONS`` that fit, the likeliest first; one where the keys decide.
        keys: the file's key of each tensor -> ours.
        biases: the file's key of each bias of a convolution -> our key of the running mean that it is to be taken from.
        notes: what was put aside.
        normalization: how the layout's project prepares its images.
        orders: our key of a tensor whose channels come in another order there -> which of them is our i-th (``Layout.order``).
    """

    layout: str
    model: ModelConfig
    shortcuts: tuple[str, ...]
    keys: dict[str, str]
    notes: tuple[str, ...]
    normalization: str
    biases: dict[str, str] = field(default_factory=dict)
    orders: Mapping[str, Sequence[int]] = field(default_factory=dict)


def recognize(shapes: Mapping[str, Shape], told: ModelConfig | None = None) -> Recognition:
    """The net whose ``state_dict`` has these keys and shapes.

    Args:
        told: what a file of ours says it is.

    Raises:
        ImportRefused: it is no net that can be built here; names the first keys that are wrong, and what was expected.
    """
    if told is not None:
        own, given = Candidate(told, FAMILIES[told.family], OWN), _without_counters(shapes)
        if (biases := own.biases(given)) is not None:
            return _recognition([(own, biases)], "")
    prefix, bare = _without_prefix(shapes)
    given = _without_counters(bare)
    tried, problems = candidates(given)
    found = [(each, biases) for each in tried if (biases := each.biases(given)) is not None]
    if not found:
        raise ImportRefused(why_none(given, [each for each in tried if not each.renamed], problems))
    return _recognition([(each, biases) for each, biases in found if each.layout.key == found[0][0].layout.key], prefix)


def _recognition(found: Sequence[tuple[Candidate, dict[str, str]]], prefix: str) -> Recognition:
    """Nets that have the file's tensors, in one layout; in what they differ, the file leaves open.

    Raises:
        ImportRefused: what is left open cannot be asked.
    """
    first, folded = found[0]
    layout = first.layout
    configs = [config for config in dict.fromkeys(each.config for each, _ in found) if not layout.unclear(config)]
    if not configs:
        raise ImportRefused(layout.unclear(first.config))
    shortcuts = options(configs, layout.likely)
    same = [config for config in configs if config.shortcut == OPTIONS.get(shortcuts[0], shortcuts[0])]
    notes = [tr("The prefix {prefix} of every key was removed.", prefix=shown(prefix))] if prefix else []
    if first.renamed:
        ours, theirs = zip(*first.renamed, strict=True)
        notes.append(tr("{map} were taken for {ours}.", map=together(map(shown, theirs)), ours=together(ours)))
    notes += [layout.assumed] if layout.assumed else []
    if others := [config.name for config in same[1:] if computed(config) != computed(same[0])]:
        notes.append(
            tr(
                "Its tensors fit {others} too; it was taken for {name}. Look at its error: the wrong one guesses.",
                others=", ".join(others),
                name=same[0].name,
            )
        )
    keys = {prefix + theirs: ours for theirs, ours in first.keys.items()}
    biases = {prefix + theirs: mean for theirs, mean in folded.items()}
    orders = layout.order(same[0].plan()) if layout.order else {}
    return Recognition(layout.key, same[0], shortcuts, keys, tuple(notes), layout.usual(same[0].num_classes), biases, orders)


def _without_counters(shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    for key, shape in shapes.items():
        if key.endswith(COUNTER) and shape != ():
            raise ImportRefused("{key} has the shape {shape}; BN counts its batches in a single number.", key=shown(key), shape=shape)
    return {key: tuple(shape) for key, shape in shapes.items() if not key.endswith(COUNTER)}


def _without_prefix(shapes: Mapping[str, Shape]) -> tuple[str, dict[str, Shape]]:
    if not shapes:
        raise ImportRefused("It has no tensors.")
    prefix, bare = "", dict(shapes)
    while (found := next(iter(bare)).partition(".")[0] + ".") and all(key.startswith(found) for key in bare):
        if _PART.fullmatch(found[:-1]):
            break
        prefix += found
        bare = {key.removeprefix(found): shape for key, shape in bare.items()}
    partly = [key for key in bare if key.startswith(PREFIXES)]
    if partly:
        raise ImportRefused("Only a part of its keys has a prefix: {listed} of {bares:,} keys.", listed=listed(partly), bares=len(bare))
    return prefix, bare
