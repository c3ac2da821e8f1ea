"""Which net a state_dict is of, from its keys and shapes alone. Without torch, and without a look at any value.

The layouts, as their repositories have them: akamaster/pytorch_resnet_cifar10 (``linear``; option A without parameters, option B as
``shortcut.0`` and ``.1``), chenyaofo/pytorch-cifar-models (``fc``, ``downsample.0`` and ``.1``), torchvision (the same keys, a 7x7 first
convolution and four stages), and our own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from resnet_core.architectures import ImageNetConfig, ModelConfig, ResNetConfig
from resnet_core.errors import ConfigError
from resnet_core.imports import exact, layouts
from resnet_core.imports.layouts import PROJECTIONS, STAGED, STEMS, Shape, Skeleton
from resnet_core.imports.nearest import difference, nearest
from resnet_core.imports.options import BEHIND, BOTH, OPTIONS
from resnet_core.imports.refusal import ImportRefused, listed, shown

#: What DataParallel and torch.compile put before every key; a module that holds the net puts its own name there.
PREFIXES = ("module.", "_orig_mod.")
EXPECTED = (
    "Expected are the keys of a ResNet of this project, akamaster/pytorch_resnet_cifar10, chenyaofo/pytorch-cifar-models or torchvision: "
    "conv1.weight, bn1.weight, layer1.0.conv1.weight, …"
)
#: No name of a module that holds a whole net, but of a part of one.
_PART = re.compile(r"layer\d+|\d+|conv\d*|bn\d*|norm\d*|fc|linear|stem|weight|bias")
_CONV_BIAS = re.compile(r"((?:.+\.)?)conv(\d)\.bias")


@dataclass(frozen=True)
class Recognition:
    """What the keys and shapes say.

    Attributes:
        layout: a key of ``layouts.PROJECTIONS``.
        model: the net, with the first of ``shortcuts``.
        shortcuts: keys of ``OPTIONS`` that fit, the likeliest first; one where the keys decide.
        keys: the file's key of each tensor -> ours.
        biases: the file's key of each bias of a convolution -> our key of the running mean that it is to be taken from.
        notes: what was put aside.
    """

    layout: str
    model: ModelConfig
    shortcuts: tuple[str, ...]
    keys: dict[str, str]
    notes: tuple[str, ...]
    biases: dict[str, str] = field(default_factory=dict)


def recognize(shapes: Mapping[str, Shape], told: ModelConfig | None = None) -> Recognition:
    """The net whose ``state_dict`` has these keys and shapes.

    Args:
        told: what a file of ours says it is.

    Raises:
        ImportRefused: it is no ResNet that can be built here; names the first keys that are wrong, and what was expected.
    """
    if told is not None and (found := exact.matches(shapes, told)):
        return _of_ours(found, shapes, "", ())
    prefix, bare = _without_prefix(shapes)
    try:
        return _of_a_layout(prefix, bare)
    except ImportRefused:
        if found := exact.matches(bare):
            return _of_ours(found, bare, prefix, (_without(prefix),) if prefix else ())
        raise


def _of_ours(found: Sequence[ModelConfig], bare: Mapping[str, Shape], prefix: str, notes: tuple[str, ...]) -> Recognition:
    """Of a file in our own layout, whose tensors are exactly those of the nets that were found."""
    shortcuts = tuple(dict.fromkeys(exact.option(config) for config in found))
    if BEHIND in shortcuts:  # likelier than none
        shortcuts = (BEHIND, *(each for each in shortcuts if each != BEHIND))
    model = next(config for config in found if exact.option(config) == shortcuts[0])
    keys = {prefix + key: key for key in bare if not key.endswith(layouts.COUNTER)}
    if others := [config.name for config in found if exact.option(config) == shortcuts[0] and config != model]:
        notes += (f"Its tensors fit {', '.join(others)} too; it was taken for {model.name}. Look at its error: the wrong one guesses.",)
    return Recognition("resnet-lab", model, shortcuts, keys, notes)


def _without(prefix: str) -> str:
    return f"The prefix {shown(prefix)} of every key was removed."


def _of_a_layout(prefix: str, bare: dict[str, Shape]) -> Recognition:
    notes = [_without(prefix)] if prefix else []
    names, stem_note = _usual_names(bare)
    bare = {usual: bare[key] for usual, key in names.items()}
    notes += stem_note
    given = {key: tuple(shape) for key, shape in bare.items() if not key.endswith(layouts.COUNTER)}
    for key in bare.keys() - given.keys():
        if bare[key] != ():
            raise ImportRefused(f"{shown(key)} has the shape {bare[key]}; BN counts its batches in a single number.")
    stem, width = _stem(given)
    layers, block = _stages(given)
    layout = _layout(given, stem, layers)
    projected = frozenset(
        (int(match[1]), int(match[2])) for key in given if (match := STAGED.fullmatch(key)) and match[3].startswith(PROJECTIONS[layout])
    )
    skeleton = Skeleton(stem, layers, block, width, _classes(given, layouts.CLASSIFIER[layout]), projected)
    _check_kind(given, skeleton)
    expected = layouts.tensors(skeleton, layout)
    biases = _biases(given, expected, layout)
    _compare({key: shape for key, shape in given.items() if key not in biases}, expected, layout)
    model, shortcuts = _model(skeleton, layout)
    keys = {prefix + names[theirs]: ours for theirs, (ours, _) in expected.items()}
    folded = {prefix + names[theirs]: ours for theirs, ours in biases.items()}
    return Recognition(layout, model, shortcuts, keys, tuple(notes), folded)


def _without_prefix(shapes: Mapping[str, Shape]) -> tuple[str, dict[str, Shape]]:
    if not shapes:
        raise ImportRefused(f"It has no tensors. {EXPECTED}")
    prefix, bare = "", dict(shapes)
    while (found := next(iter(bare)).partition(".")[0] + ".") and all(key.startswith(found) for key in bare):
        if _PART.fullmatch(found[:-1]):
            break
        prefix += found
        bare = {key.removeprefix(found): shape for key, shape in bare.items()}
    partly = [key for key in bare if key.startswith(PREFIXES)]
    if partly:
        raise ImportRefused(f"Only a part of its keys has a prefix: {listed(partly)} of {len(bare):,} keys.")
    return prefix, bare


def _usual_names(bare: Mapping[str, Shape]) -> tuple[dict[str, str], list[str]]:
    """The usual key of each tensor -> the one it has, where the stem goes by another name; and a note on that."""
    for conv, bn in STEMS if "conv1.weight" not in bare and "bn1.weight" not in bare else ():
        if len(bare.get(f"{conv}.weight", ())) == 4 and f"{bn}.weight" in bare:
            usual = {f"{conv}.": "conv1.", f"{bn}.": "bn1."}
            old = {key: next((begin for begin in usual if key.startswith(begin)), "") for key in bare}
            names = {usual.get(begin, "") + key.removeprefix(begin): key for key, begin in old.items()}
            if len(names) < len(bare):  # conv1.bias beside conv.bias: no renaming, nothing may get lost
                break
            return names, [f"{shown(conv)} and {shown(bn)} were taken for conv1 and bn1, the first convolution and its BN."]
    return {key: key for key in bare}, []


def _biases(given: Mapping[str, Shape], expected: Mapping[str, tuple[str, Shape]], layout: str) -> dict[str, str]:
    """Biases of convolutions that a BN follows -> our key of that BN's running mean. (x + b) - m is x - (m - b)."""
    conv, bn = PROJECTIONS[layout]
    found = {}
    for key, shape in given.items():
        match = _CONV_BIAS.fullmatch(key)
        mean = f"{match[1]}bn{match[2]}.running_mean" if match else f"{key.removesuffix(f'{conv}.bias')}{bn}.running_mean"
        if (match or key.endswith(f".{conv}.bias")) and mean in expected and expected[mean][1] == shape:
            found[key] = expected[mean][0]
    return found


