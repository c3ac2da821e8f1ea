"""The lessons: every file is read, both languages hold the same, their numbers are those that ship; and files with faults."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from resnet_core import lessons as package
from resnet_core.claims import myths
from resnet_core.errors import DataError
from resnet_core.experiments import find_experiment
from resnet_core.language import LANGUAGES
from resnet_core.lessons import facts, fill, lessons, read, recorded
from resnet_core.nets import find

ENGLISH = lessons("en")
KEYS = [lesson.key for lesson in ENGLISH]


@pytest.fixture
def shipped(root, monkeypatch) -> None:
    """The nets that ship are there."""
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(root / "checkpoints"))


def test_there_are_lessons_of_a_class_hour_in_their_order():
    assert [lesson.number for lesson in ENGLISH] == sorted({lesson.number for lesson in ENGLISH}) and len(set(KEYS)) == len(KEYS)
    for lesson in ENGLISH:
        assert 10 <= lesson.minutes <= 20 and 3 <= len(lesson.steps) <= 8
        assert any(step.question for step in lesson.steps) and any(step.shows for step in lesson.steps)


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_lessons_are_there_in_each_language(language):
    assert [lesson.key for lesson in lessons(language)] == KEYS


@pytest.mark.parametrize("key", KEYS)
def test_the_languages_have_the_same_steps(key):
    one, other = ({lesson.key: lesson for lesson in lessons(language)}[key] for language in ("en", "zh"))
    assert (one.number, one.minutes, len(one.steps)) == (other.number, other.minutes, len(other.steps))
    for mine, theirs in zip(one.steps, other.steps, strict=True):
        assert [(show.kind, show.arguments) for show in mine.shows] == [(show.kind, show.arguments) for show in theirs.shows]
        assert [bool(show.caption) for show in mine.shows] == [bool(show.caption) for show in theirs.shows]
        assert (bool(mine.look), bool(mine.reveal), mine.truth) == (bool(theirs.look), bool(theirs.reveal), theirs.truth)
        assert [sorted(facts.places(text)) for text in mine.texts] == [sorted(facts.places(text)) for text in theirs.texts]
        assert (mine.question is None) == (theirs.question is None)
        if mine.question is not None and theirs.question is not None:
            assert (mine.question.key, mine.question.kind) == (theirs.question.key, theirs.question.kind)
            assert len(mine.question.options) == len(theirs.question.options)
            ranges = [[axis and (axis.low, axis.high) for axis in (asked.x, asked.y)] for asked in (mine.question, theirs.question)]
            assert ranges[0] == ranges[1]


@pytest.mark.parametrize("key", KEYS)
def test_chinese_is_chinese_and_numbers_can_be_filled_in(key):
    for language in LANGUAGES:
        lesson = {each.key: each for each in lessons(language)}[key]
        for step in lesson.steps:
            for text in (step.title, *map(fill, step.texts), *(step.question.options if step.question else ())):
                assert "{" not in text
                if language == "en":
                    assert not re.search(r"[\u3000-\u9fff\uff00-\uffef]", text)
                elif len(re.findall("[A-Za-z]{2,} [a-z]{2,} [a-z]{2,}", text)) > 0:
                    pytest.fail(f"English in {key}: {text}")


def test_the_texts_say_what_the_records_say(shipped):
    """Sentences of the lessons that are no code's: each of them is held here against what ships."""
    trained = _bench()
    judged = {myth.key: myths.judged(myth, trained).verdict for myth in myths.MYTHS}
    # 2: it is not overfitting, which ResNet-20 does.
    assert judged["overfitting"] == myths.CONTRADICTED
    assert float(facts.fact("clean myths ResNet-20")) < 5 and float(facts.fact("test myths ResNet-20")) > 50
    # 4: training loses the plain net's solution and keeps the residual one's; the built plain net ends far below the one from scratch.
    assert judged["capacity"] == myths.CONTRADICTED
    clean = {label: found[0].clean_error for label, found in trained.items()}
    assert clean["plain-56 grown from plain-20"] > clean["plain-20"] + 5 and clean["ResNet-56 grown from ResNet-20"] < 1
    assert clean["plain-56 grown from plain-20"] < clean["plain-56"] - 30
    # 3: without batch normalisation gradients are in order at first, and nothing is learned.
    assert judged["vanishing"] == judged["normalisation"] == myths.CONTRADICTED and clean["plain-56-nobn"] == 90.0
    # 8: the Highway net ends like the plain one, the other two fit the images.
    ends = {net: float(facts.fact(f"clean joins {net}")) for net in ("plain-56", "Highway-56", "ResNet-56", "DenseNet-BC-100-k12")}
    assert abs(ends["Highway-56"] - ends["plain-56"]) < 10 and ends["ResNet-56"] < 5 and ends["DenseNet-BC-100-k12"] < 5
    # 1: of the nets that ship, the plain ones in the order of their depths, ResNet-56 not above ResNet-20.
    errors = {net: find(net).train_error for net in ("plain-20", "plain-32", "plain-44", "plain-56", "resnet-20", "resnet-56")}
    plain = [error for net, error in errors.items() if net.startswith("plain")]
    assert plain == sorted(plain) and errors["resnet-56"] < errors["resnet-20"]


