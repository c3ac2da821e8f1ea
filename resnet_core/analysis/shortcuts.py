"""Plain against A, B and C at one depth: what each shortcut costs, in numbers and in words."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from resnet_core.architectures import ModelConfig
from resnet_core.architectures.resnet import SHORTCUTS
from resnet_core.architectures.table import Complexity, complexity
from resnet_core.language import mark, tr


@dataclass(frozen=True)
class Difference:
    """A net beside the plain net of its depth, width and block.

    Attributes:
        net: with its shortcut.
        params, macs: what the net has more than the plain one.
        text: the difference spelled out, one sentence or two.
    """

    net: Complexity
    params: int
    macs: int
    text: str


def shortcut_differences(config: ModelConfig) -> list[Difference]:
    """The plain net and options A, B and C (He et al. 2016, section 3.3), with everything else as in ``config``.

    None where that is no choice of the net's, or where a residual net has more than its shortcuts beside the plain one (ReZero, Fixup).
    """
    if all(field.name != "shortcut" for field in config.fields):
        return []
    twin = config if config.is_plain else config.twin()
    if twin is None or dataclasses.replace(twin, shortcut=config.shortcut) != config:
        return []
    plain = complexity(twin)
    differences = []
    for shortcut in SHORTCUTS:
        net = complexity(dataclasses.replace(config, shortcut=shortcut))
        differences.append(Difference(net, net.params - plain.params, net.macs - plain.macs, _text(net, plain)))
    return differences


def percent(part: int, whole: int) -> str:
    """``0.32 %``: three decimals below 0.1, two below 10, else one."""
    value = 100 * part / whole
    return f"{value:.{3 if value < 0.1 else 2 if value < 10 else 1}f} %"


def _text(net: Complexity, plain: Complexity) -> str:
    total = len(net.shortcuts)
    changing = sum(shortcut.dimensions_change for shortcut in net.shortcuts)
    if net.config.is_plain:
        return tr("Plain has no shortcuts: {params:,} parameters and {macs:,} MACs.", params=plain.params, macs=plain.macs)
    if net.config.shortcut == "A":
        elsewhere = tr(" Elsewhere it passes the input on as it is.") if changing < total else ""
        return tr(
            "A adds no parameters and no MACs. Where dimensions change ({changing} of {total} shortcuts) it "
            "fills the new channels with zeros and, where the maps shrink, keeps every second pixel.{elsewhere} "
            "So neither size nor computation can explain why the plain net degrades with depth and this one does "
            "not.",
            changing=changing,
            total=total,
            elsewhere=elsewhere,
        )
    params, macs = net.params - plain.params, net.macs - plain.macs
    cost = tr(
        "{params:,} parameters ({params2}) and {macs:,} MACs ({macs2})",
        params=params,
        params2=percent(params, plain.params),
        macs=macs,
        macs2=percent(macs, plain.macs),
    )
    normed = any(shortcut.normed for shortcut in net.shortcuts)
    if net.config.shortcut == "B":
        # Dimensions change at the first block of all stages but the first, and with bottlenecks also of that.
        number = {2: tr("two"), 3: tr("three"), 4: tr("four")}.get(changing, f"{changing}")
        rest = tr("the other shortcuts stay identities") if changing < total else tr("no shortcut is left an identity")
        with_bn = mark("B adds {cost}: {number} 1×1 projections, each with its BN, where dimensions change; {rest}.")
        without = mark("B adds {cost}: {number} 1×1 projections where dimensions change; {rest}.")
        return tr(with_bn if normed else without, cost=cost, number=number, rest=rest)
    with_bn = mark("C adds {cost}: all {total} shortcuts are 1×1 projections, each with its BN.")
    without = mark("C adds {cost}: all {total} shortcuts are 1×1 projections.")
    return tr(with_bn if normed else without, cost=cost, total=total)