def _stem(given: Mapping[str, Shape]) -> tuple[int, int]:
    """Side of the first convolution's kernel, and its filters."""
    if "conv1.weight" not in given:
        known = nearest(given) or EXPECTED
        raise ImportRefused(f"It is no ResNet of a known layout: there is no conv1.weight, but {listed(given)}. {known}")
    shape = given["conv1.weight"]
    if len(shape) == 5:
        raise ImportRefused(f"conv1.weight has the shape {shape}, of a 3D convolution (video or volumes); images need four dimensions.")
    if len(shape) != 4:
        raise ImportRefused(f"conv1.weight has the shape {shape}; a convolution's has four dimensions.")
    if shape[0] < 1:
        raise ImportRefused(f"Its first convolution has no filters (conv1.weight {shape}).")
    if shape[1] != 3:
        raise ImportRefused(f"Its first convolution takes {shape[1]} channels (conv1.weight {shape}); colour images have 3.")
    if shape[2:] not in ((3, 3), (7, 7)):
        raise ImportRefused(
            f"Its first convolution is {shape[2]}x{shape[3]} (conv1.weight {shape}); known are 3x3 (CIFAR) and 7x7 (ImageNet)."
        )
    return shape[2], shape[0]


def _stages(given: Mapping[str, Shape]) -> tuple[tuple[int, ...], str]:
    """Blocks of each stage, and their kind."""
    indices: dict[int, set[int]] = {}
    for key in given:
        if match := STAGED.fullmatch(key):
            indices.setdefault(int(match[1]), set()).add(int(match[2]))
    if not indices:
        raise ImportRefused(f"There is conv1.weight, but no block: no key begins with layer1.0. Its keys: {listed(given)}. {EXPECTED}")
    stages = sorted(indices)
    if stages != list(range(1, len(stages) + 1)):
        missing = next(stage for stage in range(1, max(stages) + 1) if stage not in indices)
        raise ImportRefused(f"Stage layer{missing} is missing: the stages are {listed(f'layer{s}' for s in stages)}.")
    for stage in stages:
        count = max(indices[stage]) + 1
        gap = next((index for index in range(count) if index not in indices[stage]), None)
        if gap is not None:
            raise ImportRefused(f"Block layer{stage}.{gap} is missing: layer{stage} has blocks up to layer{stage}.{count - 1}.")
    block = "bottleneck" if any(key.endswith(".conv3.weight") for key in given) else "basic"
    return tuple(len(indices[stage]) for stage in stages), block


