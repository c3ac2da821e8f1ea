"""What is said of transferred nets, their chart, the panel on Checkpoints, and the command."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from streamlit.testing.v1 import AppTest

from resnet_core.architectures import ResNetConfig, parse
from resnet_core.architectures.net import build_model
from resnet_core.claims.transferred import comparable, curves, near_the_data, sentences
from resnet_core.config import DataConfig, Recipe, RunConfig, Start
from resnet_core.figures.transfer import transfer_figure
from resnet_core.nets.folder import save_weights
from resnet_core.runs import RunStore
from tests import runs_tools
from tests.checkpoints_tools import checkpoints_page, shipped_folder, texts  # noqa: F401  fixtures among them
from tests.nets_tools import save_run, write_checkpoint
from tests.page_tools import live_chart, opened

NET = ResNetConfig(8, "A", 4)


def ended(size: int, seed: int, error: float, **start) -> tuple[RunConfig, float]:
    begun = Start("ResNet-8-w4", "x", 9, "ab" * 32, "transferred", **start) if start is not None and "scratch" not in start else None
    return RunConfig(NET, DataConfig("fashion-sample", images_per_class=size), Recipe(seed=seed), begun), error


def test_each_way_is_held_against_scratch_seed_by_seed():
    found = curves(
        [
            ended(10, 0, 40.0, scratch=True), ended(10, 1, 50.0, scratch=True), ended(50, 0, 30.0, scratch=True),
            ended(10, 0, 30.0), ended(10, 1, 45.0), ended(10, 2, 1.0), ended(50, 0, 31.5),
            ended(10, 0, 38.0, frozen=2), ended(10, 0, 99.0, frozen=2), ended(200, 0, 20.0, stage_decay=0.5),
        ]
    )  # fmt: skip
    assert [each.way.name for each in found] == [
        "from scratch",
        "transferred",
        "transferred, rate × 0.5 a stage",
        "transferred, 2 groups frozen",
    ]
    assert found[1].errors == {10: {0: 30.0, 1: 45.0, 2: 1.0}, 50: {0: 31.5}} and found[3].errors == {10: {0: 38.0}}
    assert sentences(found) == [
        "10 images of each class, transferred: test error -7.5 points against scratch, on average over 2 seeds (-10.0 to -5.0).",
        "50 images of each class, transferred: test error +1.5 points against scratch, with one seed.",
        "10 images of each class, transferred, 2 groups frozen: test error -2.0 points against scratch, with one seed.",
    ]
    for dark in (False, True):
        figure = transfer_figure(found, dark)
        means = {trace.name: (list(trace.x), list(trace.y)) for trace in figure.data if trace.mode == "lines+markers"}
        assert means["from scratch"] == ([10, 50], [45.0, 30.0]) and list(figure.layout.xaxis.tickvals) == [10, 50, 200]
        assert len({trace.line.color for trace in figure.data if trace.mode == "lines+markers"}) == 4


def test_trainings_are_compared_that_share_all_but_seed_images_and_weights():
    one, other = ended(10, 0, 1.0)[0], ended(50, 3, 1.0, scratch=True)[0]
    assert comparable(one) == comparable(other)
    assert comparable(one) == comparable(dataclasses.replace(one, recipe=Recipe(test_every=7, layers_every=9)))
    assert comparable(one) != comparable(dataclasses.replace(one, recipe=Recipe(iterations=5)))
    assert comparable(one) != comparable(RunConfig(NET, DataConfig("sample", images_per_class=10)))


def test_gradients_near_the_data_are_held_against_those_of_the_last_layers():
    assert near_the_data([{"gradient_norm": [9.0] * 7}, {"gradient_norm": [4.0, 2.0, 50.0, 50.0, 50.0, 1.0, 0.5]}]) == 4.0
    assert near_the_data([]) is None and near_the_data([{"gradient_norm": [1.0, None, 0.0]}]) is None


def test_the_panel_trains_both_ways_and_shows_what_came_of_it(page: AppTest):
    parent = save_run()
    opened(page, checkpoint=parent.id, view="Transfer")
    assert "Nothing of this has been trained yet" in " ".join(each.value for each in page.info) and not page.exception
    page.multiselect(key="transfer.sizes").set_value([10]).run()
    page.selectbox(key=f"transfer.frozen.{parent.id}").set_value(2).run()
    page.number_input(key="transfer.iterations").set_value(30).run()
    page.number_input(key="transfer.seeds").set_value(2).run()
    assert "4 trainings" in texts(page)
    page.button(key="transfer.start").click().run()
    assert not page.exception and not page.error and page.success
    queued = RunStore().queue()[-4:]
    assert [run.name for run in queued] == ["ResNet-8-w4 transferred, 2 groups frozen", "ResNet-8-w4"] * 2
    assert {run.config.data for run in queued} == {DataConfig("fashion-sample", images_per_class=10)}
    assert {run.config.recipe.seed for run in queued} == {0, 1} and {run.config.recipe.iterations for run in queued} == {30}
    for run, error in zip(queued, (20.0, 30.0, 25.0, 40.0), strict=True):
        runs_tools.put(RunStore(), run, state="finished", result={"test_error": error})
    page.run()
    chart = live_chart(page)
    assert "on average over 2 seeds (-15.0 to -10.0)" in texts(page) and {"from scratch", "transferred, 2 groups frozen"} <= {
        trace["name"] for trace in chart["figure"]["traces"]
    }
    page.multiselect(key="transfer.sizes").set_value([]).run()
    assert "choose at least one" in page.error[0].value and not page.exception


def test_a_net_for_larger_images_is_warned_of_on_the_panel_too(page: AppTest, shipped):
    write_checkpoint(shipped, "larger", parse("ResNet-18-w8-ImageNet"), normalization="imagenet")
    opened(page, checkpoint="larger", view="Transfer")
    (warning,) = [each.value for each in page.warning if "made for images of 224x224" in each.value]
    assert "these have 32x32" in warning


@pytest.mark.slow
def test_the_command_trains_and_tells_the_difference(cli, tmp_path):
    mean = torch.full((3, 1, 1), 0.5)
    save_weights(tmp_path / "net.safetensors", build_model(NET, 3).state_dict(), mean, mean.clone(), NET, "half")
    done = cli("transfer", str(tmp_path / "net.safetensors"), "--data", "fashion-sample", "--images-per-class", "3", "--iterations", "3",
               "--frozen", "1", "--scratch", "--precision", "fp32", "--compile", "off", "--device", "cpu")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "3 images of each class, transferred, 1 group frozen: test error" in done.stdout
    assert sorted(run.name for run in cli.store.runs()) == ["ResNet-8-w4", "ResNet-8-w4 transferred, 1 group frozen"]
