"""What a look at all runs costs: of those that have ended nothing is read twice, and nothing is missed when it changes."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from resnet_core.config import demo_configs
from resnet_core.runs import RunStore, ends, files, looking, records
from tests.page_tools import app, write_run
from tests.runs_tools import config, put, train_row


@pytest.fixture
def store(monkeypatch) -> RunStore:
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    return RunStore()


@pytest.fixture
def read(monkeypatch) -> list[Path]:
    """The files that were opened for reading since."""
    opened, open_regular = [], files.open_regular
    monkeypatch.setattr(files, "open_regular", lambda path: opened.append(Path(path)) or open_regular(path))
    return opened


def age(store: RunStore) -> None:
    """Makes all files as old as those of another day."""
    for path in store.home.glob("[a-z]*/*.json*"):
        os.utime(path, (1e9, 1e9))


def ended(store: RunStore, count: int) -> list:
    runs = [write_run(store, config(seed), 40.0 + seed) for seed in range(count)]
    age(store)
    return runs


def test_of_runs_that_have_ended_nothing_is_read_twice(store, read, monkeypatch):
    monkeypatch.setattr(records, "_READERS_KEPT", 3)  # more runs than that are no reason to read all again
    runs = ended(store, 8)
    first = store.look()
    assert {path.name for path in read} >= {"run.json", "state.json", "records.jsonl"}
    read.clear()
    again = RunStore().look()
    assert read == [] and again.runs == first.runs and [run for run, _ in again.runs] == runs
    assert [status.last_test["test_error"] for _, status in again.runs] == [42.0 + seed for seed in range(8)]


@pytest.mark.parametrize("file", ["run.json", "state.json", "meta.json", "records.jsonl"])
def test_what_changes_is_seen(store, file):
    run, other = ended(store, 2)
    store.look()
    content = (run.path / file).read_text()
    changed = {
        "run.json": content.replace('"created": "2', '"created": "1'),
        "state.json": content.replace('"finished"', '"failed"'),
        "meta.json": '{"name": "mine"}',
        "records.jsonl": content + json.dumps(train_row(60, train_error=1.5)) + "\n",
    }[file]
    assert changed != content
    (run.path / file).write_text(changed)  # in place, by hand
    found = dict(store.look().runs)
    seen = next(each for each in found if each == run)
    told = {
        "run.json": seen.created[0] == "1",
        "state.json": found[run].state == "failed",
        "meta.json": seen.name == "mine",
        "records.jsonl": found[run].last_train["train_error"] == 1.5,
    }
    assert told[file] and found[other].state == "finished"
    (run.path / file).unlink()
    assert (run in dict(store.look().runs)) == (file in ("meta.json", "records.jsonl"))


def test_a_run_that_is_trained_again_is_followed(store):
    (run,) = ended(store, 1)
    put(store, run, state="stopped")
    age(store)
    assert store.look().runs[0][1].state == "stopped"
    store.resume(run.id)
    assert [(status.state, status.place) for _, status in store.look().runs] == [("queued", 1)]
    store.delete(run.id)
    assert store.look().runs == []


def another_process() -> None:
    """Nothing is known any more but what is on disk."""
    ends._at.clear()
    ends._kept.known.clear()
    looking._ENDED.clear()


@pytest.mark.parametrize("index", ["whole", "missing", "{", '{"a": 1}', "[]", "cut", "of other records", "wrong types"])
def test_another_process_need_not_parse_them_again(store, read, index):
    runs = ended(store, 3)
    first = store.look().runs
    another_process()
    read.clear()
    path = store.home / ends.INDEX
    content = path.read_text()
    if index == "missing":
        path.unlink()
    elif index == "cut":
        path.write_text(content[: len(content) // 2])
    elif index == "of other records":
        values = json.loads(content)
        path.write_text(json.dumps({name: [[1, 2, 3], entry[1]] for name, entry in values.items()}))
    elif index == "wrong types":
        path.write_text(content.replace('"train_error":', '"train_error":"x","y":'))
    elif index != "whole":
        path.write_text(index)
    assert store.look().runs == first
    parsed = [file.parent.name for file in read if file.name == "records.jsonl"]
    assert parsed == ([] if index == "whole" else [run.id for run in runs])


def test_a_home_that_cannot_be_written_goes_without_an_index(store, monkeypatch):
    ended(store, 2)
    another_process()
    monkeypatch.setattr(ends.Path, "write_text", lambda *_, **__: (_ for _ in ()).throw(PermissionError(13, "no")))
    assert len(store.look().runs) == 2


@pytest.mark.parametrize("page", [None, "pages/train.py", "pages/responses.py"])
def test_a_page_looks_at_its_home_once_a_draw(store, root, monkeypatch, page):
    for seed, each in enumerate(demo_configs(3)):
        write_run(store, each, 40.0 + seed)
    shown = app(root, monkeypatch, page).run()
    looks, names = [], looking.run_names
    monkeypatch.setattr(looking, "run_names", lambda home: looks.append(home) or names(home))
    shown.run()
    assert not shown.exception and not shown.error
    assert len(looks) == 1


def test_several_viewers_look_while_runs_come_and_go(store):
    ended(store, 6)
    problems: list[BaseException] = []
    over = threading.Event()

    def view() -> None:
        while not over.is_set():
            try:
                assert store.look().broken == []
            except BaseException as error:
                problems.append(error)
                return

    viewers = [threading.Thread(target=view) for _ in range(4)]
    for viewer in viewers:
        viewer.start()
    for seed in range(20, 32):
        run = write_run(store, config(seed), 40.0)
        age(store)
        store.look()
        store.delete(run.id)
    over.set()
    for viewer in viewers:
        viewer.join()
    assert problems == [] and len(store.look().runs) == 6


def test_some_runs_are_found_without_a_look_at_the_others(store, read):
    runs = ended(store, 4)
    files_of = {run.path for run in (runs[3], runs[1])}
    read.clear()
    assert store.some([runs[3].id, "nobody", runs[1].id, "../runs", "..", "", "a\0b"]) == [runs[1], runs[3]]
    assert {path.parent for path in read} == files_of
