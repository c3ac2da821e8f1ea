"""Layer responses: both panels are what was measured or recorded, the slider moves them, and nothing is claimed that they do not show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from resnet_core import data
from resnet_core.analysis.responses import layer_responses
from resnet_core.architectures.net import build_model
from resnet_core.config import DataConfig
from resnet_core.imports.cost import macs_per_image
from resnet_core.nets import catalog
from resnet_core.nets.loading import load
from resnet_core.runs import RunStore
from tests.analysis_tools import DEEPER, PLAIN, RESIDUAL, address, config, figures, layer_rows, layers_run, said, ship, shipped
from tests.nets_tools import write_checkpoint
from tests.page_tools import app, array, held, opened

__all__ = ["shipped"]


@pytest.fixture
def page(root: Path, monkeypatch: pytest.MonkeyPatch, shipped: Path) -> AppTest:
    return app(root, monkeypatch, "responses/page.py")


@pytest.fixture
def store() -> RunStore:
    return RunStore()


def panels(traces: list[dict]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """name -> responses in the layers' order, and ranked."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for trace in traces:
        found.setdefault(trace["name"], {})[trace["uid"].rsplit("-", 1)[1]] = array(trace["y"])
    return {name: (both["1"], both["2"]) for name, both in found.items()}


def recorded(model, scale: float, iteration: int) -> np.ndarray:
    (row,) = [row for row in layer_rows(model, scale) if row["iteration"] == iteration]
    return np.array(row["response_std"])


def test_without_nets_it_says_where_to_begin(page: AppTest):
    opened(page)
    assert "There is no net to look into yet" in page.info[0].value
    assert [link.proto.label for link in page.get("page_link")] == ["Home: run the demo", "Train: choose nets"]
    assert not page.get("bidi_component")


def test_shipped_nets_are_measured_on_the_samples_test_images(page: AppTest, shipped: Path):
    for name, model in (("plain-20", PLAIN), ("resnet-20", RESIDUAL), ("resnet-110", DEEPER), ("other", DEEPER)):
        ship(shipped, name, model)
    opened(page, n="100")
    assert address(page, "nets") == ["plain-20", "resnet-20", "resnet-110"]
    responses, branch = figures(page)
    images = data.load(DataConfig()).test.images[:100]
    drawn = panels(responses)
    assert len(drawn) == 3
    for net in (found for found in catalog().nets if found.id != "other"):
        loaded = load(net)
        expected = layer_responses(loaded.model, images, loaded.normalize, loaded.plan)
        in_order, ranked = drawn[net.name]
        np.testing.assert_allclose(in_order, expected.std, rtol=1e-6)
        np.testing.assert_allclose(ranked, np.sort(expected.std)[::-1], rtol=1e-6)
        mine = [trace for trace in branch if trace["name"] == net.name]
        ratio = [array(trace["y"]) for trace in mine if "untrained" not in trace["uid"]]
        untrained = [array(trace["y"]) for trace in mine if "untrained" in trace["uid"]]
        np.testing.assert_allclose(ratio, [expected.ratio], rtol=1e-6)
        if net.model.is_plain:
            assert untrained == []
            continue
        seed = net.config.recipe.seed
        at_start = layer_responses(build_model(net.model, seed), images, loaded.normalize, loaded.plan, batch_statistics=True)
        np.testing.assert_allclose(untrained, [at_start.ratio], rtol=1e-5)
    text = said(page)
    assert "after its BN, where one follows, before the nonlinearity (ReLU) or the addition" in text
    assert "First 100 test images of the sample, with running statistics in BN." in text and "Size of F(x) beside x" in text
    assert "before its first update" in text and "the size of the responses is a free scale" in text
    # Only what is added to x: the last layer of each block.
    page.toggle(key="added").set_value(True).run()
    first = panels(figures(page)[0])[PLAIN.name][0]
    np.testing.assert_allclose(first, drawn[PLAIN.name][0][2::2], rtol=1e-6)
    assert "Of each block the last layer only." in said(page)


