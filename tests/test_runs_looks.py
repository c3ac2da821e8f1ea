"""What a look at all runs costs: of those that have ended nothing is read twice, and nothing is missed when it changes."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from resnet_core.cli import main
from resnet_core.config import demo_configs
from resnet_core.runs import RunStore, border, files, index, looking, records
from tests.damaged_runs import DAMAGES
from tests.looks_tools import age, another_process, ended
from tests.page_tools import app, write_run
from tests.runs_tools import config, put, train_row


@pytest.fixture
def read(monkeypatch) -> list[Path]:
    """The files that were opened for reading since."""
    opened, open_regular = [], files.open_regular
    monkeypatch.setattr(files, "open_regular", lambda path: opened.append(Path(path)) or open_regular(path))
    return opened


def test_of_runs_that_have_ended_nothing_is_read_twice(store, read, monkeypatch):
    monkeypatch.setattr(records, "_READERS_KEPT", 3)  # more runs than that are no reason to read all again
    runs = ended(store, 8)
    first = store.look()
    assert {path.name for path in read} >= {"run.json", "state.json", "records.jsonl"}
    read.clear()
    again = RunStore().look()
    assert read == [] and again.runs == first.runs and [run for run, _ in again.runs] == runs
    assert [status.last_test["test_error"] for _, status in again.runs] == [42.0 + seed for seed in range(8)]


@pytest.mark.parametrize("process", ["this", "another"])
@pytest.mark.parametrize("file", ["run.json", "state.json", "meta.json", "records.jsonl"])
def test_what_changes_is_seen(store, file, process):
    run, other = ended(store, 2)
    store.look()
    if process == "another":
        another_process()
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


def told(store: RunStore, capsys) -> list:
    """All that is known of the runs of a home, and what the command line says of them."""
    found = store.look()
    runs = [(run, status, run.name, run.config, run.created_at, run.data_dir, run.versions, run.fingerprint) for run, status in found.runs]
    assert main(["runs"]) == main(["runs", "--json"]) == 0
    return [*runs, found.broken, *capsys.readouterr()]


def test_one_run_that_was_looked_at_is_not_read_again(store, read):
    (run,) = ended(store, 1)
    store.look()
    another_process()
    ((_, status),) = store.look().runs
    read.clear()
    assert looking.one(run.path) == (run, status) and read == []
    put(store, run, state="failed")
    assert looking.one(run.path)[1].state == "failed"
    shutil.rmtree(run.path)
    with pytest.raises(border.BrokenRun):
        looking.one(run.path)


def altered(path: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        for statement in statements:
            db.execute(statement)


def lying(path: Path) -> None:
    """Well-formed rows, with right checksums, of a run that was finished with other errors when its files had other stamps."""
    home = path.parents[1]
    entries, checked = index.read(home)
    index.fill(home, entries)
    for each in entries:
        each.brief, each.stamps, each.seen = each.brief._replace(state="failed"), re.sub(r"\d+-(\d+-\d+)", r"7-\1", each.stamps), "7-7-7"
    assert index.write(home, entries, [], checked)


def swapped(path: Path) -> None:
    """Rows with the contents of others."""
    for table in ("brief", "detail"):
        altered(path, f"UPDATE {table} SET (content, seal) = (SELECT content, seal FROM {table} ORDER BY name DESC LIMIT 1)")


def noise(path: Path) -> None:
    content = bytearray(path.read_bytes())
    rng = random.Random(0)
    for place in rng.sample(range(100, len(content)), len(content) // 50):
        content[place] = rng.randrange(256)
    path.write_bytes(content)


INDICES = {
    "whole": lambda path: None,
    "missing": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "garbage": lambda path: path.write_bytes(bytes(range(256)) * 99),
    "cut": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "cut by a page": lambda path: path.write_bytes(path.read_bytes()[:-4096]),
    "random bytes": noise,
    "zeros in the middle": lambda path: path.write_bytes(path.read_bytes()[:4096] + bytes(path.stat().st_size - 4096)),
    "of another schema": lambda path: altered(path, "DROP TABLE brief", "CREATE TABLE brief(a, b)"),
    "without tables": lambda path: altered(path, "DROP TABLE brief", "DROP TABLE detail", "DROP TABLE about"),
    "a view": lambda path: altered(path, "DROP TABLE about", "CREATE VIEW about AS SELECT 1 AS code, 2 AS checked"),
    "with nothing about it": lambda path: altered(path, "DELETE FROM about"),
    "with other values": lambda path: altered(path, "UPDATE brief SET content = 7", "UPDATE detail SET content = 'x'"),
    "a digit changed": lambda path: path.write_bytes(path.read_bytes().replace(b"42.0", b"24.0")),
    "lying": lying,
    "swapped": swapped,
}


@pytest.mark.parametrize("name", INDICES)
def test_another_process_need_not_read_them_again(store, read, capsys, name):
    runs = ended(store, 3)
    before = told(store, capsys)
    path = store.home / index.INDEX
    INDICES[name](path)
    another_process()
    read.clear()
    assert told(store, capsys) == before
    opened = {file.parent for file in read}
    assert opened <= {run.path for run in runs} and bool(opened) == (name != "whole")
    another_process()
    read.clear()
    assert told(store, capsys) == before and read == []  # it was made anew


def test_an_index_of_another_version_is_none(store, read, capsys, monkeypatch):
    ended(store, 2)
    before = told(store, capsys)
    monkeypatch.setattr(index, "_code", lambda: 17)
    another_process()
    read.clear()
    assert told(store, capsys) == before and "state.json" in {path.name for path in read}
    another_process()
    read.clear()
    assert told(store, capsys) == before and read == []


def test_what_versions_before_have_left_goes(store):
    store.home.mkdir(exist_ok=True)
    (store.home / ".index.json").write_text("{}")
    ended(store, 1)
    store.look()
    assert not (store.home / ".index.json").exists() and (store.home / index.INDEX).is_file()


def test_the_list_of_an_index_takes_no_configuration_apart(store, capsys, monkeypatch):
    ended(store, 2)
    store.look()
    another_process()
    monkeypatch.setattr(border.RunConfig, "from_dict", lambda values: pytest.fail("a configuration was read"))
    assert main(["runs"]) == 0 and capsys.readouterr().out.count("finished") == 2


def test_what_others_did_meanwhile_is_seen_in_spite_of_the_index(store, tmp_path):
    renamed, deleted, restored = ended(store, 3)
    shutil.copytree(restored.path, tmp_path / "older")
    put(store, restored, state="failed", message="It failed.")
    age(store)
    assert [status.state for _, status in store.look().runs] == ["finished", "finished", "failed"]
    another_process()  # knows all of that, and nothing that comes now
    store.rename(renamed.id, "mine")
    store.delete(deleted.id)
    shutil.rmtree(restored.path)
    shutil.copytree(tmp_path / "older", restored.path)
    assert [(run.id, run.name, status.state) for run, status in store.look().runs] == [
        (renamed.id, "mine", "finished"),
        (restored.id, restored.name, "finished"),
    ]


def test_damage_is_seen_in_spite_of_the_index(store):
    runs = ended(store, len(DAMAGES))
    store.look()
    for run, damage in zip(runs, DAMAGES.values(), strict=True):
        with contextlib.suppress(FileExistsError):  # of the home, and there already
            damage(run.path)
    another_process()
    with_index = store.look()
    another_process()
    shutil.rmtree(store.home / index.INDEX.parent)
    without = store.look()
    assert with_index == without and [run.name for run, _ in with_index.runs] == [run.name for run, _ in without.runs]
    assert len(without.broken) > 50


_LOOKER = """
import sys
from resnet_core.runs import RunStore, index, looking
store = RunStore()
for turn in range(60):
    looking._HOMES.clear()
    errors = [status.last_test["test_error"] for _, status in store.look().runs]
    assert errors == [42.0, 43.0, 44.0, 45.0], errors
    if turn % 3 == int(sys.argv[1]):
        (store.home / index.INDEX).unlink(missing_ok=True)
