"""Ways in which one run of a home can be damaged: by hand, by a full disk, by another program. None may be another run's business."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

Damage = Callable[[Path], None]


def set_value(file: str, *keys: str, to: Any) -> Damage:
    def damage(run: Path) -> None:
        values = json.loads((run / file).read_text())
        at = values
        for key in keys[:-1]:
            at = at[key]
        at[keys[-1]] = to
        (run / file).write_text(json.dumps(values))

    return damage


def text(file: str, content: str | bytes) -> Damage:
    def damage(run: Path) -> None:
        (run / file).write_bytes(content if isinstance(content, bytes) else content.encode())

    return damage


def appended(line: str | bytes) -> Damage:
    def damage(run: Path) -> None:
        with open(run / "records.jsonl", "ab") as file:
            file.write((line if isinstance(line, bytes) else line.encode()) + b"\n")

    return damage


def replaced(file: str, by: Callable[[Path], None]) -> Damage:
    def damage(run: Path) -> None:
        path = run / file
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        by(path)

    return damage


def beside(name: str | bytes, make: Callable[[bytes], None]) -> Damage:
    """Something else in the home."""

    def damage(run: Path) -> None:
        make(os.fsencode(run.parent) + b"/" + (name.encode() if isinstance(name, str) else name))

    return damage


def renamed(name: str | bytes) -> Damage:
    def damage(run: Path) -> None:
        os.rename(os.fsencode(run), os.fsencode(run.parent) + b"/" + (name.encode() if isinstance(name, str) else name))

    return damage


def nothing(path: Path) -> None:
    """Leaves the place empty."""


def itself(path: Any) -> None:
    os.symlink(os.path.basename(path), path)


def nowhere(path: Any) -> None:
    os.symlink(b"/nonexistent" if isinstance(path, bytes) else "/nonexistent", path)


def part_of(file: str) -> Damage:
    def damage(run: Path) -> None:
        content = (run / file).read_bytes()
        (run / file).write_bytes(content[: len(content) // 2])

    return damage


IDENTITY = '{"config": {}, "created": "2026-01-01T00:00:00+00:00", '
NESTED = "[" * 100_000 + "]" * 100_000
ROW = {"kind": "train", "iteration": 60, "train_error": 50.0, "images": 8, "elapsed_seconds": 70.0, "loss": 1.0}
TEST = {"kind": "test", "iteration": 60, "test_error": 50.0, "test_loss": 1.0, "elapsed_seconds": 70.0}
LAYERS = {"kind": "layers", "iteration": 60, "names": ["conv"], "gradient_norm": [1.0], "weight_norm": [1.0], "response_std": [1.0]}


def row(like: dict[str, Any] = ROW, without: str = "", **values: Any) -> Damage:
    return appended(json.dumps({key: value for key, value in (like | values).items() if key != without}))


#: name -> what is done to the folder of a finished run.
DAMAGES: dict[str, Damage] = {
    # run.json
    "identity: missing": replaced("run.json", nothing),
    "identity: empty": text("run.json", ""),
    "identity: cut": part_of("run.json"),
    "identity: list": text("run.json", "[]"),
    "identity: null": text("run.json", "null"),
    "identity: not utf-8": text("run.json", b"\xff\xfe{}"),
    "identity: folder": replaced("run.json", Path.mkdir),
    "identity: loop": replaced("run.json", itself),
    "identity: pipe": replaced("run.json", os.mkfifo),
    "identity: nested": text("run.json", '{"config": ' + NESTED + "}"),
    "identity: nested in versions": text("run.json", IDENTITY + '"versions": {"a":' + NESTED + "}}"),
    "identity: huge number": text("run.json", IDENTITY + '"x": 1' + "0" * 5000 + "}"),
    "created: no zone": set_value("run.json", "created", to="2026-01-01T00:00:00"),
    "created: a word": set_value("run.json", "created", to="yesterday"),
    "created: number": set_value("run.json", "created", to=5),
    "data_dir: number": set_value("run.json", "data_dir", to=5),
    "data_dir: list": set_value("run.json", "data_dir", to=["a"]),
    "data_dir: long": set_value("run.json", "data_dir", to="/" + "x" * 5000),
    "data_dir: null byte": set_value("run.json", "data_dir", to="a\0b"),
    "versions: list": set_value("run.json", "versions", to=["a"]),
    "versions: numbers": set_value("run.json", "versions", to={"commit": 5}),
    "config: text": set_value("run.json", "config", to="x"),
    "config: depth": set_value("run.json", "config", "model", "depth", to=21),
    "config: depth text": set_value("run.json", "config", "model", "depth", to="20"),
    "config: shortcut list": set_value("run.json", "config", "model", "shortcut", to=[]),
    "config: recipe null": set_value("run.json", "config", "recipe", to=None),
    "config: milestones": set_value("run.json", "config", "recipe", "milestones", to=5),
    "config: infinite rate": set_value("run.json", "config", "recipe", "learning_rate", to=float("inf")),
    # state.json
    "state: missing": replaced("state.json", nothing),
    "state: cut": part_of("state.json"),
    "state: list": text("state.json", "[]"),
    "state: folder": replaced("state.json", Path.mkdir),
    "state: pipe": replaced("state.json", os.mkfifo),
    "state: nested": text("state.json", '{"state":"finished","ticket":1,"pool":"cpu","x":' + NESTED + "}"),
    "state: nested less": text("state.json", '{"state":"finished","ticket":1,"pool":"cpu","x":' + "[" * 800 + "]" * 800 + "}"),
    "state: unknown": set_value("state.json", "state", to="sleeping"),
    "state: a list": set_value("state.json", "state", to=["finished"]),
    "ticket: text": set_value("state.json", "ticket", to="1"),
    "ticket: truth": set_value("state.json", "ticket", to=True),
    "pool: elsewhere": set_value("state.json", "pool", to="../../x"),
    "iteration: text": set_value("state.json", "iteration", to="5"),
    "iteration: below 0": set_value("state.json", "iteration", to=-5),
    "iteration: infinite": set_value("state.json", "iteration", to=float("inf")),
    "message: number": set_value("state.json", "message", to=5),
    "message: half a character": set_value("state.json", "message", to="\ud800"),
    "plan: text": set_value("state.json", "plan", to="p"),
    "plan: empty": set_value("state.json", "plan", to={}),
    "plan: device": set_value("state.json", "plan", "device", to=["cpu"]),
    "plan: precision": set_value("state.json", "plan", "precision", to=16),
    "plan: reason": set_value("state.json", "plan", "reason", to="x"),
    "result: text": set_value("state.json", "result", to="x"),
    "result: list": set_value("state.json", "result", to=[1]),
    "result: empty": set_value("state.json", "result", to={}),
    "result: error text": set_value("state.json", "result", "train_error", to="5"),
    "result: error NaN": set_value("state.json", "result", "test_error", to=float("nan")),
    "result: error list": set_value("state.json", "result", "test_error", to=[5.0]),
    "result: speed text": set_value("state.json", "result", "images_per_second", to="fast"),
    "ended: number": set_value("state.json", "ended", to=5),
    "machines: text": set_value("state.json", "machines", to=5),
    "running: no start": set_value("state.json", "state", to="running"),
    # meta.json
    "name: number": set_value("meta.json", "name", to=5),
    "name: half a character": set_value("meta.json", "name", to="\ud800"),
    "name: lines": set_value("meta.json", "name", to="a\nb"),
    "name: long": set_value("meta.json", "name", to="x" * 100_000),
    "name: nested": text("meta.json", '{"name": ' + NESTED + "}"),
    "name: folder": replaced("meta.json", Path.mkdir),
    # records.jsonl
    "records: missing": replaced("records.jsonl", nothing),
    "records: folder": replaced("records.jsonl", Path.mkdir),
    "records: loop": replaced("records.jsonl", itself),
    "records: pipe": replaced("records.jsonl", os.mkfifo),
    "records: cut": part_of("records.jsonl"),
    "records: zeros": text("records.jsonl", b"\0" * 5000 + b"\n"),
    "row: kind alone": appended('{"kind":"train"}'),
    "row: test alone": appended('{"kind":"test"}'),
    "row: layers alone": appended('{"kind":"layers","iteration":60}'),
    "row: nested": appended(NESTED),
    "row: kind list": appended('{"kind":["train"],"iteration":60}'),
    "row: iteration text": row(iteration="60"),
    "row: iteration null": row(iteration=None),
    "row: iteration huge": row(iteration=10**400),
    "row: no time": row(without="elapsed_seconds"),
    "row: time text": row(elapsed_seconds="x"),
    "row: time infinite": row(elapsed_seconds=float("inf")),
    "row: no images": row(without="images"),
    "row: no image": row(images=0),
    "row: error text": row(train_error="x"),
    "row: error list": row(train_error=[1.0]),
    "row: error 1e308": row(train_error=1e308),
    "row: loss text": row(loss="x"),
    "row: loss huge": row(loss=10**400),
    "row: speed text": row(images_per_second="x"),
    "row: test error text": row(TEST, test_error="x"),
    "row: test without error": row(TEST, without="test_error"),
    "row: layer names text": row(LAYERS, names="conv"),
    "row: layers of another net": row(LAYERS),
    "row: layer lists differ": row(LAYERS, gradient_norm=[1.0, 2.0]),
    "row: layer norm text": row(LAYERS, gradient_norm=["x"]),
    # the rest of the folder
    "lock: missing": replaced("lock", nothing),
    "lock: folder": replaced("lock", Path.mkdir),
    "lock: loop": replaced("lock", itself),
    "lock: pipe": replaced("lock", os.mkfifo),
    "checkpoints: missing": replaced("checkpoints", nothing),
    "checkpoints: file": replaced("checkpoints", Path.touch),
    "checkpoints: loop": replaced("checkpoints", itself),
    "checkpoints: empty one": lambda run: (run / "checkpoints" / "iter-00000060").mkdir(),
    "checkpoints: a file": lambda run: (run / "checkpoints" / "iter-00000060").touch(),
    "checkpoints: weights garbage": lambda run: (
        (run / "checkpoints" / "iter-00000060").mkdir(),
        (run / "checkpoints" / "iter-00000060" / "model.safetensors").write_bytes(b"x" * 100),
    ),
    # the home
    "home: loop": beside("loop", itself),
    "home: link to nowhere": beside("link", nowhere),
    "home: empty folder": beside("empty", os.mkdir),
    "home: no utf-8": beside(b"caf\xe9", os.mkdir),
    "home: line break": beside("a\nb", os.mkdir),
    "run called no utf-8": renamed(b"caf\xe9"),
    "run called with an escape": renamed("\x1b[31mred"),
    "index: garbage": lambda run: (run.parent / ".ends.json").write_text("[" * 100_000),
    "index: wrong": lambda run: (run.parent / ".ends.json").write_text('{"x": 5, "' + run.name + '": [[1, 2, 3], {"iteration": "a"}]}'),
    "index: folder": lambda run: ((run.parent / ".ends.json").unlink(missing_ok=True), (run.parent / ".ends.json").mkdir()),
}  # fmt: skip