def test_the_snapshots_of_the_records_and_the_slider_through_them(page: AppTest, shipped: Path):
    ship(shipped, "plain-20", PLAIN, 2.0)
    ship(shipped, "resnet-20", RESIDUAL, 1.0)
    opened(page, responses="in training")
    names = (PLAIN.name, RESIDUAL.name)
    for iteration in (200, 50):
        if iteration != 200:
            page.slider(key="at").set_value(iteration).run()
        drawn = panels(figures(page)[0])
        for name, model, scale in zip(names, (PLAIN, RESIDUAL), (2.0, 1.0), strict=True):
            expected = recorded(model, scale, iteration)
            np.testing.assert_allclose(drawn[name][0], expected)
            np.testing.assert_allclose(drawn[name][1], np.sort(expected)[::-1])
        assert f"Snapshots of iteration {iteration}." in said(page)
    assert "with its own statistics in BN" in said(page)
    assert "Residual nets respond less than their plain twins, as in the paper." in page.success[0].value
    assert len(figures(page)) == 1  # F(x) beside x is not in the records


def test_a_link_restores_the_moment(page: AppTest, shipped: Path):
    ship(shipped, "resnet-20", RESIDUAL)
    opened(page, responses="in training", at="100", nets=["resnet-20"])
    np.testing.assert_allclose(panels(figures(page)[0])[RESIDUAL.name][0], recorded(RESIDUAL, 1.0, 100))


def test_what_the_data_do_not_show_is_not_claimed(page: AppTest, shipped: Path):
    ship(shipped, "plain-20", PLAIN, 1.0)
    ship(shipped, "resnet-20", RESIDUAL, 2.0)
    ship(shipped, "resnet-56", DEEPER, 50.0)
    opened(page, responses="in training")
    assert not page.success
    assert "unlike in the paper" in page.info[0].value and "Not every deeper residual net responds less" in page.info[1].value


def test_nets_of_different_schedules_are_moved_by_part_of_the_training(page: AppTest, store: RunStore):
    layers_run(store, RESIDUAL)
    layers_run(store, PLAIN, iterations=400)
    runs = [run.id for run in store.runs()]
    opened(page, responses="in training", nets=runs, by="part of training", part="50")
    text = said(page)
    assert "iteration 100:" in text and "iteration 200:" in text
    assert not page.success and "against" not in " ".join(info.value for info in page.info)  # not trained alike: not compared


def test_a_running_run_is_followed_and_one_without_a_checkpoint_is_there_for_its_records(page: AppTest, store: RunStore):
    run = layers_run(store, RESIDUAL, upto=100, saved=False)
    with held(run):
        opened(page)
        assert "has no checkpoint yet" in said(page) and not figures(page)
        page.button_group(key="responses").set_value("in training").run()
        assert "Snapshots of iteration 100." in said(page) and "running" in said(page)
        np.testing.assert_allclose(panels(figures(page)[0])[run.name][0], recorded(RESIDUAL, 1.0, 100))
    page.run()
    assert "interrupted" in said(page)


def test_an_imported_net_is_measured_and_has_no_training(page: AppTest, store: RunStore):
    write_checkpoint(store.home / ".imported", "from-elsewhere", RESIDUAL, normalization="cifar10")
    opened(page, n="100")
    assert page.button_group(key="responses").disabled
    assert list(panels(figures(page)[0])) == [RESIDUAL.name]
    assert "trained elsewhere" in said(page)


def test_a_wrong_checksum_is_named_and_left_out(page: AppTest, shipped: Path):
    ship(shipped, "resnet-20", RESIDUAL)
    bad = ship(shipped, "plain-20", PLAIN) / "weights.safetensors"
    content = bytearray(bad.read_bytes())
    content[-1] ^= 1
    bad.write_bytes(content)
    opened(page, n="100")
    assert "Checkpoint plain-20: the checksum" in said(page) and len(page.warning) == 1
    assert list(panels(figures(page)[0])) == [RESIDUAL.name]


def test_a_net_that_cannot_be_measured_is_named_and_the_others_are_shown(page: AppTest, shipped: Path, store: RunStore):
    ship(shipped, "resnet-20", RESIDUAL)
    run = layers_run(store, PLAIN)
    (weights,) = run.path.glob("checkpoints/*/model.safetensors")
    weights.write_bytes(b"no weights")
    page.query_params["nets"] = ["resnet-20", run.id]
    page.run()
    assert not page.exception and "cannot be read" in page.error[0].value.replace("\\", "")
    assert list(panels(figures(page)[0])) == [RESIDUAL.name]


