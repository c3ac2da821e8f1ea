"""A home of thousands of runs: a look costs what has changed, and still nothing stays wrong. What is noticed when: ``runs/looking.py``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time

import pytest

from resnet_core.runs import RunStore, index, looking
from resnet_core.runs.ended import Ended
from tests.looks_tools import another_process, ended
from tests.waiting import wait_for


@pytest.fixture
def many(store, monkeypatch):
    """Four ended runs, as if they were thousands."""
    monkeypatch.setattr(looking, "AT_ONCE", 1)
    runs = ended(store, 4)
    os.utime(store.home, (1e9, 1e9))
    for run in runs:
        os.utime(run.path, (1e9, 1e9))
    store.look()
    settle(store)
    assert looking._HOMES[store.home].listed is not None
    return runs


def settle(store: RunStore) -> None:
    """As if nothing had happened in the home for a while."""
    store.look()
    os.utime(store.home, (1e9, 1e9))
    store.look()


def states(store: RunStore) -> list[str]:
    return [line.state for line in store.look().briefs]


def test_of_many_nothing_is_listed_or_looked_at_while_nothing_happens(store, many, monkeypatch):
    monkeypatch.setattr(looking, "run_names", lambda home: pytest.fail("the home was listed"))
    monkeypatch.setattr(Ended, "is_unchanged", lambda each: pytest.fail("files were looked at"))
    found = store.look()
    assert [line.state for line in found.briefs] == ["finished"] * 4 and len(found.runs) == 4


def test_of_many_what_the_store_does_is_seen_at_once_by_another_process(store, many):
    first, second, third, fourth = many
    deed = f"""
from resnet_core.runs import RunStore
store = RunStore()
with store.locked():
    store.change(store.get({first.id!r}), state="failed", message="It failed.")
    store.change(store.get({fourth.id!r}), state="stopped")
store.rename({second.id!r}, "mine")
store.delete({third.id!r})
store.resume({fourth.id!r})
"""
    subprocess.run([sys.executable, "-c", deed], check=True)
    assert [(line.name, line.state) for line in store.look().briefs] == [
        (first.name, "failed"), ("mine", "finished"), (fourth.name, "queued"),
    ]  # fmt: skip
    assert store.queue() == [fourth] and store.look().ticket == 5
    with store.locked():
        assert store.next_queued("cpu") == fourth


def test_of_many_a_folder_that_comes_or_goes_is_seen_at_once(store, many, tmp_path):
    shutil.copytree(many[0].path, tmp_path / "copy")
    values = json.loads((tmp_path / "copy/state.json").read_text())
    (tmp_path / "copy/state.json").write_text(json.dumps({**values, "state": "queued"}))
    shutil.rmtree(many[1].path)
    os.rename(tmp_path / "copy", store.home / "copied")
    assert sorted(line.id for line in store.look().briefs) == sorted([many[0].id, many[2].id, many[3].id, "copied"])
    assert [run.id for run in store.queue()] == ["copied"]
    settle(store)
    shutil.rmtree(store.home / "copied")
    os.symlink(store.home / "nowhere", store.home / "broken")
    found = store.look()
    assert len(found.briefs) == 3 and [path.name for path, _ in found.broken] == ["broken"]


@pytest.mark.parametrize("way", ["in place", "replaced", "damaged", "gone"])
def test_of_many_what_is_shown_is_as_its_files_are_and_the_list_follows(store, many, monkeypatch, way):
    path = many[2].path / "state.json"
    content = path.read_text().replace('"finished"', '"failed"')
    if way == "in place":
        path.write_text(content)
    elif way == "replaced":
        (tmp := path.with_name("other")).write_text(content)
        os.replace(tmp, path)
    elif way == "damaged":
        path.write_text("{")
    else:
        path.unlink()
    found = store.look()
    assert [line.state for line in found.briefs] == ["finished"] * 4  # which nobody has looked into
    if way in ("in place", "replaced"):
        assert found.runs[2][1].state == found.find(many[2].config)[1].state == looking.one(many[2].path)[1].state == "failed"
        assert states(store) == ["finished", "finished", "failed", "finished"]  # and then it is known
    else:
        assert len(list(found.runs)) == 4  # it was there a moment ago
        after = store.look()
        assert len(after.runs) == 3 and [folder for folder, _ in after.broken] == [many[2].path]


def test_of_many_nobody_takes_out_a_change_is_found_in_time(store, many, monkeypatch):
    path = many[1].path / "state.json"
    path.write_text(path.read_text().replace('"finished"', '"failed"'))
    assert states(store) == ["finished"] * 4
    kept = looking._HOMES[store.home]
    kept.checked -= looking.CHECK_SECONDS + 1
    wait_for(lambda: states(store) == ["finished", "failed", "finished", "finished"], "the check of all files")
    wait_for(lambda: kept.checked > time.time() - looking.CHECK_SECONDS, "the end of the check")
    wait_for(lambda: index.read(store.home)[1] == kept.checked, "the index to say so")


@pytest.mark.parametrize("trusted", [True, False])
def test_of_many_another_process_trusts_what_was_checked_of_late(store, many, trusted, monkeypatch):
    index.write(store.home, [], [], time.time() - (10 if trusted else looking.TRUST_SECONDS + 10))
    in_place, replaced = many[0].path / "state.json", many[1].path / "state.json"
    in_place.write_text(in_place.read_text().replace('"finished"', '"failed"'))
    (tmp := replaced.with_name("other")).write_text(replaced.read_text().replace('"finished"', '"failed"'))
    os.replace(tmp, replaced)
    another_process()
    assert states(store) == ["finished" if trusted else "failed", "failed", "finished", "finished"]


def test_of_many_a_change_in_the_same_tick_as_a_look_is_not_missed(store, many):
    """The home's stamp is trusted only where it is old: two changes within a tick of the clock leave one and the same."""
    store.rename(many[0].id, "once")
    stamp = os.stat(store.home).st_mtime_ns
    assert "once" in [line.name for line in store.look().briefs]
    store.rename(many[0].id, "twice")
    os.utime(store.home, ns=(stamp, stamp))
    assert "twice" in [line.name for line in store.look().briefs]


_CHANGER = """
import sys
from resnet_core.runs import RunStore, looking
from tests.runs_tools import config
looking.AT_ONCE = 1
store = RunStore()
for turn in range(12):
    run, _ = store.submit(config(1000 * int(sys.argv[1]) + turn))
    assert run in store.queue() and store.look().find(run.config)[0] == run
    with store.locked():
        tickets = [line.ticket for line in store.look().briefs]
        assert len(tickets) == len(set(tickets)), tickets
        store.change(run, state="stopped")
    store.resume(run.id)
    with store.locked():
        assert run in store.queue()
        store.change(run, state="failed" if turn % 2 else "finished")
    assert run not in store.queue()
    if turn % 3 == 0:
        store.delete(run.id)
"""


def test_of_many_several_processes_agree(store, many):
    others = [subprocess.Popen([sys.executable, "-c", _CHANGER, k], stderr=subprocess.PIPE, text=True) for k in "12"]
    problems = [other.communicate()[1] for other in others]
    assert problems == ["", ""]
    assert store.queue() == [] and len(store.look().briefs) == 4 + 2 * 8
    assert sorted(states(store)) == sorted(json.loads((run.path / "state.json").read_text())["state"] for run in store.runs())
