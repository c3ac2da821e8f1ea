"""Which net keys and shapes come nearest to that are no known net's, and what differs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from resnet_core.architectures import FAMILIES, LAYOUTS, Family, ModelConfig
from resnet_core.architectures.layouts import OWN
from resnet_core.architectures.parts import Shape
from resnet_core.errors import ConfigError
from resnet_core.imports.candidates import Candidate, tensors
from resnet_core.imports.refusal import listed, shown
from resnet_core.language import together, tr, tr_n

#: Differences that are told one by one.
_TOLD = 3
#: The share of a file's tensors that a net has if the file is rather of it, with something wrong, than of one that cannot be.
_NEARLY = 2 / 3


def why_none(given: Mapping[str, Shape], candidates: Sequence[Candidate], problems: Mapping[str, ConfigError]) -> str:
    """Why a file is none of the nets that it may have been of, as a few sentences.

    Args:
        given: the file's keys and shapes.
        problems: by family, why the net that the file is of by its keys cannot be.
    """
    best = max(candidates, key=lambda each: _fitting(given, each), default=None)
    far = best is None or 2 * len(given.keys() & best.due.keys()) < len(given)
    found = {key: problem for key, problem in problems.items() if _out_of_range(key, problem)}
    if found and (best is None or best.family.key in found or _fitting(given, best)[0] < _NEARLY * len(given)):
        key = best.family.key if best and best.family.key in found else next(iter(found))
        return _impossible(given, found[key], FAMILIES[key])
    if best is None or far:
        first = next(iter(tensors(next(iter(FAMILIES.values())).presets[0])))
        there = (
            tr("there is no {first}, but {listed}", first=first, listed=listed(given))
            if first not in given
            else tr("its keys are {listed}", listed=listed(given))
        )
        projects = [title for key, title in LAYOUTS.items() if key != OWN.key]
        due = tr(
            "Expected are the keys of a net of this project, of {projects} or {projects2}.",
            projects=", ".join(projects[:-1]),
            projects2=projects[-1],
        )
        return tr("It is no net of a known layout: {there}. {due}", there=there, due=due)
    nearest = tr("Nearest is {key}'s layout: {difference}.", key=best.layout.key, difference=difference(given, best.due))
    wrong = _first(given, best) or _blocks(given, best) or _classifier(given, best) or _mixed(given, best)
    nearly = tr("It is nearly {name}, but no net that can be built here.", name=best.config.name)
    return f"{wrong or nearly} {nearest}"


def _out_of_range(family: str, problem: ConfigError) -> bool:
    """Whether the family reads a number in the file that it may not have, and not something else altogether."""
    return problem.field == "depth" or problem.field in {field.name for field in FAMILIES[family].config.fields}


def _fitting(given: Mapping[str, Shape], candidate: Candidate) -> tuple[int, int, int]:
    """What orders candidates: tensors that fit, keys that are there, tensors that are not due."""
    due = candidate.due
    return sum(given.get(key) == shape for key, shape in due.items()), len(given.keys() & due.keys()), -len(due)


def _impossible(given: Mapping[str, Shape], problem: ConfigError, family: Family) -> str:
    """Why the net of a family that the keys tell of cannot be."""
    key = next((key for key in _classifiers(family.presets[0], family) if key in given), "")
    if problem.field == "num_classes" and key:
        return tr("Its classifier has {given:,} classes ({problem}).", given=given[key][0], problem=problem)
    return tr("It would be a net that cannot be built here: {problem}", problem=problem)


def _convolution(best: Candidate) -> tuple[str, Shape]:
    """The key and shape of its first convolution."""
    return next(((key, shape) for key, shape in best.due.items() if len(shape) == 4), ("", (0, 0, 0, 0)))


def _first(given: Mapping[str, Shape], best: Candidate) -> str:
    """What is wrong with the first convolution, if its number of filters is not all that is."""
    key, due = _convolution(best)
    shape = given.get(key, due)
    if len(shape) == 5:
        return tr("{key} has the shape {shape}, of a 3D convolution (video or volumes); images need four dimensions.", key=key, shape=shape)
    if len(shape) != 4:
        return tr("{key} has the shape {shape}; a convolution's has four dimensions.", key=key, shape=shape)
    if shape[0] < 1:
        return tr("Its first convolution has no filters ({key} {shape}).", key=key, shape=shape)
    if shape[1] != due[1]:
        return tr(
            "Its first convolution takes {shape} channels ({key} {shape2}); colour images have {due}.",
            shape=shape[1],
            key=key,
            shape2=shape,
            due=due[1],
        )
    if shape[2:] != due[2:]:
        return tr(
            "Its first convolution is {shape}x{shape2} ({key} {shape3}); that of {name} is {due}x{due2}.",
            shape=shape[2],
            shape2=shape[3],
            key=key,
            shape3=shape,
            name=best.config.name,
            due=due[2],
            due2=due[3],
        )
    return ""


def _blocks(given: Mapping[str, Shape], best: Candidate) -> str:
    """Which stages or blocks are missing, or too many."""
    there, wanted = _containers(given), _containers(best.due)
    units = [best.layout.theirs(f"{unit.name}.").removesuffix(".") for unit in best.config.plan().units]
    if not units or not wanted.issuperset(units):
        return ""  # the layout has no modules for them
    if there.isdisjoint(units):
        return tr("There is no block: no key begins with {units}.", units=units[0])
    stages = list(dict.fromkeys(unit.rpartition(".")[0] for unit in units))
    alike = re.compile(re.escape(stages[0].rstrip("0123456789")) + r"\d{1,4}", re.ASCII)
    count = sum(alike.fullmatch(name) is not None for name in there)
    gone = next((stage for stage in stages if stage not in there), "")
    if gone or (len(stages) > 1 and count > len(stages)):
        side = _convolution(best)[1][2]
        return tr(
            "{value} has a {side}x{side} first convolution and {count} stages; {name}, which begins so, has {stages}.",
            value=tr("Stage {gone} is missing: it", gone=gone) if gone else "It",
            side=side,
            count=count,
            name=best.config.name,
            stages=len(stages),
        )
    missing = next((unit for unit in units if unit not in there), "")
    counts = ", ".join(str(sum(unit in there and unit.rpartition(".")[0] == stage for unit in units)) for stage in stages)
    return tr("Block {missing} is missing. Its stages have {counts} blocks.", missing=missing, counts=counts) if missing else ""


def _containers(keys: Iterable[str]) -> set[str]:
    """All modules whose names these keys begin with."""
    return {key[:at] for key in keys for at, letter in enumerate(key) if letter == "."}


def _classifiers(config: ModelConfig, family: Family) -> list[str]:
    """How the layouts of a net's family call the weight of its last layer."""
    key = f"{config.plan().classifier}.weight"
    return list(dict.fromkeys(layout.of(config).theirs(key) for layout in (OWN, *family.layouts)))


