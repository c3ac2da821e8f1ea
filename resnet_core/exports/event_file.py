"""The records of a training as an event file of TensorBoard: iterations as steps, each row at the time it was recorded."""

from __future__ import annotations

import datetime
import io
import math
from collections.abc import Iterator
from typing import Any

from resnet_core.errors import DataError
from resnet_core.nets import export
from resnet_core.nets.catalog import Net

#: Kind of row -> its fields, and what TensorBoard calls them; what stands before the / is a group of charts.
_SCALARS = {
    "train": {
        "train_error": "error/train",
        "loss": "loss/train",
        "learning_rate": "learning_rate",
        "images_per_second": "images_per_second",
    },
    "test": {
        "test_error": "error/test",
        "validation_error": "error/validation",
        "test_loss": "loss/test",
        "validation_loss": "loss/validation",
    },
}
_LAYERS = ("gradient_norm", "response_std", "gate_opening")


def scalars(row: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Give the values of a row by their tags: errors in percent, losses in nats, of each layer its own; without what is not there."""
    named: Iterator[tuple[str, Any]]
    if row["kind"] == "layers":
        named = ((f"{what}/{name}", value) for what in _LAYERS for name, value in zip(row["names"], row.get(what) or (), strict=False))
    else:
        named = ((tag, row.get(name)) for name, tag in _SCALARS.get(row["kind"], {}).items())
    yield from ((tag, value) for tag, value in named if value is not None)


def began(net: Net, rows: list[dict[str, Any]]) -> float:
    """When the training began, in seconds since 1970, as if never interrupted: from its end, else from when it was asked for."""
    try:
        created = datetime.datetime.fromisoformat(str(export.card(net).get("created")))
    except ValueError:
        return 0.0
    seconds = max((row.get("elapsed_seconds") or 0.0 for row in rows), default=0.0)
    return created.timestamp() - (seconds if net.state == "finished" else 0.0)


def content(net: Net) -> bytes:
    """The event file; TensorBoard is given the folder that it lies in.

    Raises:
        DataError: the training has no records.
    """
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    rows = net.records()
    if not rows:
        raise DataError("There are no records of {name}.", name=net.name)
    start = began(net, rows)
    held = io.BytesIO()
    writer = RecordWriter(held)
    writer.write(Event(wall_time=start, file_version="brain.Event:2").SerializeToString())
    for row in rows:
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars(row) if math.isfinite(value)]
        if values:
            wall = start + (row.get("elapsed_seconds") or 0.0)
            writer.write(Event(wall_time=wall, step=row["iteration"], summary=Summary(value=values)).SerializeToString())
    writer.flush()
    return held.getvalue()
