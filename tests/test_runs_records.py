"""records.jsonl: what a viewer sees while a worker writes, cuts and writes on."""

from __future__ import annotations

import json
import threading

import pytest

from resnet_core.runs import records
from resnet_core.runs.records import RecordReader, RecordWriter
from tests.runs_tools import train_row


def row(iteration: int, kind: str = "train", **values) -> dict:
    return train_row(iteration, **values) if kind == "train" else {"kind": kind, "iteration": iteration, **values}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "records.jsonl"


def test_reader_follows_the_writer(path):
    reader = RecordReader(path)
    assert reader.records() == []  # not there yet
    assert reader.last_iteration() is None
    writer = RecordWriter(path)
    writer.write(row(1, loss=2.5))
    writer.write(row(1, "test", test_error=90.0))
    assert reader.records() == [row(1, loss=2.5), row(1, "test", test_error=90.0)]
    writer.write(row(2))
    assert reader.records("train") == [row(1, loss=2.5), row(2)]
    assert reader.records("layers") == []
    assert reader.last("train", 1) == [row(2)]
    assert reader.last_iteration() == 2
    assert writer.offset == path.stat().st_size
    writer.close()


def test_only_what_is_new_is_parsed(path, monkeypatch):
    parsed = []
    loads = json.loads
    monkeypatch.setattr(records.json, "loads", lambda text: parsed.append(text) or loads(text))
    writer, reader = RecordWriter(path), RecordReader(path)
    for i in range(100):
        writer.write(row(i))
    assert len(reader.records()) == 100
    reader.records()
    writer.write(row(100))
    assert len(reader.records()) == 101
    assert len(parsed) == 101


def test_partial_last_line_waits_for_its_rest(path):
    line = json.dumps(row(2, loss=1.25)).encode() + b"\n"
    path.write_bytes(json.dumps(row(1)).encode() + b"\n")
    reader = RecordReader(path)
    for end in range(len(line)):
        path.write_bytes(json.dumps(row(1)).encode() + b"\n" + line[:end])
        assert reader.records() == [row(1)], f"after {end} bytes of the line"
    path.write_bytes(json.dumps(row(1)).encode() + b"\n" + line)
    assert reader.records() == [row(1), row(2, loss=1.25)]
    assert reader.damaged == 0


def test_a_cut_file_is_read_anew(path):
    writer, reader = RecordWriter(path), RecordReader(path)
    for i in range(1, 6):
        writer.write(row(i, elapsed_seconds=i / 10))
        if i == 3:
            kept = writer.offset
    writer.close()
    assert reader.last_iteration() == 5
    writer = RecordWriter(path, keep=kept)
    assert reader.last_iteration() == 3
    writer.write(row(4, elapsed_seconds=9.0))
    assert [r["elapsed_seconds"] for r in reader.records()] == [0.1, 0.2, 0.3, 9.0]
    writer.close()


def test_a_cut_is_noticed_even_when_the_file_has_grown_past_it(path):
    """Nobody looked between the cut and the rows that came after it: the size alone would not tell."""
    writer, reader = RecordWriter(path), RecordReader(path)
    for i in range(1, 6):
        writer.write(row(i, elapsed_seconds=0.5))
        if i == 2:
            kept = writer.offset
    writer.close()
    assert len(reader.records()) == 5
    writer = RecordWriter(path, keep=kept)
    for i in range(3, 9):
        writer.write(row(i, elapsed_seconds=123.456))  # longer lines: the old end is now in the middle of one
    writer.close()
    assert [(r["iteration"], r["elapsed_seconds"]) for r in reader.records()] == [(1, 0.5), (2, 0.5)] + [(i, 123.456) for i in range(3, 9)]
    assert reader.damaged == 0
    assert len(reader.records("train")) == 8


def test_a_file_that_is_gone_has_no_rows(path):
    RecordWriter(path).write(row(1))
    reader = RecordReader(path)
    assert len(reader.records()) == 1
    path.unlink()
    assert reader.records() == []


