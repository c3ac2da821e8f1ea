"""Pages with more runs than a list offers: pages of a list, and a search that reaches all."""

from __future__ import annotations

from pages.ui import nets_pick, runs_view
from resnet_core.nets import catalog
from resnet_core.runs import RunStore
from tests.page_tools import app, opened, write_run
from tests.runs_tools import config


def fill(store: RunStore, count: int) -> list:
    return [write_run(store, config(seed), 40.0) for seed in range(count)]


def shown(page) -> list[str]:
    return [box.key.removeprefix("show.") for box in page.checkbox if box.key and box.key.startswith("show.")]


def test_train_lists_all_runs_in_pages_and_finds_any(root, store, monkeypatch):
    runs = fill(store, 57)
    store.rename(runs[3].id, "the odd one")
    page = opened(app(root, monkeypatch, "train/page.py"), tab="Runs").run()
    newest_first = [run.id for run in reversed(runs)]
    assert shown(page) == newest_first[:8]
    page.toggle(key="train.all").set_value(True).run()
    assert shown(page) == newest_first[:50]
    page.number_input(key="train.page").set_value(2).run()
    assert shown(page) == newest_first[50:]
    page.text_input(key="train.search").set_value("ODD finished").run()
    assert not page.exception and shown(page) == [runs[3].id]
    page.text_input(key="train.search").set_value("no such run").run()
    assert shown(page) == [] and any("No run is called that" in each.value for each in page.caption)
    page.text_input(key="train.search").set_value("").run()
    assert len(shown(page)) == 50


def test_a_look_reaches_the_newest_what_is_meant_and_what_is_asked_for(store):
    runs = fill(store, 6)
    store.rename(runs[1].id, "Mine")
    found = store.look()
    assert [run for run, _ in found.reach(2)] == runs[4:]
    assert [run for run, _ in found.reach(0)] == []
    assert [run for run, _ in found.reach(2, also=[runs[0].id, runs[5].id, "nobody"])] == [runs[0], *runs[4:]]
    assert [run for run, _ in found.reach(2, search="mine")] == [runs[1]]
    assert [run for run, _ in found.reach(1, also=[runs[2].id], search="finished")] == [runs[2], runs[5]]


def test_compare_offers_the_newest_and_finds_and_shows_any(root, store, monkeypatch):
    monkeypatch.setattr(runs_view, "REACH", 3)
    runs = fill(store, 6)
    store.rename(runs[1].id, "the odd one")
    page = opened(app(root, monkeypatch, "compare/page.py"), runs=[runs[0].id]).run()
    assert not page.exception and not page.warning and page.multiselect(key="compare.runs").value == [runs[0].id]
    offered = page.multiselect(key="compare.runs").options
    assert sum("seed" in each and "w4" in each for each in offered) == 4
    page.text_input(key="compare.search").set_value("odd").run()
    assert any("the odd one" in each for each in page.multiselect(key="compare.runs").options)
    assert page.multiselect(key="compare.runs").value == [runs[0].id]


def test_the_catalog_of_some_says_how_many_it_leaves(store, monkeypatch):
    runs = fill(store, 5)
    for run in runs:
        (run.path / "checkpoints" / "iter-00000060").mkdir()
    assert len([net for net in catalog().nets if net.origin == "run"]) == 5 and catalog().left == 0
    some = catalog(newest=2, also=[runs[0].id])
    assert [net.id for net in some.nets if net.origin == "run"] == [runs[0].id, runs[3].id, runs[4].id] and some.left == 2


def test_pages_that_look_into_nets_offer_the_newest_and_find_any(root, store, monkeypatch):
    monkeypatch.setattr(nets_pick, "REACH", 2)
    runs = fill(store, 5)
    for run in runs:
        (run.path / "checkpoints" / "iter-00000060").mkdir()
    store.rename(runs[1].id, "the odd one")
    page = app(root, monkeypatch, "responses/page.py")
    page.query_params["nets"] = [runs[0].id]
    page.run()  # which says that these runs have neither weights nor rows of their layers
    assert not page.exception and page.multiselect(key="nets.pick").value == [runs[0].id]
    assert sum("w4" in each for each in page.multiselect(key="nets.pick").options) == 3
    page.text_input(key="nets.search").set_value("odd").run()
    assert any("the odd one" in each for each in page.multiselect(key="nets.pick").options)
