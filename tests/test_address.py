"""What stands in a page's address: nothing of another page."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

from resnet_core.config import demo_configs
from resnet_core.runs import RunStore
from tests.page_tools import app, opened, write_run


def test_parameters_of_other_pages_are_taken_out(root: Path, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    run = write_run(RunStore(), demo_configs(iterations=400)[0], 49.0)
    page = app(root, monkeypatch, "compare/page.py")
    opened(page, nets=["plain-20"], checkpoint="plain-20", runs=[run.id])
    assert "nets" not in page.query_params and "checkpoint" not in page.query_params
    assert page.query_params["runs"] in (run.id, [run.id])


def test_no_two_modules_bind_widgets_to_one_parameter(root: Path):
    """A page would take up what another one has written: Compare's x is one of iterations, epochs, time."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in (root / "pages").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = {word.arg: word.value for word in call.keywords} if isinstance(call, ast.Call) else {}
            if "bind" in named and isinstance(named.get("key"), ast.Constant):
                found[named["key"].value].add(path.name)
    assert len(found) > 20
    assert {key: files for key, files in found.items() if len(files) > 1} == {}