def _layout(given: Mapping[str, Shape], stem: int, layers: tuple[int, ...]) -> str:
    family = {3: 3, 7: 4}[stem]
    if len(layers) != family:
        kind = "CIFAR" if stem == 3 else "ImageNet"
        also = " (as in kuangliu/pytorch-cifar)" if (stem, len(layers)) == (3, 4) else ""
        raise ImportRefused(
            f"It has a {stem}x{stem} first convolution and {len(layers)} stages{also}; a {kind} ResNet, which begins so, has {family}."
        )
    heads = [name for name in ("fc", "linear") if f"{name}.weight" in given]
    if len(heads) != 1:
        found = "both fc.weight and linear.weight" if heads else "no classifier: neither fc.weight nor linear.weight"
        raise ImportRefused(f"There is {found}; a net has one fully connected layer at its end. {nearest(given)}".rstrip())
    styles = {
        layout
        for layout, names in list(PROJECTIONS.items())[:3]
        if any((match := STAGED.fullmatch(key)) and match[3].startswith(names) for key in given)
    }
    fitting = {"fc": ("resnet-lab", "chenyaofo"), "linear": ("akamaster",)}[heads[0]]
    if len(styles) > 1 or not styles <= set(fitting):
        names = " and ".join(PROJECTIONS[style][0] for style in sorted(styles))
        raise ImportRefused(f"It mixes layouts: a classifier called {heads[0]}, with projections called {names}.")
    style = next(iter(styles), fitting[0])
    if stem == 3 or style == "resnet-lab":  # an ImageNet ResNet in our layout is one that was imported here
        return style
    if style != "chenyaofo":
        raise ImportRefused("It has a 7x7 first convolution, but a classifier called linear; torchvision's ResNets call it fc.")
    return "torchvision"


def _classes(given: Mapping[str, Shape], name: str) -> int:
    shape, bias = given[f"{name}.weight"], given.get(f"{name}.bias")
    if len(shape) != 2:
        raise ImportRefused(f"{name}.weight has the shape {shape}; a fully connected layer's has two dimensions.")
    if bias is not None and bias != shape[:1]:
        raise ImportRefused(f"The classifier does not fit itself: {name}.weight has {shape[0]:,} rows, {name}.bias the shape {bias}.")
    if not 2 <= shape[0] <= 1000:
        raise ImportRefused(f"Its classifier has {shape[0]:,} classes ({name}.weight {shape}); 2 to 1,000 are possible here.")
    return shape[0]


