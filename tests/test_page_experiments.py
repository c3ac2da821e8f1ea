"""Experiments: the page is made from the declarations, computes at a click, and shows table, figure and finding."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.jobs import JOBS
from resnet_core.errors import CheckpointError
from resnet_core.experiments import EXPERIMENTS, Measured
from resnet_core.experiments.surface import Surface
from tests.analysis_tools import DEEPER, PLAIN, RESIDUAL, address, figures, said, ship, shipped
from tests.nets_tools import write_checkpoint
from tests.page_tools import app, opened
from tests.waiting import wait_for

__all__ = ["shipped"]


@pytest.fixture
def page(root: Path, shipped: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    ship(shipped, "plain-20", PLAIN)
    ship(shipped, "resnet-20", RESIDUAL)
    return app(root, monkeypatch, "experiments/page.py")


def through(page: AppTest) -> AppTest:
    wait_for(lambda: not any(job.is_active for job in JOBS._jobs.values()), "the jobs")
    return page.run()


def run(page: AppTest) -> AppTest:
    page.button(key="experiment.run").click().run()
    return through(page)


@pytest.mark.parametrize("key", EXPERIMENTS)
def test_each_experiment_says_what_it_is_about_and_what_it_takes(page: AppTest, key: str):
    opened(page, experiment=EXPERIMENTS[key].title, nets=["plain-20", "resnet-20"])
    text = said(page)
    assert EXPERIMENTS[key].question in text and EXPERIMENTS[key].limits in text
    # What these nets have not.
    nothing = {"shuffles": "it has too few blocks", "gates": "it has no gates", "reuse": "no concatenations of skips"}
    assert ("trillion multiply-adds" in text) is (key not in nothing and key != "maps")  # which are of one picture, and there at once
    assert [of for of, why in nothing.items() if why in text] == [key] * (key in nothing)
    widgets = {
        kind: [w.key.partition(".")[2] for w in page.get(kind) if w.key.startswith(f"{key}.")] for kind in ("number_input", "selectbox")
    }
    declared = [
        (each.name, "selectbox" if each.kind in ("choice", "layer", "net") else "number_input") for each in EXPERIMENTS[key].parameters
    ]
    assert widgets == {kind: [name for name, of in declared if of == kind] for kind in widgets}
    assert ("it has no additions" in text) is (key in ("paths", "ledger"))


def test_lesions_of_two_nets_side_by_side(page: AppTest):
    opened(page, experiment="Lesions", nets=["plain-20", "resnet-20"])
    page.number_input(key="lesions.images").set_value(100).run()
    run(page)
    text = said(page)
    assert "Error that the deletion of one block adds, on 100 test images" in text
    assert f"| {PLAIN.name} |" in text.replace("\\", "") and f"| {RESIDUAL.name} |" in text.replace("\\", "")
    (figure,) = figures(page)
    assert [trace["name"] for trace in figure] == [PLAIN.name, RESIDUAL.name]
    assert address(page, "nets") == ["plain-20", "resnet-20"] and "experiment.run" not in [button.key for button in page.button]
    # Another number of images is another computation, and the first is still there.
    page.number_input(key="lesions.images").set_value(200).run()
    assert "experiment.run" in [button.key for button in page.button] and not figures(page)
    page.number_input(key="lesions.images").set_value(100).run()
    assert figures(page)


def test_a_result_calls_the_net_as_who_looks_does_whoever_computed_it(page: AppTest, shipped: Path):
    opened(page, experiment="Lesions", nets=["plain-20"])
    page.number_input(key="lesions.images").set_value(20).run()
    run(page)
    (figure,) = figures(page)
    assert [trace["name"] for trace in figure] == [PLAIN.name]
    write_checkpoint(shipped, "another", PLAIN, seed=1)
    opened(page, experiment="Lesions", nets=["plain-20", "another"])
    (figure,) = figures(page)  # of the one that was computed
    assert [trace["name"] for trace in figure] != [PLAIN.name] and figure[0]["name"].startswith(f"{PLAIN.name} (")


def test_one_picture_needs_no_button_where_it_takes_but_a_moment(page: AppTest):
    opened(page, **{"experiment": "Ledger of the additions", "nets": ["resnet-20"], "ledger.picture": "3"})
    through(page)
    assert "Of test image 3 (cat) the nets say, at their last addition" in said(page)
    assert "experiment.run" not in [button.key for button in page.button]


def test_another_picture_is_read_by_the_readouts_that_are_there(page: AppTest):
    opened(page, experiment="Block by block", nets=["resnet-20"])
    page.number_input(key="readout.train").set_value(500).run()
    page.number_input(key="readout.images").set_value(100).run()
    run(page)
    assert "Error of a linear readout on 100 test images" in said(page)
    page.number_input(key="readout.picture").set_value(3).run()
    assert "Of test image 3 (cat) linear readouts" in said(page)
    page.number_input(key="readout.picture").set_value(100).run()
    assert "not among the 100 that were read" in page.error[0].value.replace("\\", "")


def test_a_net_that_fails_is_told_and_the_other_shown(page: AppTest, monkeypatch: pytest.MonkeyPatch):
    from resnet_core.experiments import run as run_it

    def refuse(experiment, net, *args, **options):
        if net.id == "plain-20":
            raise CheckpointError("The weights are gone.")
        return run_it(experiment, net, *args, **options)

    opened(page, experiment="Lesions", nets=["plain-20", "resnet-20"])
    page.number_input(key="lesions.images").set_value(300).run()
    monkeypatch.setattr("resnet_core.experiments.run", refuse)
    page.run()
    run(page)
    assert [each.value.replace("\\", "") for each in page.error] == ["The weights are gone."]
    assert RESIDUAL.name in said(page) and "experiment.run" in [button.key for button in page.button]


def test_a_surface_is_seen_coarse_at_first_and_goes_towards_a_net_of_the_same_architecture(
    page: AppTest, shipped: Path, monkeypatch: pytest.MonkeyPatch
):
    seen = []

    def stopped(experiment, net, data, given, preview, **options):
        seen.append(given["towards"].id)
        places, loss = np.array([-0.5, 0.5, 1.5]), np.full((3, 1), 0.25)
        preview(Measured(net.id, net.name, net.model, Surface(places, np.zeros(1), loss, 0.25, 100, "twin")))
        raise CheckpointError("The weights are gone.")

    opened(page, experiment="Loss surface", nets=["plain-20", "resnet-20"])
    assert page.selectbox(key="surface.towards").options == ["at random"]
    write_checkpoint(shipped, "twin", RESIDUAL, seed=1)
    opened(page, experiment="Loss surface", nets=["plain-20", "resnet-20", "twin"])
    assert "by a pass of images that was timed on this machine" in said(page)
    page.selectbox(key="surface.towards").set_value("twin").run()
    text = said(page).replace("\\", "")
    assert "towards: " in text and "are of different architectures" in text and "is the net itself" in text
    monkeypatch.setattr("resnet_core.experiments.run", stopped)
    page.run()
    run(page)
    assert seen == ["twin"] and [each.value.replace("\\", "") for each in page.error] == ["The weights are gone."]
    assert "0.25 at the net, 0.25 at twin" in said(page) and figures(page)


def test_a_test_image_of_predict_leads_to_its_readout_and_its_ledger(page: AppTest, root: Path, monkeypatch: pytest.MonkeyPatch):
    predict = opened(app(root, monkeypatch, "predict/page.py"), image="3")
    asked = [parse_qs(link.proto.query_string) for link in predict.get("page_link")]
    assert [query["experiment"] for query in asked] == [[EXPERIMENTS["readout"].title], [EXPERIMENTS["ledger"].title]]
    assert asked[1]["nets"] == address(predict, "nets") and asked[1]["ledger.picture"] == ["3"]
    through(opened(page, **asked[1]))
    assert "Of test image 3 (cat) the nets say" in said(page)


def test_the_strongest_of_another_channel_take_no_new_computation(page: AppTest):
    opened(page, **{"experiment": "Strongest images", "nets": ["plain-20", "resnet-20"], "strongest.layer": "layer2.0"})
    page.number_input(key="strongest.images").set_value(100).run()
    run(page)
    assert "Channel 0 by its maximum, of 100 test images" in said(page)
    page.number_input(key="strongest.channel").set_value(5).run()
    page.selectbox(key="strongest.by").set_value("mean").run()
    assert "Channel 5 by its mean, of 100 test images" in said(page) and "experiment.run" not in [button.key for button in page.button]
    assert {trace["type"] for trace in figures(page)[0]} == {"image", "scatter"}
    page.number_input(key="strongest.channel").set_value(8).run()
    assert "layer2.0 has no channel 8: they go from 0 to 7" in page.error[0].value.replace("\\", "")


def test_maps_are_of_the_nets_that_have_the_layer(page: AppTest, shipped: Path):
    ship(shipped, "resnet-56", DEEPER)
    opened(page, **{"experiment": "Feature maps", "nets": ["plain-20", "resnet-56"], "maps.layer": "layer2.1.conv1"})
    through(page)
    text = said(page)
    assert f"{DEEPER.name}: layer2.1.conv1, " in text and "it has no layer layer2.1.conv1" in text