def test_the_texts_say_what_the_experiments_say(shipped):
    responses = {net: recorded.of("responses", net) for net in ("plain-20", "plain-56", "resnet-20", "resnet-56")}
    median = {net: float(np.median(found.std)) for net, found in responses.items()}
    # 6: residual nets respond more weakly than plain ones, deeper ones more weakly than shallow ones, plain ones too.
    assert median["plain-20"] > median["resnet-20"] and median["plain-56"] > median["resnet-56"]
    assert median["resnet-20"] > median["resnet-56"] and median["plain-20"] > median["plain-56"]
    ratio, changes = responses["resnet-56"].ratio, responses["resnet-56"].dimensions_change
    assert (ratio < 0.5).mean() > 0.5 and set(np.argsort(ratio)[-2:]) == {np.flatnonzero(changes)[-1], len(ratio) - 1}
    # 7: most blocks of ResNet-56 can be deleted, hardly any of plain-56; the worst to lose is where dimensions change.
    lesions = {net: recorded.of("lesions", net) for net in ("plain-56", "resnet-56", "resnet-20")}
    assert np.median(lesions["resnet-56"].increase) < 5 and np.median(lesions["plain-56"].increase) > 50
    changes, increase = np.flatnonzero(lesions["resnet-56"].dimensions_change), lesions["resnet-56"].increase
    assert set(np.argsort(increase)[-4:]) == {changes[1], changes[0] - 1, changes[1] - 1, len(increase) - 1}
    assert increase.argmax() == changes[1] and increase[changes[0]] < 5
    assert np.median(lesions["resnet-20"].increase) > np.median(lesions["resnet-56"].increase) + 10
    paths = recorded.of("paths", "resnet-56")
    assert float(paths.share @ np.arange(paths.n + 1)) < float(paths.paths @ np.arange(paths.n + 1)) - 2
    # 3: shattered in plain-56 at first, not in ResNet-56, and in neither when trained.
    nearest = {net: _nearest(recorded.of("shattered", net)) for net in ("plain-56", "resnet-56")}
    assert nearest["plain-56"]["initial with BN"] < 0.2 < 0.7 < nearest["resnet-56"]["initial with BN"]
    assert min(of["trained"] for of in nearest.values()) > 0.9
    # 5: B ends lower than A in the two trainings that ship.
    a, b = find("resnet-20"), find("resnet-20-b")
    assert b.train_error < a.train_error and b.test_error < a.test_error


def _nearest(found) -> dict[str, float]:
    """The autocorrelation at the next input, by the words of each variant of a net."""
    return {variant.words: found.at(index, 1) for index, variant in enumerate(found.variants)}


def _bench():
    from pages.ui.recorded import recorded as shipped

    runs = [(run, run.result or {}) for run in shipped("myths").runs]
    return myths.sorted_out(myths.Trained(r.run_id, r.config, end["clean_train_error"], end["test_error"], r.records) for r, end in runs)


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("params ResNet-56", "853,018"), ("macs plain-20", "40,551,040"), ("layers plain-56", "56"), ("params-m ResNet-20", "0.27"),
        ("macs-g ResNet-152-ImageNet", "11.3"), ("times params plain-56 plain-20", "3.2"), ("clean myths plain-56", "71.7"),
        ("published ten-crops plain-34-ImageNet", "28.54"), ("published he ResNet-110", "6.43"),
    ],
)  # fmt: skip
def test_facts(place, text):
    assert fill(f"It is {{{place}}}.") == f"It is {text}."


@pytest.mark.parametrize(
    "place", ["unheard of", "params", "clean myths ResNet-1202", "published ten-crops ResNet-20", "clean nothing plain-20"]
)
def test_what_is_no_fact_is_said(place):
    with pytest.raises(DataError, match=re.escape(place)):
        fill(f"{{{place}}}")


GOOD = """---
title: A title
minutes: 10
about: What it is about.
---

## First step

Some text.

:::question ends choice
Which?
- one
- two
:::

:::show curves set=demo nets=plain-20,plain-56
A caption.
:::

:::reveal
That.
:::
"""