def test_ids_that_are_no_nets_are_named_and_more_than_eight_are_cut(page: AppTest, shipped: Path):
    names = [f"net-{i}" for i in range(10)]
    for i, name in enumerate(names):
        write_checkpoint(shipped, name, RESIDUAL, seed=i)
    opened(page, nets=[*names, "*gone*"], n="100")
    warnings = " ".join(warning.value for warning in page.warning)
    assert "\\*gone\\*" in warnings and "Only the first 8 of the 10 nets" in warnings
    assert len(panels(figures(page)[0])) == 8


def test_the_choice_is_kept_and_written_into_the_address(page: AppTest, shipped: Path):
    ship(shipped, "plain-20", PLAIN)
    ship(shipped, "resnet-20", RESIDUAL)
    opened(page, n="100")
    page.multiselect(key="nets.pick").set_value(["resnet-20"]).run()
    assert address(page, "nets") == ["resnet-20"] and list(panels(figures(page)[0])) == [RESIDUAL.name]
    page.multiselect(key="nets.pick").set_value([]).run()
    assert "Choose nets" in page.info[0].value
    page.button(key="nets.Shipped").click().run()
    assert address(page, "nets") == ["plain-20", "resnet-20"]


def test_downloads_of_both_charts(page: AppTest, shipped: Path):
    ship(shipped, "resnet-20", RESIDUAL)
    opened(page, n="100")
    assert [button.proto.label for button in page.get("download_button")] == ["CSV", "HTML", "PNG", "SVG"] * 2


def test_a_run_that_has_nothing_to_show_yet_is_not_called_deleted(page: AppTest, shipped: Path, store: RunStore):
    ship(shipped, "plain-20", PLAIN)
    run, _ = store.submit(config(RESIDUAL))
    opened(page, nets=["plain-20", run.id, "nonsense"])
    assert any(run.id in each.value.replace("\\", "") and "nothing to look into yet" in each.value for each in page.info)
    (warning,) = page.warning
    assert "nonsense" in warning.value and run.id not in warning.value.replace("\\", "")


def test_at_the_first_moment_nothing_is_said_against_the_paper(page: AppTest, shipped: Path):
    ship(shipped, "plain-20", PLAIN)
    ship(shipped, "resnet-20", RESIDUAL)
    opened(page, responses="in training", at="0")
    told = " ".join(each.value for each in [*page.info, *page.success])
    assert "BN makes all responses 1" in told and "paper" not in told


def test_what_records_show_does_not_speak_of_the_newest_checkpoint(page: AppTest, shipped: Path, store: RunStore):
    ship(shipped, "plain-20", PLAIN)
    run = layers_run(store, RESIDUAL, upto=100)
    opened(page, nets=run.id, n="100")
    assert "after 100 of 200 iterations" in said(page)
    page.segmented_control(key="responses").set_value("in training").run()
    assert "Snapshots of iteration 100." in said(page) and "after 100 of" not in said(page)


def test_what_takes_long_waits_for_a_click_and_says_what_it_takes(page: AppTest, shipped: Path, monkeypatch):
    ship(shipped, "plain-20", PLAIN)
    ship(shipped, "resnet-20", RESIDUAL)
    # Between the two: the residual net is measured twice, also as it was before its first update.
    monkeypatch.setattr("resnet_core.imports.cost.HEAVY", 300 * macs_per_image(PLAIN))
    opened(page)
    assert f"**{RESIDUAL.name}** · This takes long: 0 trillion multiply-adds" in said(page)
    assert {trace["name"] for trace in figures(page)[0]} == {PLAIN.name}
    (button,) = [button for button in page.button if button.label == "Compute it"]
    button.click().run()
    assert not page.exception and "takes long" not in said(page)
    assert {PLAIN.name, RESIDUAL.name} == {trace["name"] for trace in figures(page)[0]}
    page.run()
    assert "takes long" not in said(page)  # asked for once
