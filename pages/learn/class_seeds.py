"""The seed bank on one page: a seed for each viewer, what the seeds of a class say together, and how many of them a claim takes."""

from __future__ import annotations

import streamlit as st

from pages.learn import seeds
from pages.learn.scene import Scene
from pages.ui.answering import answer_widget
from pages.ui.guard import guarded
from pages.ui.labels import titled
from pages.ui.linked import Linked
from resnet_core.claims.seed_bank import ERRORS, bank
from resnet_core.language import tr
from resnet_core.lessons import Show
from resnet_core.questions import Axis, Question

_VIEW, _OPEN = Linked("learn.view", "open"), "seeds"
_ERROR = Linked("learn.bank.error", "error")
_KEY = "learn.bank.page"


def is_open() -> bool:
    """Whether the address asks for this page."""
    return _VIEW.current(list) == [_OPEN]


def invitation() -> None:
    """What leads here, below the lessons."""
    if not bank():
        return
    with st.container(border=True):
        st.markdown(f"## {tr('The seed bank')}")
        text = tr(
            "The demo's four trainings with {count} seeds. Take one for yourself, see it beside all the others, and find out how many "
            "seeds a claim takes.",
            count=len(bank()),
        )
        st.markdown(text)
        st.button(tr("Take a seed"), icon=":material/casino:", key="learn.seeds", on_click=_VIEW.choose, args=([_OPEN],))


def main() -> None:
    """Draw the page."""
    st.title(tr("The seed bank"), anchor=False)
    st.button(tr("All lessons"), icon=":material/list:", key="learn.list", type="tertiary", on_click=_VIEW.choose, args=([],))
    with guarded(tr("The seed bank")):
        st.markdown(
            tr(
                "Two trainings that differ in the seed alone, that is in the first weights and in the order of the images, end "
                "differently. Here are {count} seeds of the demo. One of them is yours; the link in the address bar keeps it.",
                count=len(bank()),
            )
        )
        seeds.yours(Show("seeds", {"part": "yours"}), Scene(f"{_KEY}.yours", None, None, False))
        st.header(tr("All seeds together"), anchor=False)
        seeds.gaps(Show("seeds", {"part": "gaps", "error": _error()}), Scene(f"{_KEY}.gaps", None, None, False))
        st.header(tr("How many seeds before you may claim it?"), anchor=False)
        _needed()


def _error() -> str:
    """Which error the seeds are compared by."""
    asked, key = _ERROR.current(lambda: ["clean"]), f"{_KEY}.error"
    chosen = asked[0] if asked and asked[0] in ERRORS else "clean"
    st.session_state[key] = chosen

    def choose() -> None:
        _ERROR.choose([st.session_state[key] or chosen])  # a second click on what is chosen chooses nothing

    st.segmented_control(tr("Compare them by"), list(ERRORS), format_func=titled(ERRORS), key=key, on_change=choose)
    return chosen


def _needed() -> None:
    question = Question(
        "needed",
        tr(
            "Suppose the deeper net ends worse with {first} of 100 seeds. How many seeds does it take, so that a sign test finds it with a "
            "probability of 80 %, whatever further seeds are added?",
            first=seeds.FIRST,
        ),
        "number",
        y=Axis(tr("seeds"), 1, 200),
    )
    st.markdown(
        tr(
            "A sign test asks how likely so uneven a count is if either net is the worse one by the toss of a coin. One claims something "
            "when that is at most 5 %, both directions counted. Guess first."
        )
    )
    answer = answer_widget(question, f"{_KEY}.needed")
    if answer is not None:
        seeds.needed(Show("seeds", {"part": "needed"}), Scene(f"{_KEY}.power", question, answer, False))
