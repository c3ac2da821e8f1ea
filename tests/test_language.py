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
