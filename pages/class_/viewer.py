"""What a student sees: the question that is open, their own answer, and in the end what all have answered."""

from __future__ import annotations

import streamlit as st

from pages.class_.results import in_words, show_answers
from pages.ui.answering import answer_widget
from pages.ui.figure_chart import figure_chart
from pages.ui.guard import guarded
from pages.ui.labels import escaped
from pages.ui.permitted import PermittedBook, person
from pages.ui.runs_view import all_seen
from pages.ui.turns import say_turns
from resnet_core.classroom.book import MAX_NAME, OPEN, REVEALED, Asked
from resnet_core.figures.ballot import curves_figure
from resnet_core.language import mark, tr, tr_n
from resnet_core.questions import Answer
from resnet_core.runs import RunStore

#: Seconds between two looks for another question.
POLL = 2.0
#: In the session: the key of the question whose answer is being changed; how often that was done.
_CHANGING, _TURN = "class.changing", "class.turn"


def viewers_page() -> None:
    """Draw the page."""
    st.title(tr("Class"), anchor=False)
    book = PermittedBook()
    asked = book.latest()
    if asked is None:
        st.info(tr("There is no question yet. It appears here by itself as soon as the teacher asks one."), icon=":material/hourglass_top:")
    else:
        _question(book, asked)
    st.fragment(_watch, run_every=POLL)(asked)
    _nickname(book)


def _watch(seen: Asked | None) -> None:
    """Looks every two seconds whether there is something else to be shown than what the page was drawn with; tells of one's trainings."""
    with guarded(tr("Class")):
        if PermittedBook().latest() != seen:
            st.rerun()
        say_turns(all_seen(RunStore().look()))


def _question(book: PermittedBook, asked: Asked) -> None:
    question, mine = asked.question, book.answer_of(asked, person().id)
    if asked.state == OPEN and (mine is None or st.session_state.get(_CHANGING) == question.key):
        _answer(book, asked)
        return
    st.markdown(f"**{escaped(question.text)}**")
    if asked.state == REVEALED:
        # One's own comes last, and so lies above all others.
        answers = book.answers(asked)
        show_answers(asked, [each for viewer, each in answers.items() if viewer != person().id] + ([] if mine is None else [mine]))
    if mine is not None:
        _show_own(asked, mine)
    if asked.state == OPEN:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f":material/check_circle: {tr('It has arrived, and can be changed until the question is closed.')}")
            st.button(tr("Change it"), icon=":material/edit:", key="class.change", on_click=_change, args=(question.key,))
    elif asked.state != REVEALED:
        one = mark("The question is closed; {number} answer came in. What all have answered appears here when the teacher shows it.")
        many = mark("The question is closed; {number} answers came in. What all have answered appears here when the teacher shows it.")
        st.info(tr_n(book.count(asked.number), one, many), icon=":material/lock_clock:")


def _show_own(asked: Asked, mine: Answer) -> None:
    if not isinstance(mine, tuple):
        st.markdown(tr("Your answer: **{answer}**", answer=escaped(in_words(asked.question, mine))))
    elif asked.state != REVEALED:
        light, dark = (curves_figure(asked.question, [mine], dark=night) for night in (False, True))
        figure_chart(light, dark, key=f"class.own.{asked.question.key}")


def _answer(book: PermittedBook, asked: Asked) -> None:
    """The question with what it is answered by. What is given counts at once."""
    turn = st.session_state.get(_TURN, 0)
    answer = answer_widget(asked.question, f"class.answer.{turn}")
    if answer is not None:
        book.answer(asked.number, person().id, answer)
        st.session_state.pop(_CHANGING, None)
        st.rerun()


def _change(key: str) -> None:
    """Takes an answer up again, with a widget that has none yet."""
    st.session_state[_CHANGING] = key
    st.session_state[_TURN] = st.session_state.get(_TURN, 0) + 1


def _nickname(book: PermittedBook) -> None:
    who = person().id
    with st.expander(tr("Nickname"), icon=":material/badge:"):
        st.caption(
            tr(
                "Only if you like: the teacher sees it beside your trainings and answers. It is kept with the answers of the class, "
                "and goes when the teacher deletes them."
            )
        )
        name = st.text_input(
            tr("Nickname"), book.names().get(who, ""), max_chars=MAX_NAME, key="class.nickname", label_visibility="collapsed"
        )
        if st.button(tr("Keep it"), key="class.nickname.keep"):
            with guarded(tr("Nickname")):
                book.set_name(who, name)
                st.toast(tr("Kept."))
