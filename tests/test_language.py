"""Languages: what is said without a catalogue, in which language a thread speaks, and errors that are read in another one than raised."""

from __future__ import annotations

import pickle
import threading

import pytest

from resnet_core import language
from resnet_core.errors import ConfigError, DataError


@pytest.fixture
def whom(monkeypatch):
    """Sets what tells whom a thread serves, for this test."""

    def serve(language_of):
        monkeypatch.setattr(language, "_serves", language_of)

    return serve


def in_a_thread(work):
    """What ``work`` returns in a thread that has said nothing about languages."""
    found = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]


def test_sentences_are_as_they_stand_in_english():
    assert language.tr("{done:,} of {total:,} images", done=1, total=2000) == "1 of 2,000 images"
    assert language.tr("100 % {as it stands}") == "100 % {as it stands}"
    assert language.tr("") == ""
    assert [language.tr_n(n, "{number} seed", "{number} seeds") for n in (0, 1, 2)] == ["0 seeds", "1 seed", "2 seeds"]


@pytest.mark.parametrize(
    ("locale", "spoken"),
    [("zh", "zh"), ("zh-CN", "zh"), ("zh_Hans_CN", "zh"), ("en-GB", "en"), ("de", "en"), ("", "en"), (None, "en"), ("ZH-tw", "zh")],
)
def test_the_nearest_language_of_a_browser(locale, spoken):
    assert language.nearest(locale) == spoken


def test_a_thread_speaks_the_language_of_whom_it_serves(whom):
    whom(lambda: "zh")
    assert in_a_thread(language.current) == "zh"
    whom(lambda: None)
    assert in_a_thread(language.current) == "en"
    whom(lambda: "xx")
    assert in_a_thread(language.current) == "en"


def test_a_language_lasts_in_its_thread_alone():
    def work():
        language.use("zh")
        return language.current()

    assert in_a_thread(work) == "zh"
    assert language.current() == "en"


def test_an_error_tells_its_values_and_survives_a_process_border():
    error = pickle.loads(pickle.dumps(DataError("{path}: {size:,} bytes", path="a.bin", size=3073)))
    assert (str(error), error.values) == ("a.bin: 3,073 bytes", {"path": "a.bin", "size": 3073})
    field = pickle.loads(pickle.dumps(ConfigError("depth", "{depth} is too deep", depth=9)))
    assert (str(field), field.field) == ("depth: 9 is too deep", "depth")
    assert str(DataError("a {brace} stays where there are no values")) == "a {brace} stays where there are no values"


def test_what_was_kept_in_english_is_retold(whom):
    """A run's message was written by a worker, and a model card's notes when it was imported: neither knew who would read it."""
    whom(lambda: "zh")
    kept = "The loss was no longer a finite number at iteration 1,200. Lower the learning rate, or warm it up."
    assert in_a_thread(lambda: language.retold(kept)) == "第 1,200 次迭代时损失不再是有限数。请降低学习率，或采用预热。"
    nested = "Run plain-20-s0 cannot be read: it has been deleted."
    assert in_a_thread(lambda: language.retold(nested)) == "训练 plain-20-s0 无法读取：它已被删除。"
    assert in_a_thread(lambda: language.retold("Finished 352 iterations.")) == "完成 352 次迭代。"
    assert in_a_thread(lambda: language.retold("Somebody else's words.")) == "Somebody else's words."
    assert in_a_thread(lambda: language.retold("")) == ""
    whom(lambda: "en")
    assert in_a_thread(lambda: language.retold(kept)) == kept


def test_a_link_of_another_language_is_said_again(whom):
    whom(lambda: "zh")
    assert in_a_thread(lambda: [language.again(text) for text in ("mean and range", "均值与范围", "plain-56")]) == [
        "均值与范围",
        "均值与范围",
        "plain-56",
    ]
    whom(lambda: "en")
    assert in_a_thread(lambda: [language.again(text) for text in ("均值与范围", "人名")]) == ["mean and range", "人名"]


def test_a_declared_sentence_is_english_as_a_value_and_translated_in_a_text(whom):
    whom(lambda: "zh")
    shown = language.mark("{count} seeds", count=3)
    assert shown == "3 seeds" and {"3 seeds": 1}[shown] == 1
    assert in_a_thread(lambda: (str(shown), f"{shown}", language.tr(shown))) == ("3 个种子",) * 3
    nested = language.mark("{title}: {error}", title="a", error=language.mark("The file is empty. {expected}", expected="b"))
    assert nested == "a: The file is empty. b"
    assert in_a_thread(lambda: str(nested)) == "a：文件是空的。b"
    copied = pickle.loads(pickle.dumps(shown))
    assert in_a_thread(lambda: str(copied)) == "3 个种子"