"""


def test_several_processes_share_an_index(store):
    ended(store, 4)
    others = [subprocess.Popen([sys.executable, "-c", _LOOKER, turn], stderr=subprocess.PIPE, text=True) for turn in "01"]
    problems = [other.communicate()[1] for other in others]
    assert problems == ["", ""] and [other.returncode for other in others] == [0, 0]
    store.look()
    assert len(index.read(store.home)[0]) == 4


def refusing(error: int):
    def refuse(*_, **__):
        refused = sqlite3.OperationalError("no")
        refused.sqlite_errorcode = error
        raise refused

    return refuse


@pytest.mark.parametrize(
    "obstacle", ["no folder can be made", "full", "read-only", "locked", "a folder", "a pipe", "a file for its folder"]
)
def test_a_home_without_a_usable_index_goes_without(store, capsys, monkeypatch, obstacle):
    path = store.home / index.INDEX
    ended(store, 2)
    if obstacle == "a folder":
        path.mkdir(parents=True)
    elif obstacle == "a pipe":
        path.parent.mkdir()
        os.mkfifo(path)
    elif obstacle == "a file for its folder":
        path.parent.write_text("")
    elif obstacle == "no folder can be made":
        monkeypatch.setattr(index.Path, "mkdir", lambda *_, **__: os.mkdir("/dev/null/there"))
    else:
        codes = {"full": sqlite3.SQLITE_FULL, "read-only": sqlite3.SQLITE_READONLY, "locked": sqlite3.SQLITE_BUSY}
        monkeypatch.setattr(index.sqlite3, "connect", refusing(codes[obstacle]))
    before = told(store, capsys)
    assert [status.state for _, status, *_ in before[:2]] == ["finished", "finished"]
    another_process()
    assert told(store, capsys) == before
    assert not path.is_file()


def test_an_index_that_somebody_locks_is_waited_for_and_then_done_without(store, capsys, monkeypatch):
    monkeypatch.setattr(index, "_PATIENCE", 0.05)
    ended(store, 2)
    before = told(store, capsys)
    another_process()
    with contextlib.closing(sqlite3.connect(store.home / index.INDEX, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        assert told(store, capsys) == before
    assert len(index.read(store.home)[0]) == 2  # it has not been thrown away


@pytest.mark.parametrize("page", [None, "train/page.py", "responses/page.py"])
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
