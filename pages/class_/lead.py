"""What the teacher sees: the question with its answers as they come in, the next one, the trainings, the link, and the end of the class."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import streamlit as st

from pages.class_ import present
from pages.class_.asking import ask_next
from pages.class_.results import show_answers
from pages.class_.training import trainings
from pages.compare.choice import Listed
from pages.learn.shows import SMOOTHED
from pages.ui.guard import guarded
from pages.ui.labels import escaped, titled
from pages.ui.permitted import PermittedBook
from pages.ui.runs_view import REACH, all_seen, look_recorded, look_shipped
from resnet_core.classroom import keys, links, tally
from resnet_core.classroom.book import CLOSED, OPEN, Asked
from resnet_core.figures.series import run_curve
from resnet_core.language import mark, tr, tr_n
from resnet_core.nets import told_apart
from resnet_core.questions import Answer
from resnet_core.runs import RunStore

#: Seconds between two looks at the answers, and at a question that takes none: another window of the teacher's may ask the next.
POLL, SLOW_POLL = 1.0, 2.0
_STATES = {OPEN: mark("open"), CLOSED: mark("closed"), "revealed": mark("revealed")}

#: What of a training can be the true curve, over its iterations -> its metric and part.
_KINDS = {
    mark("training error"): ("error", "training"),
    mark("test error"): ("error", "test"),
    mark("training loss"): ("loss", "training"),
    mark("test loss"): ("loss", "test"),
}
#: The choice of the curve that was given when the question was asked.
_LESSON = "lesson"


def teachers_page() -> None:
    """Draw the page."""
    st.title(tr("Class"), anchor=False)
    book = PermittedBook()
    ballot, training, end = st.tabs([tr("Ballot"), tr("Trainings"), tr("Answers and end")], key="class.tab")
    with ballot, guarded(tr("Ballot")):
        _ballot(book)
    with training, guarded(tr("Trainings")):
        trainings(book, bool(training.open))
    with end, guarded(tr("Answers and end")):
        _end(book)


def _ballot(book: PermittedBook) -> None:
    asked = book.latest()
    left, right = st.columns([0.64, 0.36], gap="large")
    with left:
        if asked is None:
            st.markdown(f"## {tr('Open this address, or point a phone at the code')}")
            _link(440)
            st.fragment(_watch, run_every=SLOW_POLL)()
        else:
            _question(asked)
            st.fragment(_answers, run_every=POLL if asked.state == OPEN else SLOW_POLL)(asked)
    with right:
        if asked is not None:
            with st.popover(tr("Link and QR code"), icon=":material/qr_code_2:", width="stretch"):
                _link(360)
        st.markdown(f"## {tr('Ask')}")
        ask_next()


def _watch() -> None:
    with guarded(tr("Ballot")):
        if PermittedBook().latest() is not None:
            st.rerun()


def _link(width: int) -> None:
    link = os.environ.get(keys.LINK)
    if not link:
        st.info(tr("The link stands in the terminal where the class was started."), icon=":material/link:")
        return
    st.image(links.qr_svg(link), width=width, alt=tr("QR code of the address below"))
    st.code(link, language=None)
    st.fragment(_here, run_every=SLOW_POLL)()


def _here() -> None:
    st.caption(tr_n(present.count(), "{number} viewer is here.", "{number} viewers are here."))


def _question(asked: Asked) -> None:
    st.markdown(f"## {escaped(asked.question.text)}")


def _answers(asked: Asked) -> None:
    """The answers so far, and what can be done with the question."""
    with guarded(tr("Ballot")):
        book = PermittedBook()
        now = book.latest()
        if now != asked:
            st.rerun()
        answers = list(book.answers(asked).values())
        with st.container(horizontal=True, vertical_alignment="center"):
            values = {"question": asked.number, "state": tr(_STATES[asked.state]), "number": len(answers)}
            here = max(present.count(), len(answers))
            st.markdown(tr("Question {question}, {state}: **{number}** of {here} have answered", here=here, **values), width="content")
            shown = st.toggle(tr("Show answers live"), True, key="class.live") if asked.state == OPEN else True
            if asked.state == OPEN:
                _button(tr("Close"), "lock", "close", _close, asked)
            if asked.state == CLOSED:
                right = _right(asked)
                st.button(
                    tr("Show to all"),
                    icon=":material/visibility:",
                    type="primary",
                    key="class.reveal",
                    on_click=_reveal,
                    args=(asked, right),
                )
        if shown:
            with st.container(key="class_answers"):
                show_answers(asked, answers)


def _button(label: str, icon: str, key: str, action: Callable[..., None], *args: Any) -> None:
    st.button(label, icon=f":material/{icon}:", type="primary", key=f"class.{key}", on_click=action, args=args)


def _right(asked: Asked) -> Answer | Callable[[], Answer] | None:
    """What the teacher says is right; of a curve what gives it, as its records are read when it is shown."""
    question = asked.question
    if question.kind == "choice":
        options = list(range(len(question.options)))
        return st.selectbox(
            tr("Right answer"), options, index=asked.answer if isinstance(asked.answer, int) else None,
            format_func=lambda each: question.options[each], key=f"class.right.{question.key}", label_visibility="collapsed",
            placeholder=tr("The right answer, if there is one"), width=340,
        )  # fmt: skip
    if question.kind == "number":
        assert question.y is not None
        return st.number_input(
            tr("Right answer"), question.y.low, question.y.high, value=None, format="%g", key=f"class.right.{question.key}",
            label_visibility="collapsed", placeholder=tr("The right answer, if there is one"), width=340,
        )  # fmt: skip
    return _true_curve(asked)


def _true_curve(asked: Asked) -> Callable[[], Answer] | None:
    """A measured curve: that of the lesson where there is one, else, or instead, that of a training."""
    listed: list[Listed] = [*reversed(all_seen(RunStore().look())[-REACH:]), *look_shipped(), *look_recorded()]
    trained = {each.id: each for each in listed}
    lessons = {_LESSON: tr("The curve of the lesson")} if asked.answer is not None else {}
    key = f"class.right.{asked.question.key}"
    chosen = st.selectbox(
        tr("True curve"), [*lessons, *trained], index=0 if lessons else None, format_func=titled(lessons | told_apart(listed)), key=key,
        label_visibility="collapsed", placeholder=tr("The true curve, if there is one: of a training"), width=340,
    )  # fmt: skip
    if chosen not in trained:
        return None
    kind = st.selectbox(tr("Of it"), list(_KINDS), format_func=tr, key=f"{key}.kind", label_visibility="collapsed", width=180)

    def read() -> Answer:
        run, (metric, part) = trained[chosen].records(), _KINDS[kind]
        curve = run_curve(run, metric, part, SMOOTHED * run.config.recipe.iterations if part == "training" else 0.0)
        return tally.as_answer(asked.question, curve.iteration.tolist(), curve.y.tolist())

    return read


def _close(asked: Asked) -> None:
    with guarded(tr("Ballot")):
        PermittedBook().close(asked.number)


def _reveal(asked: Asked, right: Answer | Callable[[], Answer] | None) -> None:
    with guarded(tr("Ballot")):
        PermittedBook().reveal(asked.number, right() if callable(right) else right)


def _csv(book: PermittedBook) -> bytes:
    asked = book.asked()
    return tally.answers_csv(asked, {each.number: book.answers(each) for each in asked}, book.names()).encode("utf-8-sig")


def _end(book: PermittedBook) -> None:
    asked = book.asked()
    rows = [
        {
            tr("question"): each.number,
            tr("text"): each.question.text,
            tr("state"): tr(_STATES[each.state]),
            tr("answers"): book.count(each.number),
        }
        for each in asked
    ]
    if rows:
        st.dataframe(rows, hide_index=True)
    else:
        st.info(tr("Nothing was asked yet."), icon=":material/info:")
    # Made now and not when it is fetched: then nobody could be asked who fetches it.
    st.download_button(
        tr("All answers (CSV)"), _csv(book), "class-answers.csv", "text/csv", key="class.csv", icon=":material/download:",
        on_click="ignore", disabled=not rows,
    )  # fmt: skip
    st.markdown(f"## {tr('End of the class')}")
    st.markdown(
        tr(
            "Questions, answers, nicknames and rules stand in one file on this machine, and nowhere else. Deleting it cannot be undone. "
            "Trainings stay: they are on the Train page, without names."
        )
    )
    sure = st.checkbox(tr("Yes, delete all answers and nicknames"), key="class.sure")
    st.button(tr("Delete the class"), icon=":material/delete_forever:", key="class.delete", disabled=not sure, on_click=_delete)


def _delete() -> None:
    with guarded(tr("Deleting the class")):
        PermittedBook().delete()
        st.session_state["class.sure"] = False
        st.toast(tr("All answers and nicknames are deleted."))
