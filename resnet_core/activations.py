"""How large a net's maps are, and so how many images may go through it at once: told from its configuration, without torch.

    size = images_at_once(model)  # without gradients
    size = images_at_once(model, 50, gradients=True)

Every loop over images takes its batches from here, so that no net, however wide or deep, takes more than ``BUDGET`` beside its weights.
"""

from __future__ import annotations

from typing import Any

#: Pixels of an image's side.
SIDE = 32
#: Images that go through a net together, if its maps are small.
MOST = 500
#: Bytes of maps that lie in memory at once where a batch can be cut.
BUDGET = 256 << 20
#: And where it cannot: its statistics are part of the result. ResNet-110 takes 1.1 GB with the 128 images of a training's batch.
WHOLE_BUDGET = 2 << 30
#: While a block adds: its input, the branch, the shortcut, and their sum.
_LIVE = 4
#: Maps of the size of its output that a block keeps for the backward pass: a convolution's output for BN, and a ReLU's for what comes
#: next. Of a bottleneck the inner ones have a quarter of the channels.
_KEPT = {"basic": 4, "bottleneck": 3}


def layer_shapes(model: Any) -> dict[str, tuple[int, int]]:
    """Layer -> channels and side of its maps on a 32x32 image, in the order of the forward pass.

    ``relu`` is what the first convolution passes on (with its BN and ReLU), ``layer2.0`` the output of a block, after the addition and
    the ReLU. On 32x32 images the maps of an ImageNet net shrink to a single pixel, which is no map any more.

    Args:
        model: a ``ModelConfig`` or ``ImageNetConfig``, or a net, which has one as ``config``.
    """
    config = getattr(model, "config", model)
    expansion = 4 if config.block == "bottleneck" else 1
    if hasattr(config, "layers"):  # an ImageNet net: a 7x7 convolution with stride 2 and max pooling before the first stage
        blocks, sides = config.layers, [SIDE // 4, SIDE // 8, SIDE // 16, SIDE // 32]
        shapes = {"relu": (config.width, SIDE // 2), "maxpool": (config.width, SIDE // 4)}
    else:
        blocks, sides = [config.blocks_per_stage] * 3, [SIDE, SIDE // 2, SIDE // 4]
        shapes = {"relu": (config.width, SIDE)}
    for stage, (count, side) in enumerate(zip(blocks, sides, strict=True)):
        channels = config.width * 2**stage * expansion
        shapes |= {f"layer{stage + 1}.{index}": (channels, side) for index in range(count)}
    return shapes


def activation_bytes(model: Any, gradients: bool = False) -> int:
    """Bytes of fp32 maps in memory at once for each 32x32 image that goes through the net.

    Args:
        model: as of ``layer_shapes``.
        gradients: with all that a backward pass needs; else no more than a block's maps are there at a time.
    """
    config = getattr(model, "config", model)
    shapes = list(layer_shapes(config).items())
    largest = max(channels * side**2 for _, (channels, side) in shapes)
    if not gradients:
        return 4 * _LIVE * largest
    kept, before = 3 * SIDE**2, None
    for name, (channels, side) in shapes:
        maps = _KEPT[config.block] if "." in name else 2
        # The convolution of a projection, for its BN.
        projects = "." in name and (config.shortcut == "C" or (config.shortcut == "B" and before != (channels, side)))
        kept, before = kept + (maps + projects) * channels * side**2, (channels, side)
    return 4 * (kept + largest)  # what is kept is freed block by block, while gradients come: a map of those beside all that is kept


def images_at_once(model: Any, most: int | None = None, gradients: bool = False, budget: int | None = None) -> int:
    """Images that may go through the net together: 1 to ``most`` (``MOST``), with no more than ``budget`` (``BUDGET``) bytes of maps.

    Nets of up to 32 filters take 500 without gradients; one of bottlenecks with 256 filters, whose maps have 1,024 channels, takes 16.

    Args:
        model: as of ``layer_shapes``; of a module without a configuration nothing is known, and it is ``most``.
        gradients: as of ``activation_bytes``.
    """
    if not hasattr(getattr(model, "config", model), "block"):
        return most or MOST
    return max(1, min(most or MOST, (budget or BUDGET) // activation_bytes(model, gradients)))
