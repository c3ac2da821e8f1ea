"""What the layers of the chosen nets show, as sentences made of their numbers: also where they do not show what the paper reports."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from pages.ui.labels import escaped
from resnet_core.figures.gradients import GradientCurve, GradientHistory, InitializationCurve
from resnet_core.figures.responses import ResponseCurve

#: The first layer's gradient vanishes, as we put it, where it is less than this part of the last layer's; it explodes beyond the inverse.
VANISHING = 0.01


@dataclass(frozen=True)
class Finding:
    """One sentence or two as Markdown, and whether they are what He et al. 2016 report; None if they are neither that nor the contrary."""

    text: str
    holds: bool | None


def show(findings: Iterable[Finding]) -> None:
    for finding in findings:
        if finding.holds:
            st.success(finding.text, icon=":material/check_circle:")
        else:
            st.info(finding.text, icon=":material/info:")


def listed(parts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]])) if parts else ""


def bare(ratio: float) -> str:
    """``2.3``, ``410``, ``5.2·10⁵``; ``1/40`` for what is below a tenth."""
    return f"1/{_number(1 / ratio)}" if 0 < ratio < 0.1 else _number(ratio)


def times(ratio: float) -> str:
    """``2.3 times``, ``1/40``."""
    text = bare(ratio)
    return text if text.startswith("1/") else f"{text} times"


def _number(value: float) -> str:
    if value < 9.95:
        return f"{value:.1f}"
    if value < 99_500:
        return f"{float(f'{value:.2g}'):,.0f}"
    mantissa, power = f"{value:.1e}".split("e")
    return f"{mantissa}·10{str(int(power)).translate(str.maketrans('0123456789', '⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


# Layer responses


def response_findings(curves: Sequence[ResponseCurve], alike: Mapping[str, Hashable]) -> list[Finding]:
    """What Figure 7 is about, of these nets.

    Args:
        alike: of each curve's key, what nets must share that are compared: data and schedule.
    """
    medians = {curve.key: float(np.median(curve.std)) for curve in curves}
    found = [_plain_against_residual(curves, alike, medians), _deeper(curves, alike, medians), _branches(curves)]
    return [finding for finding in found if finding is not None]


def _median_text(curve: ResponseCurve, medians: Mapping[str, float]) -> str:
    return f"{escaped(curve.label)} **{_size(medians[curve.key])}**"


def _size(value: float) -> str:
    return f"{value:.2f}" if value < 100 else _number(value)


def _kin(model: object) -> tuple:
    """What two nets share that differ in depth or shortcut only."""
    return type(model).__name__, model.block, model.width


def _plain_against_residual(curves: Sequence[ResponseCurve], alike: Mapping[str, Hashable], medians: Mapping[str, float]) -> Finding | None:
    pairs = [
        (plain, residual)
        for plain in curves
        for residual in curves
        if plain.model.is_plain
        and not residual.model.is_plain
        and plain.model.depth == residual.model.depth
        and _kin(plain.model) == _kin(residual.model)
        and alike[plain.key] == alike[residual.key]
    ]
    if not pairs:
        return None
    text = "; ".join(f"{_median_text(residual, medians)} against {_median_text(plain, medians)}" for plain, residual in pairs)
    smaller = [medians[residual.key] < medians[plain.key] for plain, residual in pairs]
    if all(smaller):
        end = "Residual nets respond less than their plain twins, as in the paper."
    elif any(smaller):
        end = "Not in every pair does the residual net respond less; in the paper it generally does."
    else:
        end = "Here the residual nets do not respond less than their plain twins, unlike in the paper."
    return Finding(f"Median over the layers: {text}. {end}", all(smaller))


def _deeper(curves: Sequence[ResponseCurve], alike: Mapping[str, Hashable], medians: Mapping[str, float]) -> Finding | None:
    families: dict[Hashable, list[ResponseCurve]] = {}
    for curve in curves:
        if not curve.model.is_plain:
            families.setdefault((_kin(curve.model), curve.model.shortcut, alike[curve.key]), []).append(curve)
    texts, smaller = [], []
    for family in families.values():
        family.sort(key=lambda curve: curve.model.depth)
        if len({curve.model.depth for curve in family}) > 1:
            texts.append(", ".join(_median_text(curve, medians) for curve in family))
            steps = [(a, b) for a, b in itertools.pairwise(family) if a.model.depth < b.model.depth]
            smaller.append(all(medians[b.key] < medians[a.key] for a, b in steps))
    if not texts:
        return None
    end = (
        "The deeper the residual net, the smaller its responses, as in the paper: each layer changes the signal less."
        if all(smaller)
        else "Not every deeper residual net responds less than the shallower one here; in the paper it does."
    )
    return Finding(f"Median over the layers by depth: {'; '.join(texts)}. {end}", all(smaller))


def _branches(curves: Sequence[ResponseCurve]) -> Finding | None:
    medians = []
    for curve in curves:
        ratio = np.asarray(curve.ratio, dtype=float)
        kept = ratio[~np.asarray(curve.dimensions_change, dtype=bool) & np.isfinite(ratio)] if len(curve.blocks) else ratio
        if len(kept) and not curve.model.is_plain:
            medians.append((curve, float(np.median(kept))))
    if not medians:
        return None
    medians.sort(key=lambda one: one[0].model.depth)
    text = ", ".join(f"{escaped(curve.label)} **{median:.2f}**" for curve, median in medians)
    if all(median < 1 for _, median in medians):
        end = "F(x) is smaller than x: a block adds a change to its input rather than replacing it."
    else:
        large = [escaped(curve.label) for curve, median in medians if median >= 1]
        end = f"F(x) is not smaller than x in {listed(large)}."
    return Finding(f"Size of F(x) beside x, median over the blocks that keep the dimensions: {text}. {end}", None)


# Gradients


def first_to_last(values: np.ndarray) -> np.ndarray:
    """(..., L) -> (...): the first layer's gradient over the last layer's; NaN where that is no number."""
    values = np.asarray(values, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = values[..., 0] / values[..., -1]
    return np.where(np.isfinite(ratio), ratio, np.nan)


def _explanation(models: Iterable) -> str:
    """Of gradients that do not vanish: what follows from it."""
    plain = {model.is_plain for model in models}
    where = "with and without shortcuts" if plain == {True, False} else "although there are no shortcuts" if plain == {True} else ""
    text = f"The gradient does not vanish on its way to the first layer{', ' + where if where else ''}"
    return f"{text}; so vanishing gradients do not explain degradation, as He et al. found (section 4.1)." if True in plain else f"{text}."


def training_findings(histories: Sequence[GradientHistory]) -> list[Finding]:
    """Whether the gradient vanishes at any recorded moment of these trainings."""
    texts, low, high, broken = [], [], [], []
    for one in histories:
        ratios = first_to_last(one.norms)
        if np.isnan(ratios).any():
            broken.append(f"{escaped(one.label)} ({int(np.isnan(ratios).sum())} of {len(ratios)})")
        if np.isnan(ratios).all():
            continue
        least, most = int(np.nanargmin(ratios)), int(np.nanargmax(ratios))
        texts.append(f"{escaped(one.label)} between {bare(ratios[least])} and {times(ratios[most])}")
        if ratios[least] < VANISHING:
            low.append(f"{escaped(one.label)} ({bare(ratios[least])} at iteration {one.iterations[least]:,})")
        if ratios[most] > 1 / VANISHING:
            high.append(f"{escaped(one.label)} ({times(ratios[most])} at iteration {one.iterations[most]:,})")
    if not texts:
        return []
    text = f"The first layer's gradient norm beside the last layer's, over the recorded trainings: {'; '.join(texts)}. "
    return [Finding(text + _conclusion(low, high, broken, [one.model for one in histories]), not low and not high and not broken)]


def moment_text(curves: Sequence[GradientCurve]) -> str:
    """The first layer's gradient beside the last layer's in each net, as plain text, and whether one of them vanishes."""
    ratios = {curve.label: float(first_to_last(curve.values)) for curve in curves}
    texts = [f"{label} {'no number' if math.isnan(ratio) else times(ratio)}" for label, ratio in ratios.items()]
    low = [label for label, ratio in ratios.items() if ratio < VANISHING]
    end = f"It all but vanishes in {listed(low)}." if low else f"None is below 1/{1 / VANISHING:.0f}: none vanishes."
    return f"The first layer's gradient norm beside the last layer's: {'; '.join(texts)}. {end if curves else ''}".strip()


def _conclusion(low: list[str], high: list[str], broken: list[str], models: Sequence) -> str:
    parts = []
    if low:
        parts.append(f"It falls below 1/{1 / VANISHING:.0f} in {listed(low)}: there it does all but vanish, unlike what He et al. report.")
    else:
        parts.append(_explanation(models))
    if high:
        parts.append(f"It grows beyond {1 / VANISHING:.0f} times in {listed(high)}: there it is far from even, but large, not small.")
    if broken:
        parts.append(f"No number where the training diverged: {listed(broken)}.")
    return " ".join(parts)


def initialization_findings(curves: Sequence[InitializationCurve]) -> list[Finding]:
    """With BN and without, each in one finding: how the gradient changes from the last layer to the first as the nets get deeper."""
    found = []
    for batch_norm in (True, False):
        chosen = [curve for curve in curves if curve.batch_norm == batch_norm]
        if not chosen:
            continue
        plain, residual = ([c for c in chosen if c.model.is_plain == is_plain] for is_plain in (True, False))
        families = "; ".join(_by_depth(family) for family in (plain, residual) if family)
        ratios = {curve.model.name: float(first_to_last(curve.values)) for curve in chosen}
        sizes = {curve.model.name: float(np.max(curve.values)) for curve in chosen if np.isfinite(curve.values).all()}
        where = f"{'With' if batch_norm else 'Without'} BN, the first layer's gradient beside the last layer's: {families}."
        found.append(Finding(f"{where} {_at_start(ratios, sizes)}", _healthy(ratios, sizes) if batch_norm else None))
    return found


def _by_depth(curves: Sequence[InitializationCurve]) -> str:
    return ", ".join(
        f"{curve.model.name} {times(float(first_to_last(curve.values)))}"
        if np.isfinite(curve.values).all()
        else f"{curve.model.name} overflows"
        for curve in sorted(curves, key=lambda curve: curve.model.depth)
    )


def _healthy(ratios: Mapping[str, float], sizes: Mapping[str, float]) -> bool:
    even: Callable[[float], bool] = lambda ratio: VANISHING <= ratio <= 1 / VANISHING  # noqa: E731
    return len(sizes) == len(ratios) and all(map(even, ratios.values()))


def _at_start(ratios: Mapping[str, float], sizes: Mapping[str, float]) -> str:
    low = [name for name, ratio in ratios.items() if ratio < VANISHING]
    high = [name for name, ratio in ratios.items() if ratio > 1 / VANISHING]
    parts = [f"It all but vanishes in {listed(low)}." if low else "It vanishes in none of them."]
    if high:
        parts.append(f"It explodes in {listed(high)}: the opposite of vanishing.")
    huge = [f"{name} (up to {_number(size)})" for name, size in sizes.items() if size > 1_000 and name not in high]
    if huge:
        parts.append(f"It is even from layer to layer but huge in {listed(huge)}.")
    return " ".join(parts)
