"""One damaged run is that run's alone: whatever is wrong with it, all others are listed, shown and trained, and it can be deleted."""

from __future__ import annotations

import contextlib
import json
import os

import pytest

from resnet_core.cli import main
from resnet_core.errors import RunError
from resnet_core.runs import RunStore, files
from tests.damaged_runs import DAMAGES
from tests.page_tools import app, held, write_run
from tests.runs_tools import config

PAGES = [
    None,
    *(
        f"{name}/page.py"
        for name in ("train", "compare", "responses", "gradients", "predict", "experiments", "checkpoints", "paper", "myths", "learn")
    ),
]


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_run_is_in_nobodys_way(store, name, capsys):
    good, bad = write_run(store, config(0), 40.0), write_run(store, config(1), 30.0)
    waiting = store.submit(config(2))[0]
    for folder in store.home.glob("[a-z]*"):  # as a process sees them that has looked before
        os.utime(folder / "records.jsonl", (1e9, 1e9))
    store.look()
    DAMAGES[name](bad.path)
    found = RunStore().tend()
    assert {good, waiting} <= {run for run, _ in found.runs}
    told = dict(found.runs)
    assert (told[good].state, told[good].message, told[waiting].place) == ("finished", "", 1)
    assert main(["runs"]) == 0
    out, err = capsys.readouterr()
    assert "40.00 %" in out and "42.00 %" in out and not any("\ud800" <= c <= "\udfff" for c in out + err)
    assert main(["runs", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    names = {each["run"] for each in [*listed["runs"], *listed.get("damaged", [])]}
    # Whatever is in the home is listed as a run or as damaged, under a name it can be deleted by.
    there = {files.shown(folder.name) for folder in store.home.iterdir() if not folder.name.startswith(".")}
    assert names == there
    assert store.find(config(0)) == good and store.submit(config(3))[1] and store.queue()[0] == waiting
    for each in there - {good.id}:
        assert main(["delete", each, "--yes"]) == 0
    assert [run for run, _ in store.look().runs if run.id == good.id] == [good] and store.broken() == []


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    """A home with a good run and one of each damage, which no test changes: made once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESNET_LAB_SLOTS", "0")
        store = RunStore(tmp_path_factory.mktemp("damaged") / "runs")
        good = write_run(store, config(0), 40.0)
        for number, damage in enumerate(DAMAGES.values(), 1):
            run = write_run(store, config(number), 30.0)
            with contextlib.suppress(FileExistsError):  # of the home, and there already
                damage(run.path)
    return store, good


@pytest.mark.parametrize("page", PAGES)
def test_no_page_is_taken_down_by_damaged_runs(damaged, page, root, monkeypatch):
    store, good = damaged
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    monkeypatch.setenv("RESNET_LAB_HOME", str(store.home))
    shown = app(root, monkeypatch, page).run()
    assert not shown.exception
    assert not [error.value for error in shown.error if "no fault of yours" in error.value]
    if page == "train/page.py":
        shown.session_state["tab"] = "Runs"
        shown.run()
        assert not shown.exception and not shown.error
        assert len([text for text in shown.markdown if "damaged" in text.value]) == len(store.broken()) > 50
    assert good in store.runs()


@pytest.mark.parametrize("leads_to", ["a run", "a run that is trained", "nowhere", "itself"])
def test_a_link_is_deleted_as_a_link(store, tmp_path, leads_to):
    store.home.mkdir(parents=True)
    elsewhere = RunStore(tmp_path / "elsewhere")
    run = write_run(elsewhere, config(0), 40.0)
    link = store.home / "link"
    link.symlink_to({"nowhere": tmp_path / "nowhere", "itself": link}.get(leads_to, run.path))
    with held(run):
        store.delete("link", timeout=0.1)
    assert not link.is_symlink() and run.path.is_dir() and not (run.path / "stop").exists()
    assert [found.id for found in elsewhere.runs()] == [run.id]


def test_what_is_wrong_is_named(store):
    run = write_run(store, config(0), 40.0)
    (run.path / "state.json").write_text('{"state": "finished", "ticket": 1, "pool": "cpu", "result": "x"}')
    assert store.broken() == [(run.path, "state.json: result is 'x', which it cannot be")]
    with pytest.raises(RunError, match="result is 'x'"):
        run.state()
    with pytest.raises(RunError, match="result is 'x'"):
        store.get(run.id)


def test_a_name_that_cannot_be_printed_is_shown_and_can_be_typed(store):
    store.home.mkdir(parents=True)
    os.mkdir(os.fsencode(store.home) + b"/caf\xe9")
    assert [files.shown(path.name) for path, _ in store.broken()] == ["caf\\xe9"]
    with pytest.raises(RunError, match=r"Run caf\\xe9 is broken"):
        store.get("caf\\xe9")
    store.delete("caf\\xe9")
    assert store.broken() == []