def _classifier(given: Mapping[str, Shape], best: Candidate) -> str:
    """What is wrong with the last layer, if it is not the number of its inputs."""
    names = _classifiers(best.config, best.family)
    held = [key for key in names if key in given]
    if not held:
        return tr_n(
            len(names), "There is no classifier: no {names}.", "There is no classifier: neither {names}.", names=tr(" nor ").join(names)
        )
    if len(held) > 1:
        return tr("There is both {held}; a net has one classifier at its end.", held=together(held))
    shape, bias = given[held[0]], given.get(held[0].removesuffix("weight") + "bias")
    if len(shape) != 2:
        return tr("{held} has the shape {shape}; a fully connected layer's has two dimensions.", held=held[0], shape=shape)
    if bias is not None and bias != shape[:1]:
        name = held[0].removesuffix(".weight")
        return tr(
            "The classifier does not fit itself: {name}.weight has {shape:,} rows, {name}.bias the shape {bias}.",
            name=name,
            shape=shape[0],
            bias=bias,
        )
    return ""


def _mixed(given: Mapping[str, Shape], best: Candidate) -> str:
    """Which names are another layout's."""
    for other in (OWN, *best.family.layouts):
        named = Candidate(best.config, best.family, other.of(best.config)).keys.keys() - best.keys.keys()
        if modules := dict.fromkeys(key.rpartition(".")[0] for key in given if key in named):
            return tr(
                "It mixes layouts: {listed} as in {key}'s, the others as in {key2}'s.",
                listed=listed(modules),
                key=other.key,
                key2=best.layout.key,
            )
    return ""


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
    told = [tr("{module} stands where {other} is due", module=shown(module), other=shown(other)) for module, other in renamed[:_TOLD]]
    if len(renamed) > _TOLD:
        told.append(tr("so do {renameds:,} more for others", renameds=len(renamed) - _TOLD))
    settled = {module for module, _ in renamed}
    extra = [key for key in extra if key.rpartition(".")[0] not in settled]
    missing = [key for key in missing if key.rpartition(".")[0] in wanted]
    told += [tr("{listed} should not be there", listed=listed(extra))] if extra else []
    told += (
        [tr("{listed} is missing: {missings:,} of {dues:,} keys", listed=listed(missing), missings=len(missing), dues=len(due))]
        if missing
        else []
    )
    wrong = [key for key in due if key in given and given[key] != due[key]]
    told += [tr("{key} has {given} where {due} is due", key=key, given=given[key], due=due[key]) for key in wrong[:_TOLD]]
    more = tr(" and {wrongs:,} more", wrongs=len(wrong) - _TOLD) if len(wrong) > _TOLD else ""
    fitting = sum(given.get(key) == shape for key, shape in due.items())
    return tr("{givens:,} keys, {fitting:,} of them fit; {told}{more}", givens=len(given), fitting=fitting, told="; ".join(told), more=more)


def _modules(keys: Iterable[str], shapes: Mapping[str, Shape]) -> dict[str, dict[str, Shape]]:
    """By module, what is in it with its shape."""
    found: dict[str, dict[str, Shape]] = {}
    for key in keys:
        module, _, name = key.rpartition(".")
        found.setdefault(module, {})[name] = shapes[key]
    return found
