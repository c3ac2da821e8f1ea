"""Paper: its claims on CIFAR-10 row by row, our numbers beside its own, each marked by a stated criterion and nothing typed in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import streamlit as st

from pages.paper.claims_rows import as_csv, badge, cells
from pages.ui import shipped
from pages.ui.labels import escaped
from resnet_core import claims, paper
from resnet_core.architectures import ResNetConfig
from resnet_core.architectures.table import complexity
from resnet_core.claims import unlike_the_paper
from resnet_core.conditions import fraction_text
from resnet_core.figures.captions import caption, conditions, grouped
from resnet_core.language import tr, tr_n

INTRODUCTION = tr(
    "What the paper says of its CIFAR-10 nets, and what our own trainings say of it. Every value and "
    "every mark is computed from the configurations, final errors and records of the nets named below; "
    "each criterion stands beside its claim."
)


OWN = tr("Those count that have finished: the paper's nets and recipe on all of CIFAR-10, from a quarter of its schedule on.")
#: Beside the marks, where some of them say so.
NOT_AT_SCHEDULE = tr(
    "*Not yet run at the paper's schedule*: the number is one of 64,000 iterations. A shorter training "
    "that ends higher says nothing against it."
)


def marks(counts: Counter[str]) -> str:
    """A badge for each mark that occurs, with how often it does."""
    return " ".join(badge(status, counts[status]) for status in claims.STATUSES if counts[status])


def counted(include_own: bool) -> tuple[list[shipped.Trained], list[str]]:
    """The nets that the claims are judged by, and what must be said of those that are not: one sentence each."""
    problems: list[str] = []
    nets = shipped.shipped(problems)
    notes = [escaped(problem) for problem in problems]
    if include_own:
        before = len(nets)
        for trained in shipped.own():
            reason = unlike_the_paper(trained.net.config)
            if not reason:
                nets.append(trained)
            elif trained.net.config.data.dataset == "cifar10":  # those on the sample are many, and meant for something else
                notes.append(tr("Your run {name} does not count: it {reason}.", name=escaped(trained.records.name), reason=reason))
        if len(nets) == before:
            notes.append(tr("None of your own runs counts. {own}", own=OWN))
    return nets, notes


def show_nets(nets: Sequence[shipped.Trained], notes: Sequence[str]) -> None:
    """Which nets count, under which conditions, and which do not."""
    if nets:
        groups = grouped([trained.records for trained in nets], "range")
        alike = len({conditions(group) for group in groups}) == 1
        held = f"{conditions(groups[0])}." if alike else caption(groups)
        names = ", ".join(dict.fromkeys(escaped(trained.net.name) for trained in nets))
        fractions = {trained.net.config.recipe.schedule_fraction for trained in nets}
        of = fraction_text(fractions.pop()) if len(fractions) == 1 else tr("different parts of the paper's schedule")
        st.markdown(
            tr_n(
                len(groups),
                "**Judged by {number} net, trained on {of}:** {names}.  \n:small[{conditions}]",
                "**Judged by {number} nets, trained on {of}:** {names}.  \n:small[{conditions}]",
                of=of,
                names=names,
                conditions=held,
            )
        )
    else:
        st.info(
            tr(
                "No trained net ships with this copy of ResNet Lab, so what takes a training is not yet run. `make "
                "zoo` trains the nets; or train them on the Train page by the paper's recipe on all of CIFAR-10, and "
                "include your own runs here."
            ),
            icon=":material/info:",
        )
    for note in notes:
        st.caption(f":material/warning: {note}")


def main() -> None:
    st.title(tr("Paper: claim by claim"), anchor=False)
    st.markdown(INTRODUCTION)
    summary, bar = st.container(), st.container(horizontal=True, vertical_alignment="center", gap="medium")
    with bar:
        include_own = st.toggle(tr("Include my own runs"), key="own", bind="query-params", help=OWN)
    nets, notes = counted(include_own)
    counted_nets = [ResNetConfig(depth, shortcut) for depth in paper.TABLE_6 for shortcut in ("none", "A")]
    params = {model.name: complexity(model).params for model in counted_nets}
    results = claims.evaluate([trained.net for trained in nets], params)
    counts = Counter(result.status for result in results)
    with bar:
        st.download_button(
            tr("Table (CSV)"), as_csv(results), "resnet-lab-paper-claims.csv", "text/csv", key="csv", icon=":material/download:",
            on_click="ignore",
        )  # fmt: skip
    with summary:
        st.header(marks(counts), anchor=False)
        show_nets(nets, notes)
        if nets and counts[claims.NOT_AT_SCHEDULE]:
            st.caption(NOT_AT_SCHEDULE)
    st.header(tr("Claim by claim"), anchor=False)
    with st.container(key="claims", gap="xsmall"):
        for group in claims.GROUPS:
            mine = [result for result in results if result.claim.group == group]
            with st.expander(f"**{escaped(group)}**  {marks(Counter(result.status for result in mine))}"):
                st.table([cells(result) for result in mine], border="horizontal")
                if group in claims.NOTES:
                    st.caption(escaped(claims.NOTES[group]))
    st.caption(tr("The paper: {paper}. Its schedule: 64,000 iterations of 128 images.", paper=paper.PAPER))


main()