def test_damaged_lines_are_counted_and_left_out(path):
    good = json.dumps(row(1)).encode() + b"\n"
    path.write_bytes(good + b"\0\0\0\0\n" + b"[1]\n" + b'{"iteration": 3}\n' + b'{"kind": "tra\n' + good)
    reader = RecordReader(path)
    assert reader.records() == [row(1), row(1)]
    assert reader.damaged == 4


def test_the_lists_are_the_callers_own(path):
    RecordWriter(path).write(row(1))
    reader = RecordReader(path)
    reader.records().clear()
    reader.records("train").clear()
    assert len(reader.records()) == len(reader.records("train")) == 1


def test_not_a_number_becomes_null(path):
    writer = RecordWriter(path)
    writer.write({"kind": "train", "iteration": 1, "loss": float("nan"), "gradient_norm": [1.0, float("inf")]})
    assert path.read_text() == '{"kind":"train","iteration":1,"loss":null,"gradient_norm":[1.0,null]}\n'


@pytest.mark.parametrize(
    ("before", "keep", "after"),
    [
        (b"12345", 6, b""),
        (b"1\n2345", 6, b"1\n"),
        (b"1\n2\n", 9, b"1\n2\n"),
        (b"1\n234\n", 4, b"1\n"),
        (b"x" * 70_000, 70_000, b""),
        (b"1\n" + b"x" * 140_000, 140_002, b"1\n"),
    ],
)
def test_a_file_that_is_not_as_long_as_its_checkpoint_says_keeps_its_whole_lines(path, before, keep, after):
    path.write_bytes(before)
    writer = RecordWriter(path, keep)
    assert (path.read_bytes(), writer.offset, writer.lost) == (after, len(after), keep - len(after))
    writer.write({"kind": "x"})
    writer.close()
    assert path.read_bytes() == after + b'{"kind":"x"}\n'


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("no"), KeyboardInterrupt()], ids=repr)
def test_a_reader_that_was_broken_off_forgets_all_and_begins_anew(path, monkeypatch, error):
    writer, reader = RecordWriter(path), RecordReader(path)
    for i in range(10):
        writer.write(row(i))
    assert len(reader.records()) == 10
    for i in range(10, 142):
        writer.write(row(i))
    parsed, count = records.rows.parsed, iter(range(1000))

    def break_off(line):
        if next(count) == 4:
            raise error
        return parsed(line)

    monkeypatch.setattr(records.rows, "parsed", break_off)
    with pytest.raises(type(error)):
        reader.records()
    monkeypatch.undo()
    assert [r["iteration"] for r in reader.records()] == list(range(142))
    assert len(reader.records("train")) == 142 and reader.damaged == 0


def test_a_file_that_cannot_be_read_has_no_rows_and_says_why(path):
    writer, reader = RecordWriter(path), RecordReader(path)
    writer.write(row(1))
    assert len(reader.records()) == 1
    path.unlink()
    path.symlink_to(path)
    assert reader.records() == [] and reader.problem == "records.jsonl cannot be read: Too many levels of symbolic links."
    path.unlink()
    RecordWriter(path).write(row(2))
    assert reader.records() == [row(2)] and reader.problem == ""


def test_many_viewers_of_one_reader_see_each_row_once(path):
    writer, reader = RecordWriter(path), RecordReader(path)
    wrong, done = [], threading.Event()

    def view():
        while not done.is_set():
            iterations = [r["iteration"] for r in reader.records()]
            if iterations != list(range(len(iterations))):
                wrong.append(iterations)

    viewers = [threading.Thread(target=view) for _ in range(4)]
    for viewer in viewers:
        viewer.start()
    for i in range(2000):
        writer.write(row(i))
    done.set()
    for viewer in viewers:
        viewer.join()
    assert not wrong
    assert [r["iteration"] for r in reader.records()] == list(range(2000))


def test_readers_are_shared_and_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "_READERS_KEPT", 3)
    first = records.reader(tmp_path / "0")
    assert records.reader(tmp_path / "0") is first
    for i in range(1, 4):
        records.reader(tmp_path / str(i))
    assert records.reader(tmp_path / "0") is not first
    assert len(records._READERS) <= 3