def written(folder: Path, text: str, name: str = "01-a-lesson.md") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_lesson_is_read_from_a_file(tmp_path):
    lesson = read(written(tmp_path, GOOD))
    (step,) = lesson.steps
    assert (lesson.key, lesson.number, lesson.title, lesson.minutes) == ("a-lesson", 1, "A title", 10)
    assert (step.title, step.text, step.reveal, step.look) == ("First step", "Some text.", "That.", "")
    assert step.question is not None and step.question.options == ("one", "two")
    assert step.shows[0].nets == ("plain-20", "plain-56") and step.shows[0].caption == "A caption."


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("---\ntitle", "title", 1, "header"),
        ("title: A title\n", "", 4, "“title”"),
        ("minutes: 10", "minutes: ten", 5, "whole number"),
        ("minutes: 10", "author: me", 3, "title, minutes, about"),
        ("about: What it is about.\n---\n", "about: x\n", 5, "title, minutes, about"),
        ("## First step", "First step", 7, "before the first step"),
        ("- two\n:::", "- two", 11, "not closed"),
        (":::question ends choice", ":::quiz ends choice", 11, "'quiz'"),
        (":::question ends choice", ":::question ends", 11, "KEY KIND"),
        (":::question ends choice", ":::question Ends! choice", 11, "small letters"),
        (":::question ends choice", ":::question ends essay", 11, "“- ”"),
        ("- two\n", "", 11, "at least two"),
        ("Which?\n", "", 11, "no text"),
        ("- one", "y: low high error", 12 + 1, "LOW HIGH LABEL"),
        (":::show curves", ":::show pie", 17, "'pie'"),
        (" nets=plain-20,plain-56", "", 17, "name=value"),
        (" set=demo", " set=demo colour=red", 17, "name=value"),
        ("plain-20,plain-56", "plain-21", 17, "21"),
        (":::show curves set=demo nets=plain-20,plain-56", ":::show truth set=demo nets=plain-20", 7, "drawn curve"),
        (":::reveal", ":::question more choice", 21, "already"),
        (":::reveal", ":::reveal now", 21, "no arguments"),
        ("Some text.", "", 7, "no text"),
        ("Some text.", "It is {wrong plain-20}.", 7, "'wrong plain-20'"),
        ("Which?", "Which?\ntruth: 3", 11, "for a number"),
        ("- one", "- {params plain-20}", 11, "no places"),
    ],
)
def test_a_fault_is_told_with_its_file_and_line(tmp_path, old, new, line, words):
    assert old in GOOD
    path = written(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(DataError, match=re.escape(f"{path}, line {line}: ")) as told:
        read(path)
    assert words in str(told.value)


def test_a_file_that_is_no_lesson(tmp_path):
    with pytest.raises(DataError, match="line 5: the lesson has no step"):
        read(written(tmp_path, GOOD.partition("\n## ")[0]))
    with pytest.raises(DataError, match="named like"):
        read(written(tmp_path, GOOD, "lesson.md"))
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path / "01-missing.md")
    with pytest.raises(DataError, match="same key"):
        read(written(tmp_path, GOOD + GOOD[GOOD.index("## ") :]))


@dataclass(frozen=True, eq=False)
class Odd:
    """Not of this project."""

    value: int


def test_results_of_experiments_come_back():
    from resnet_core.experiments.lesions import Lesions

    found = Lesions(("layer1.0", "layer1.1"), np.array([False, True]), np.array([3, 4]), 2, 10)
    back = recorded.decoded(json.loads(json.dumps(recorded.encoded(found))))
    assert (back.blocks, back.whole, back.n) == (found.blocks, 2, 10)
    assert back.wrong.dtype == np.int64 and back.wrong.tolist() == [3, 4] and back.dimensions_change.tolist() == [False, True]
    with pytest.raises(ValueError, match="no dataclass of this project"):
        recorded.decoded(recorded.encoded(Odd(1)))


def test_every_experiment_of_a_lesson_ships_with_the_weights_that_ship(shipped):
    shows = [show for lesson in ENGLISH for step in lesson.steps for show in step.shows if show.kind == "experiment"]
    assert shows
    for show in shows:
        experiment = find_experiment(show.arguments["key"])
        for name in show.nets:
            net = find(name)
            found = recorded.result(experiment, net, recorded.given(experiment, show))
            assert found is not None, f"{experiment.key} of {name}: run python -m resnet_core.lessons {experiment.key}"
            assert experiment.functions.finding([found])
    assert sum(path.stat().st_size for path in recorded.FOLDER.glob("*.json")) < 300_000


def test_a_result_is_not_used_with_other_weights_or_parameters(shipped):
    experiment, net = find_experiment("construction"), find("plain-20")
    assert recorded.result(experiment, net, {}) is not None
    assert recorded.result(experiment, net, {"rounds": 7}) is None
    net.card["checksum_sha256"] = "0" * 64
    assert recorded.result(experiment, net, {}) is None


def test_the_folder_has_nothing_that_is_not_read():
    folder = Path(package.__file__).parent
    assert {path.parent.name for path in folder.glob("*/*.md")} == set(LANGUAGES)
