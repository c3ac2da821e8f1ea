"""What the layers of the chosen nets show, as sentences made of their numbers: also where they do not show what the paper reports."""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from pages.ui.labels import escaped, listed
from resnet_core.claims.inside import TOO_CLOSE, VANISHED, WHY_LARGE, range_text, ratio_text, smaller
from resnet_core.figures.gradients import GradientCurve, GradientHistory, InitializationCurve
from resnet_core.figures.responses import ResponseCurve
from resnet_core.language import tr


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


def text(findings: Iterable[Finding]) -> str:
    """The same in one line, for those who do not see the chart that they are of."""
    return " ".join(finding.text for finding in findings)


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


def _plain_against_residual(curves: Sequence[ResponseCurve], alike: Mapping[str, Hashable], medians: Mapping[str, float]) -> Finding | None:
    pairs = [
        (plain, residual)
        for plain in curves
        for residual in curves
        if plain.model.is_plain
        and not residual.model.is_plain
        and plain.model.depth == residual.model.depth
        and plain.model.kin == residual.model.kin
        and alike[plain.key] == alike[residual.key]
    ]
    if not pairs:
        return None
    text = "; ".join(
        tr("{median_text} against {median_text2}", median_text=_median_text(residual, medians), median_text2=_median_text(plain, medians))
        for plain, residual in pairs
    )
    signs = {smaller(medians[residual.key], medians[plain.key]) for plain, residual in pairs}
    if signs == {1}:
        end = tr("Residual nets respond less than their plain twins, as in the paper.")
    elif 1 in signs and -1 in signs:
        end = tr("Not in every pair does the residual net respond less; in the paper it generally does.")
    elif 1 not in signs and -1 in signs:
        end = tr("Here the residual nets do not respond less than their plain twins, unlike in the paper.")
    else:
        end = TOO_CLOSE
    return Finding(tr("Median over the layers: {text}. {end}", text=text, end=end), _holds(signs))


def _deeper(curves: Sequence[ResponseCurve], alike: Mapping[str, Hashable], medians: Mapping[str, float]) -> Finding | None:
    families: dict[Hashable, list[ResponseCurve]] = {}
    for curve in curves:
        if not curve.model.is_plain:
            families.setdefault((curve.model.series, alike[curve.key]), []).append(curve)
    texts, signs = [], set()
    for family in families.values():
        family.sort(key=lambda curve: curve.model.depth)
        if len({curve.model.depth for curve in family}) > 1:
            texts.append(", ".join(_median_text(curve, medians) for curve in family))
            steps = [(a, b) for a, b in itertools.pairwise(family) if a.model.depth < b.model.depth]
            signs |= {smaller(medians[b.key], medians[a.key]) for a, b in steps}
    if not texts:
        return None
    if signs == {1}:
        end = tr("The deeper the residual net, the smaller its responses, as in the paper: each layer changes the signal less.")
    elif -1 in signs:
        end = tr("Not every deeper residual net responds less than the shallower one here; in the paper it does.")
    else:
        end = TOO_CLOSE
    return Finding(tr("Median over the layers by depth: {texts}. {end}", texts="; ".join(texts), end=end), _holds(signs))


def _holds(signs: set[int]) -> bool | None:
    """True if all comparisons are clearly as in the paper, False if one is clearly the contrary, None if it is too close to tell."""
    return True if signs == {1} else False if -1 in signs else None


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
    text = ", ".join(f"{escaped(curve.label)} **{median:.2f}**{_before(curve)}" for curve, median in medians)
    if all(median < 1 for _, median in medians):
        end = tr("F(x) is smaller than x: a block adds a change to its input rather than replacing it. What was so before is not learned.")
    else:
        large = [escaped(curve.label) for curve, median in medians if median >= 1]
        end = tr("F(x) is not smaller than x in {listed}.", listed=listed(large))
    return Finding(tr("Size of F(x) beside x, median over the blocks that keep the dimensions: {text}. {end}", text=text, end=end), None)


