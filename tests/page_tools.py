"""What the tests of the pages share: run folders as the store and a worker write them, and what a page's charts were given."""

from __future__ import annotations

import base64
import json
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from streamlit.runtime.context import ContextProxy, StreamlitCookies
from streamlit.testing.v1 import AppTest

from pages.ui import door
from resnet_core.classroom import keys
from resnet_core.config import RunConfig
from resnet_core.runs import Run, RunStore, files
from resnet_core.runs.records import RecordWriter

PLAN = {"device": "cpu", "precision": "bf16", "compile": False, "threads": 2, "reason": {}}
#: Rows of each kind that ``write_run`` writes in a whole run.
ROWS = 20


def write_run(
    store: RunStore,
    config: RunConfig,
    end: float,
    state: str = "finished",
    part: float = 1.0,
    images_per_second: float = 900.0,
    message: str = "",
    **submit: Any,
) -> Run:
    """A run whose training error falls by 10 points a row to ``end``, its test error 2 above; ended after ``part`` of its rows.

    The store must not start workers (``RESNET_LAB_SLOTS=0``).
    """
    run, _ = store.submit(config, **submit)
    total, upto = config.recipe.iterations, round(ROWS * part)
    writer = RecordWriter(run.path / "records.jsonl")
    for row in range(1, upto + 1):
        i, error = total * row // ROWS, end + 10.0 * (ROWS - row) / ROWS
        shared = {"iteration": i, "elapsed_seconds": i * config.recipe.batch_size / images_per_second}
        train = {"loss": error / 40, "train_error": error, "images": config.recipe.batch_size, "images_per_second": images_per_second}
        writer.write({"kind": "train", "epoch": 0.0, "learning_rate": 0.02, "peak_memory_mb": 300.0, **train, **shared})
        writer.write({"kind": "test", "test_error": error + 2, "test_loss": error / 40, **shared})
    writer.close()
    result = {"train_error": end, "test_error": end + 2, "images_per_second": images_per_second, "weights_sha256": "0" * 64}
    with files.locked(store.home):
        changes = {"plan": PLAN, "iteration": total * upto // ROWS, "result": result if state == "finished" else None}
        store.change(run, state=state, message=message, **changes)
    return run


@contextmanager
def held(run: Run):
    """As long as it lasts, the run's lock is held as by the worker that trains it."""
    lock = files.acquire(run.path / "lock")
    try:
        yield
    finally:
        files.release(lock)


def app(root: Path, monkeypatch, page: str | None = None, address: str | None = None) -> AppTest:
    """The app before its first run, or on its way to a page from the front page (a cold link is for the browser's tests).

    It is looked at from ``address``, by default the server's own machine.
    """
    monkeypatch.chdir(root)
    monkeypatch.setattr(ContextProxy, "ip_address", address)
    test = AppTest.from_file(str(root / "pages" / "front.py"), default_timeout=120)
    return test if page is None else test.run().switch_page(page)


def opened(page: AppTest, **query: str | list[str]) -> AppTest:
    """The page at an address with this query, without an exception or an error on it."""
    for name, value in query.items():
        page.query_params[name] = value
    page.run()
    assert not page.exception and not page.error
    return page


def array(value: list | dict) -> np.ndarray:
    """Plotly's base64 encoding of an array, or a list."""
    if not isinstance(value, dict):
        return np.array([np.nan if one is None else one for one in value])
    found = np.frombuffer(base64.b64decode(value["bdata"]), value["dtype"])
    return found.reshape([int(n) for n in value["shape"].split(",")]) if "shape" in value else found


def live_chart(page: AppTest) -> dict[str, Any]:
    """What the live chart was given; on a page without one, what its only chart was given."""
    given = [json.loads(component.proto.json) for component in page.get("bidi_component")]
    (found,) = [data for data in given if "curves" in data] or given
    return found


def curve(page: AppTest, name: str, kind: str) -> dict[str, Any]:
    (found,) = [c for c in live_chart(page)["curves"] if c["name"] == name and c["kind"] == kind]
    return found


def progress(page: AppTest) -> list[str]:
    """The texts of the progress bars, in order, without Markdown's escapes."""
    return [bar.proto.text.replace("\\", "") for bar in page.get("progress")]


#: The teacher's key in tests.
KEY = "test-key-of-the-teacher"


def become(monkeypatch, who: str, address: str | None = "192.0.2.7") -> str:
    """From now on ``teacher``, ``owner`` or the viewer with this cookie looks at a class. Returns a viewer's id."""
    monkeypatch.setenv(keys.KEY_DIGEST, keys.digest(KEY))
    cookies = {"teacher": {door.TEACHERS_COOKIE: KEY}, "owner": {}}.get(who, {door.VIEWERS_COOKIE: who})
    monkeypatch.setattr(ContextProxy, "cookies", StreamlitCookies(cookies))
    monkeypatch.setattr(ContextProxy, "ip_address", None if who == "owner" else address)
    return keys.viewer_id(who)