def _check_kind(given: Mapping[str, Shape], skeleton: Skeleton) -> None:
    """Known relatives that have the keys of a ResNet and other shapes."""
    first, second = given.get("layer1.0.conv1.weight", ()), given.get("layer1.0.conv2.weight", ())
    if len(second) == 4 and second[0] > second[1] > 0 and second[0] % second[1] == 0 and len(first) == 4 and first[0] == second[0]:
        groups = second[0] // second[1]
        raise ImportRefused(
            f"Its convolutions are in {groups} groups (layer1.0.conv2.weight {second}): a ResNeXt, which is not built here."
        )
    if skeleton.block == "bottleneck" and len(first) == 4 and first[0] > skeleton.width and first[0] % skeleton.width == 0:
        raise ImportRefused(
            f"Its bottlenecks are {first[0] // skeleton.width} times as wide inside as a ResNet's (layer1.0.conv1.weight {first}): "
            "a Wide ResNet, which is not built here."
        )


def _compare(given: Mapping[str, Shape], expected: Mapping[str, tuple[str, Shape]], layout: str) -> None:
    due = {key: shape for key, (_, shape) in expected.items()}
    if given != due:
        what = "but the shapes do not fit a net of that width" if given.keys() == due.keys() else "but not all of them"
        raise ImportRefused(f"Its keys are those of {layout}'s layout, {what}: {difference(given, due)}.")


def _without_parameters(skeleton: Skeleton, layout: str) -> tuple[str, ...]:
    """What a net without projections may be. The layout says what is likely, not what is so: its keys are easily renamed."""
    if skeleton.block == "bottleneck" or skeleton.width % 2:  # a quarter on both sides does not make up for the missing channels
        return BEHIND, "none"
    return (BOTH, BEHIND, "none") if layout == "akamaster" else (BEHIND, BOTH, "none")


def _model(skeleton: Skeleton, layout: str) -> tuple[ModelConfig, tuple[str, ...]]:
    every = frozenset((stage, index) for stage, index, *_ in skeleton.blocks())
    options: tuple[tuple[frozenset[tuple[int, int]], tuple[str, ...]], ...]
    options = ((frozenset(), _without_parameters(skeleton, layout)), (skeleton.changing(), ("B",)), (every, ("C",)))
    # Where every block changes the dimensions (bottlenecks, one block a stage), B and C are one net.
    shortcuts = tuple(option for places, found in options if places == skeleton.projected for option in found)
    if not shortcuts:
        where = listed(f"layer{stage}.{index}" for stage, index in sorted(skeleton.projected ^ skeleton.changing()))
        raise ImportRefused(f"Its projections are neither option B's nor option C's: they differ from option B at {where}.")
    try:
        if skeleton.stem == 7:
            if "B" not in shortcuts:
                raise ImportRefused(
                    "It has a 7x7 first convolution, but not the projections of torchvision's ResNets (downsample.0 and .1)."
                )
            stride = "3x3" if skeleton.block == "bottleneck" else "1x1"  # torchvision's, "v1.5"
            return ImageNetConfig(skeleton.layers, skeleton.block, skeleton.num_classes, skeleton.width, stride=stride), ("B",)
        if len(set(skeleton.layers)) != 1:
            blocks = ", ".join(map(str, skeleton.layers))
            raise ImportRefused(f"Its stages have {blocks} blocks; all stages of a CIFAR ResNet have the same number (depth 6n+2).")
        if skeleton.block == "bottleneck" and layout != "resnet-lab":
            raise ImportRefused(
                "It is a CIFAR ResNet of bottlenecks in another project's layout. Their stride may be in the first 1x1 or in the 3x3 "
                "convolution, and nothing in the file tells which."
            )
        depth = skeleton.layers[0] * (6 if skeleton.block == "basic" else 9) + 2
        return ResNetConfig(depth, OPTIONS[shortcuts[0]], skeleton.width, skeleton.block, skeleton.num_classes), shortcuts
    except ConfigError as error:
        raise ImportRefused(f"It would be a net that cannot be built here: {error}") from error