def _before(curve: ResponseCurve) -> str:
    """`` (0.40 before its first update)``, where that was measured."""
    if not len(curve.untrained):
        return ""
    kept = np.asarray(curve.untrained)[~np.asarray(curve.dimensions_change, dtype=bool)]
    return tr(" ({median:.2f} before its first update)", median=float(np.median(kept)))


# Gradients


def to_last(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(..., L) -> two (...): the smallest and the largest gradient of a layer over the last layer's; NaN where one is no number.

    The criterion of the Paper page (``claims.inside``): no layer's is below ``VANISHED`` of the last one's, none above its inverse.
    """
    values = np.asarray(values, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = values / values[..., -1:]
    whole = np.isfinite(ratios).all(-1)
    return np.where(whole, ratios.min(-1), np.nan), np.where(whole, ratios.max(-1), np.nan)


def _explanation(models: Iterable) -> str:
    """What follows from gradients that do not vanish."""
    plain = {model.is_plain for model in models}
    where = tr("with and without shortcuts") if plain == {True, False} else tr("although there are no shortcuts") if plain == {True} else ""
    text = tr("The gradient does not vanish on its way to the first layer{where}", where=", " + where if where else "")
    if True not in plain:
        return f"{text}."
    return tr(
        "{text}; so vanishing gradients do not explain degradation (He et al., section 4.1). What does is an open question.", text=text
    )


def training_findings(histories: Sequence[GradientHistory]) -> list[Finding]:
    """Whether the gradients vanish or explode at any recorded moment of these trainings: one finding of all."""
    texts, low, high, broken = [], [], [], []
    for one in histories:
        smallest, largest = to_last(one.norms)
        if np.isnan(smallest).any():
            broken.append(
                tr(
                    "{label} ({isnan} of {smallests})",
                    label=escaped(one.label),
                    isnan=int(np.isnan(smallest).sum()),
                    smallests=len(smallest),
                )
            )
        if np.isnan(smallest).all():
            continue
        least, most = int(np.nanargmin(smallest)), int(np.nanargmax(largest))
        texts.append(f"{escaped(one.label)} {range_text(smallest[least], largest[most])}")
        if smallest[least] < VANISHED:
            low.append(
                tr(
                    "{label} ({ratio_text} at iteration {iterations:,})",
                    label=escaped(one.label),
                    ratio_text=ratio_text(smallest[least]),
                    iterations=one.iterations[least],
                )
            )
        if largest[most] > 1 / VANISHED:
            high.append(
                tr(
                    "{label} ({ratio_text} times at iteration {iterations:,})",
                    label=escaped(one.label),
                    ratio_text=ratio_text(largest[most]),
                    iterations=one.iterations[most],
                )
            )
    if not texts:
        return []
    text = tr("Each layer's gradient norm beside the last layer's, over the recorded trainings: {texts}. ", texts="; ".join(texts))
    return [Finding(text + _conclusion(low, high, broken, [one.model for one in histories]), not low and not high and not broken)]


def moment_text(curves: Sequence[GradientCurve]) -> str:
    """Each layer's gradient beside the last layer's in each net, and whether one of them vanishes or explodes. Plain text."""
    ratios = {curve.label: tuple(map(float, to_last(curve.values))) for curve in curves}
    texts = [f"{label} {tr('no number') if math.isnan(low) else range_text(low, high)}" for label, (low, high) in ratios.items()]
    small = [label for label, (low, _) in ratios.items() if low < VANISHED]
    large = [label for label, (_, high) in ratios.items() if high > 1 / VANISHED]
    ends = [
        tr("It all but vanishes in {listed}.", listed=listed(small))
        if small
        else tr("None is below 1/{vanished:.0f}: none vanishes.", vanished=1 / VANISHED)
    ]
    if large:
        ends.append(
            tr("It is more than {vanished:.0f} times as large in {listed}: it explodes there.", vanished=1 / VANISHED, listed=listed(large))
        )
    norms = tr("Each layer's gradient norm beside the last layer's: {texts}.", texts="; ".join(texts))
    return " ".join([norms, *(ends if curves else ())])


def _conclusion(low: list[str], high: list[str], broken: list[str], models: Sequence) -> str:
    parts = []
    if low:
        parts.append(
            tr(
                "It falls below 1/{vanished:.0f} in {listed}: there it all but vanishes, unlike what He et al. report.",
                vanished=1 / VANISHED,
                listed=listed(low),
            )
        )
    else:
        parts.append(_explanation(models))
    if high:
        parts.append(
            tr(
                "It grows beyond {vanished:.0f} times in {listed}: it is large there, not small. {why_large}",
                vanished=1 / VANISHED,
                listed=listed(high),
                why_large=WHY_LARGE,
            )
        )
    if broken:
        parts.append(tr("No number where the training diverged: {listed}.", listed=listed(broken)))
    return " ".join(parts)


def initialization_findings(curves: Sequence[InitializationCurve], of_weights: bool = True) -> list[Finding]:
    """With BN and without, each in one finding: how the gradient changes from the last layer to the first as the nets get deeper.

    Args:
        of_weights: whether the gradients are those of the weights; else the backward signal's, of the responses.
    """
    found = []
    what = tr("each layer's gradient") if of_weights else tr("the backward signal at each layer")
    for batch_norm in (True, False):
        chosen = [curve for curve in curves if curve.batch_norm == batch_norm]
        if not chosen:
            continue
        plain, residual = ([c for c in chosen if c.model.is_plain == is_plain] for is_plain in (True, False))
        families = "; ".join(_by_depth(family) for family in (plain, residual) if family)
        pairs = {curve.model.name: to_last(curve.values) for curve in chosen}
        ratios = {name: (float(smallest), float(largest)) for name, (smallest, largest) in pairs.items()}
        sizes = {curve.model.name: float(np.max(curve.values)) for curve in chosen if np.isfinite(curve.values).all()}
        where = (
            tr("With BN, {what} beside the last layer's: {families}.", what=what, families=families)
            if batch_norm
            else tr("Without BN, {what} beside the last layer's: {families}.", what=what, families=families)
        )
        found.append(Finding(f"{where} {_at_start(ratios, sizes, of_weights)}", _healthy(ratios, sizes) if batch_norm else None))
    return found


def _by_depth(curves: Sequence[InitializationCurve]) -> str:
    return ", ".join(
        f"{curve.model.name} {range_text(*map(float, to_last(curve.values)))}"
        if np.isfinite(curve.values).all()
        else tr("{name} overflows", name=curve.model.name)
        for curve in sorted(curves, key=lambda curve: curve.model.depth)
    )


def _healthy(ratios: Mapping[str, tuple[float, float]], sizes: Mapping[str, float]) -> bool:
    return len(sizes) == len(ratios) and all(low >= VANISHED and high <= 1 / VANISHED for low, high in ratios.values())


def _at_start(ratios: Mapping[str, tuple[float, float]], sizes: Mapping[str, float], of_weights: bool) -> str:
    low = [name for name, (smallest, _) in ratios.items() if smallest < VANISHED]
    high = [name for name, (_, largest) in ratios.items() if largest > 1 / VANISHED]
    parts = [tr("It all but vanishes in {listed}.", listed=listed(low)) if low else tr("It vanishes in none of them.")]
    if high:
        parts.append(tr("It explodes in {listed}: the opposite of vanishing.", listed=listed(high)))
    huge = [
        tr("{name} (up to {number})", name=name, number=_number(size)) for name, size in sizes.items() if size > 1_000 and name not in high
    ]
    if huge and of_weights:
        parts.append(
            tr(
                "The weights' gradients are even from layer to layer but huge in {listed}. That holds for the "
                "weights only: the backward signal itself (choose “responses”) grows from the last layer to the "
                "first.",
                listed=listed(huge),
            )
        )
    return " ".join(parts)
