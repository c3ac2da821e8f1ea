"""Of keys and shapes that are no known net's: which layout they come nearest to, and what differs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from resnet_core.imports.layouts import PROJECTIONS, STAGED, Shape, Skeleton, tensors
from resnet_core.imports.refusal import listed, shown

#: Differences that are told one by one.
_TOLD = 3


def nearest(given: Mapping[str, Shape]) -> str:
    """A sentence on the layout that most of the keys fit, with the counts; empty where less than half of them fit any."""
    stages: dict[int, int] = {}
    for key in given:
        if match := STAGED.fullmatch(key):
            stages[int(match[1])] = max(stages.get(int(match[1]), 0), int(match[2]) + 1)
    if set(stages) not in ({1, 2, 3}, {1, 2, 3, 4}) or max(stages.values()) > 500:
        return ""
    stems = [shape for key, shape in given.items() if len(shape) == 4 and shape[1] == 3 and not STAGED.fullmatch(key)]
    inside = given.get("layer1.0.conv1.weight", ())
    width = stems[0][0] if stems else inside[1] if len(inside) == 4 else 16
    side = stems[0][2] if stems else 3 if len(stages) == 3 else 7
    heads = [shape[0] for shape in given.values() if len(shape) == 2]
    block = "bottleneck" if "layer1.0.conv3.weight" in given else "basic"
    best: tuple[int, str, dict[str, Shape]] = (0, "", {})
    for layout, names in PROJECTIONS.items():
        found = (STAGED.fullmatch(key) for key in given)
        projected = frozenset((int(match[1]), int(match[2])) for match in found if match and match[3].startswith(names))
        skeleton = Skeleton(side, tuple(stages[stage] for stage in sorted(stages)), block, width, heads[0] if heads else 10, projected)
        due = {key: shape for key, (_, shape) in tensors(skeleton, layout).items()}
        fitting = sum(given.get(key) == shape for key, shape in due.items())
        if fitting > best[0]:
            best = fitting, layout, due
    fitting, layout, due = best
    return f"Nearest is {layout}'s layout: {difference(given, due)}." if 2 * fitting >= len(given) else ""


def difference(given: Mapping[str, Shape], due: Mapping[str, Shape]) -> str:
    """What is there and not due, and the other way round, with the counts, as the part of a sentence."""
    extra = [key for key in given if key not in due]
    missing = [key for key in due if key not in given]
    there, wanted = _modules(extra, given), _modules(missing, due)
    renamed = []
    for module, tensors_in_it in there.items():
        if (other := next((each for each, held in wanted.items() if held == tensors_in_it), None)) is not None:
            del wanted[other]
            renamed.append((module, other))
    told = [f"{shown(module)} stands where {shown(other)} is due" for module, other in renamed[:_TOLD]]
    if len(renamed) > _TOLD:
        told.append(f"so do {len(renamed) - _TOLD:,} more for others")
    extra = [key for key in extra if key.rpartition(".")[0] not in dict(renamed)]
    missing = [key for key in missing if key.rpartition(".")[0] in wanted]
    told += [f"{listed(extra)} should not be there"] if extra else []
    told += [f"{listed(missing)} is missing: {len(missing):,} of {len(due):,} keys"] if missing else []
    wrong = [key for key in due if key in given and given[key] != due[key]]
    told += [f"{key} has {given[key]} where {due[key]} is due" for key in wrong[:_TOLD]]
    more = f" and {len(wrong) - _TOLD:,} more" if len(wrong) > _TOLD else ""
    fitting = sum(given.get(key) == shape for key, shape in due.items())
    return f"{len(given):,} keys, {fitting:,} of them fit; {'; '.join(told)}{more}"


def _modules(keys: Iterable[str], shapes: Mapping[str, Shape]) -> dict[str, dict[str, Shape]]:
    """By module, what is in it with its shape."""
    found: dict[str, dict[str, Shape]] = {}
    for key in keys:
        module, _, name = key.rpartition(".")
        found.setdefault(module, {})[name] = shapes[key]
    return found
