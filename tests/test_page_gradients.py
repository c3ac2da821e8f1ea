"""Gradients: heat maps and lines are the records', the findings are of the numbers, and imported nets are measured now."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from resnet_core import data
from resnet_core.activations import activation_bytes
from resnet_core.analysis.gradients import layer_gradients
from resnet_core.config import DataConfig
from resnet_core.nets import catalog
from resnet_core.nets.loading import load
from resnet_core.runs import RunStore
from tests.analysis_tools import DEEPER, PLAIN, RESIDUAL, figures, layer_rows, layers_run, said, ship, shipped
from tests.nets_tools import write_checkpoint
from tests.page_tools import app, array, held, opened

__all__ = ["shipped"]


@pytest.fixture
def page(root: Path, monkeypatch: pytest.MonkeyPatch, shipped: Path) -> AppTest:
    """Of the nets before their first update only the smallest, which are there in a moment."""
    made = app(root, monkeypatch, "gradients/page.py")
    made.query_params["depths"] = "8"
    return made


def norms(model, scale: float = 1.0) -> np.ndarray:
    """(T, L)"""
    return np.array([row["gradient_norm"] for row in layer_rows(model, scale)])


def lines(traces: list[dict]) -> dict[str, np.ndarray]:
    return {trace["name"]: array(trace["y"]) for trace in traces}


def test_without_nets_it_says_where_to_begin_and_shows_the_first_update_all_the_same(page: AppTest):
    opened(page)
    assert "There is no net to look into yet" in page.info[0].value and len(page.get("page_link")) == 2
    (before,) = figures(page)
    assert {trace["name"] for trace in before} == {"plain-8", "ResNet-8"} and len(before) == 4
    assert "With BN, each layer's gradient beside the last layer's" in said(page)
    assert "Without BN" in said(page) and "healthy norms" in said(page)


def test_heat_maps_and_lines_are_the_records_and_follow_the_slider(page: AppTest, shipped: Path):
    ship(shipped, "plain-20", PLAIN, 2.0)
    ship(shipped, "resnet-20", RESIDUAL)
    ship(shipped, "resnet-56", DEEPER)
    opened(page)
    heat, at_end, _ = figures(page)
    assert [trace["name"] for trace in heat] == [PLAIN.name, RESIDUAL.name]  # the twins, not the deepest
    for trace, model, scale in zip(heat, (PLAIN, RESIDUAL), (2.0, 1.0), strict=True):
        np.testing.assert_allclose(array(trace["z"]), np.log10(norms(model, scale)).T)
        assert array(trace["x"]).tolist() == [0, 50, 100, 150, 200]
    assert list(lines(at_end)) == [PLAIN.name, RESIDUAL.name, DEEPER.name]
    np.testing.assert_allclose(lines(at_end)[DEEPER.name], norms(DEEPER)[-1])
    page.slider(key="at").set_value(100).run()
    np.testing.assert_allclose(lines(figures(page)[1])[PLAIN.name], norms(PLAIN, 2.0)[2])
    assert "at iteration 100" in " ".join(header.value for header in page.header)
    # The same of the weights, and of the gradients beside them.
    page.button_group(key="of_layer").set_value("|g| / |w|").run()
    assert not page.exception and not page.error
    weights = np.array([row["weight_norm"] for row in layer_rows(PLAIN, 2.0)])
    np.testing.assert_allclose(lines(figures(page)[1])[PLAIN.name], (norms(PLAIN, 2.0) / weights)[2])


def test_a_gradient_that_stays_is_said_not_to_vanish(page: AppTest, shipped: Path):
    ship(shipped, "plain-20", PLAIN)
    ship(shipped, "resnet-20", RESIDUAL)
    opened(page)
    (finding,) = [box.value for box in page.success if "over the recorded trainings" in box.value]
    # The first of seven layers has 1/7 of the last one's gradient at every moment.
    assert "from 1/7 to 1 times" in finding and "does not vanish" in finding and "do not explain degradation" in finding


def test_a_gradient_that_vanishes_is_said_to(page: AppTest, shipped: Path):
    path = ship(shipped, "plain-20", PLAIN)
    rows = layer_rows(PLAIN)
    rows[2]["gradient_norm"][0] = 1e-6
    rows[3]["gradient_norm"] = [None] * len(rows[3]["names"])  # not finite: null in the records
    (path / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    opened(page)
    (finding,) = [box.value for box in page.info if "over the recorded trainings" in box.value]
    assert "falls below 1/100" in finding and "at iteration 100" in finding and "unlike what He et al. report" in finding
    assert "1 of 5" in finding and "do not explain" not in finding


def test_a_running_run_is_followed(page: AppTest):
    store = RunStore()
    run = layers_run(store, PLAIN, upto=100, saved=False)
    with held(run):
        opened(page)
        assert array(figures(page)[0][0]["x"]).tolist() == [0, 50, 100] and "running" in said(page)
    page.run()
    assert "interrupted" in said(page)


def test_imported_nets_are_measured_now(page: AppTest, shipped: Path):
    write_checkpoint(RunStore().home / ".imported", "from-elsewhere", RESIDUAL, normalization="cifar10")
    opened(page)
    assert page.button_group(key="gradients").disabled
    measured, _ = figures(page)
    (net,) = catalog().nets
    loaded, train = load(net), data.load(DataConfig()).train
    expected = layer_gradients(loaded.model, train.images, train.labels, loaded.normalize, loaded.plan, batches=4)
    np.testing.assert_allclose(lines(measured)[RESIDUAL.name], expected.gradient_norm, rtol=1e-5)
    assert "trained elsewhere" in said(page) and "4 batches of 128 training images" in said(page)


def test_beside_recorded_nets_an_imported_one_is_named_as_without_records(page: AppTest, shipped: Path):
    ship(shipped, "plain-20", PLAIN)
    write_checkpoint(RunStore().home / ".imported", "from-elsewhere", RESIDUAL)
    opened(page, nets=["plain-20", "from-elsewhere"])
    assert f"measured now only: {RESIDUAL.name}" in said(page)
    page.button_group(key="gradients").set_value("measured now").run()
    assert list(lines(figures(page)[0])) == [PLAIN.name, RESIDUAL.name]


def test_a_wrong_checksum_is_named_and_left_out(page: AppTest, shipped: Path):
    ship(shipped, "plain-20", PLAIN)
    (ship(shipped, "resnet-20", RESIDUAL) / "weights.safetensors").write_bytes(b"other")
    opened(page)
    assert "Checkpoint resnet-20: the checksum" in said(page) and len(page.warning) == 1
    assert [trace["name"] for trace in figures(page)[0]] == [PLAIN.name]


def test_heat_maps_of_a_chosen_net_and_lines_over_the_layers(page: AppTest, shipped: Path):
    ship(shipped, "plain-20", PLAIN)
    ship(shipped, "resnet-56", DEEPER)
    opened(page, heat=[DEEPER.name], over="layer")
    heat, moment, _ = figures(page)
    assert [trace["name"] for trace in heat] == [DEEPER.name]
    assert array(moment[0]["x"]).tolist() == list(range(1, 8))


def test_where_the_nets_of_the_heat_maps_go_others_come(page: AppTest, shipped: Path):
    ship(shipped, "plain-20", PLAIN)
    ship(shipped, "resnet-20", RESIDUAL)
    ship(shipped, "resnet-56", DEEPER)
    opened(page, heat=[DEEPER.name])
    (nets,) = [each for each in page.multiselect if each.key != "heat"]
    nets.set_value([option for option in nets.value if "56" not in option]).run()
    assert [trace["name"] for trace in figures(page)[0]] == [PLAIN.name, RESIDUAL.name]
    page.multiselect(key="heat").set_value([]).run()  # the viewer's own wish
    assert page.multiselect(key="heat").value == [] and not page.exception


def test_before_the_first_update_the_choice_is_followed(page: AppTest):
    opened(page, family=["plain"], of="responses")
    (before,) = figures(page)
    assert [trace["name"] for trace in before] == ["plain-8", "plain-8"]
    page.button_group(key="depths").set_value([]).run()
    assert "Choose at least one depth" in page.info[-1].value and not figures(page)


def test_a_net_whose_batch_does_not_fit_has_a_smaller_one_and_says_so(page: AppTest, shipped: Path, monkeypatch):
    write_checkpoint(RunStore().home / ".imported", "from-elsewhere", RESIDUAL)
    for module in ("activations", "analysis.gradients"):
        monkeypatch.setattr(f"resnet_core.{module}.WHOLE_BUDGET", 40 * activation_bytes(RESIDUAL, gradients=True))
    opened(page)
    (net,) = catalog().nets
    loaded, train = load(net), data.load(DataConfig()).train
    expected = layer_gradients(loaded.model, train.images, train.labels, loaded.normalize, loaded.plan, batches=4, batch_size=40)
    np.testing.assert_allclose(lines(figures(page)[0])[RESIDUAL.name], expected.gradient_norm, rtol=1e-5)
    assert f"Of {RESIDUAL.name} a batch has 40 images: 128 take about 0.0 GB of memory" in said(page)
    for module in ("activations", "analysis.gradients"):
        monkeypatch.setattr(f"resnet_core.{module}.WHOLE_BUDGET", 1)
    page.run()
    assert "Not even two images of this net fit" in page.error[0].value and not page.exception


def test_gradients_that_take_long_wait_for_a_click(page: AppTest, shipped: Path, monkeypatch):
    write_checkpoint(RunStore().home / ".imported", "from-elsewhere", RESIDUAL)
    monkeypatch.setattr("resnet_core.imports.cost.HEAVY", 1.0)
    opened(page)
    assert f"**{RESIDUAL.name}** · This takes long" in said(page) and len(figures(page)) == 1
    (button,) = [button for button in page.button if button.label == "Compute it"]
    button.click().run()
    assert len(figures(page)) == 2 and "takes long" not in said(page)
