"""Train: the fields that write a net's name, rows made by varying something, and what is said of how rows differ."""
# ruff: noqa: F811  the fixtures

from __future__ import annotations

import pytest

from resnet_core.config import DEMO_DATA, DEMO_RECIPE
from tests.page_tools import write_run
from tests.test_page_train import DEMO, edit, errors, opened, plan, started, train, words  # noqa: F401

FIELDS = "train.net.resnet."


def nets(page) -> list[str]:
    return [row["net"] for row in plan(page)]


def warnings(page) -> list[str]:
    return [warning.value.replace("\\", "") for warning in page.warning]


def vary(page, things: list[str], **values: list) -> None:
    page.multiselect(key=f"{FIELDS}vary").set_value(things).run()
    for name, chosen in values.items():
        page.multiselect(key=f"{FIELDS}vary.{name}").set_value(chosen)
    page.run()


def test_the_fields_write_a_name_which_is_added_below_the_others(opened, store):
    assert "**ResNet-20**  \n:small[269,722 parameters, 40,551,040 MACs]" in words(opened)
    edit(opened, edited={0: {"net": "plain-32", "iterations": 9}})
    opened.selectbox(key=f"{FIELDS}depth").set_value("56")
    opened.selectbox(key=f"{FIELDS}shortcut").set_value("B")
    opened.selectbox(key=f"{FIELDS}norm").set_value("none")
    opened.number_input(key=f"{FIELDS}width").set_value(8).run()
    assert "**ResNet-56-B-nobn-w8**" in words(opened)
    opened.button(key="train.net.add").click().run()
    assert nets(opened) == ["plain-32", "plain-56", "ResNet-20", "ResNet-56", "ResNet-56-B-nobn-w8"], "what was edited stays"
    started(opened)
    last = store.runs()[-1].config
    assert (last.model.name, last.recipe.iterations) == ("ResNet-56-B-nobn-w8", 9), "it is trained as the first row is"
    assert last.data == DEMO_DATA


def test_fields_that_make_no_net_are_explained(opened):
    opened.selectbox(key=f"{FIELDS}shortcut").set_value("none")
    opened.selectbox(key=f"{FIELDS}branch").set_value("rezero").run()
    assert errors(opened) == ["branch: rezero needs a shortcut: a plain net whose blocks are multiplied by 0 passes nothing on."]
    assert opened.button(key="train.net.add").disabled
    assert len(plan(opened)) == 4
    opened.selectbox(key=f"{FIELDS}shortcut").set_value("C").run()
    assert not errors(opened) and "**ResNet-20-C-rezero**" in words(opened)


def test_a_family_from_outside_has_its_fields_there_too(train, toys, store):
    train.run()
    train.selectbox(key="train.net.family").set_value("toy").run()
    assert not train.exception
    train.number_input(key="train.net.toy.filters").set_value(4)
    train.selectbox(key="train.net.toy.depth").set_value("10").run()
    train.button(key="train.net.add").click().run()
    assert nets(train)[-1] == "toy-10-f4"
    assert warnings(train)[0].startswith("More than one thing differs between row 1 (plain-20) and row 5 (toy-10-f4): family and depth.")
    # Its nets are listed with their family, others without.
    write_run(store, DEMO[0], 50.0)
    started(train)
    labels = {run.config.model.name: train.checkbox(key=f"show.{run.id}").label.replace("\\", "") for run in store.runs()}
    assert labels["toy-10-f4"].startswith("**toy-10-f4** (Toys) ") and "(" not in labels["plain-20"]


def test_families_for_other_images_are_not_offered_but_their_names_are_read(opened):
    offered = opened.selectbox(key="train.net.family").options
    assert offered[0] == "ResNets for CIFAR" and {"DenseNets for CIFAR", "VGG nets for CIFAR", "GoogLeNet for CIFAR"} <= set(offered)
    assert not [title for title in offered if "ImageNet" in title or title in ("AlexNet", "GoogLeNet")]
    edit(opened, edited={0: {"net": "ResNet-18-c10-ImageNet"}})
    assert not errors(opened)
    (row, *_) = plan(opened)
    # Of 32 pixels, as the images of the data are: the first convolution, four stages with three projections, the last layer.
    assert (row["net"], row["MACs"]) == ("ResNet-18-c10-ImageNet", 2_408_448 + 9_437_184 + 3 * 8_388_608 + 5_120)
    # Before it is started it is said what becomes of such images in it, and what to do.
    (warning,) = [text for text in warnings(opened) if "made for images of 224x224" in text]
    assert "ResNet-18-c10-ImageNet" in warning and "Choose ResNet-18-CIFAR" in warning and not opened.button(key="train.start").disabled
    edit(opened, edited={0: {"net": "AlexNet"}})
    (error,) = errors(opened)
    assert "cannot compute with 32x32" in error and "Choose AlexNet-CIFAR" in error and opened.button(key="train.start").disabled


def test_depths_and_shortcuts_are_varied(opened, store):
    opened.selectbox(key=f"{FIELDS}activation").set_value("pre").run()
    edit(opened, edited={0: {"iterations": 9}})
    assert opened.button(key="train.vary.make").label == "Make 6 rows"
    assert "They differ in depth and shortcut. All rows that the table has now (4) are replaced." in words(opened)
    vary(opened, ["depth", "shortcut"], depth=["20", "26"], shortcut=["none", "A"])
    opened.number_input(key="train.net.seeds").set_value(2).run()
    assert opened.button(key="train.vary.make").label == "Make 8 rows"
    assert nets(opened)[0] == "plain-20", "nothing is replaced before the click"
    opened.button(key="train.vary.make").click().run()
    assert not opened.exception and not errors(opened)
    assert nets(opened)[::2] == ["plain-20-preact", "ResNet-20-preact", "plain-26-preact", "ResNet-26-preact"]
    assert "These 8 rows differ in depth, shortcut and seed." in words(opened)
    assert not warnings(opened)
    started(opened)
    assert [(run.config.recipe.seed, run.config.recipe.iterations) for run in store.runs()] == [(0, 9), (1, 9)] * 4


def test_a_field_of_the_recipe_is_varied(opened, store):
    edit(opened, edited={0: {"iterations": 1_234_567}})
    vary(opened, ["iterations"])
    assert opened.multiselect(key=f"{FIELDS}vary.iterations").value == ["1234567"] and not errors(opened)
    edit(opened)
    vary(opened, ["learning_rate"])
    assert opened.button(key="train.vary.make").label == "Make 1 row"
    vary(opened, ["learning_rate"], learning_rate=["0.1", "0.03"])
    opened.button(key="train.vary.make").click().run()
    assert "These 2 rows differ in learning rate." in words(opened)
    started(opened)
    assert [(run.config.model.name, run.config.recipe.learning_rate) for run in store.runs()] == [("ResNet-20", 0.1), ("ResNet-20", 0.03)]


@pytest.mark.parametrize(
    ("things", "values", "message"),
    [
        (["depth"], {"depth": []}, "depth: choose at least one value."),
        (["depth"], {"depth": ["20", "deep"]}, "depth: 'deep' is not a whole number."),
        (["learning_rate"], {"learning_rate": ["fast"]}, "learning rate: 'fast' is not a number."),
        (["width"], {"width": [str(width) for width in range(1, 102)]}, "rows: 101 would be made; at most 100 can be."),
    ],
)
def test_what_cannot_be_varied_is_explained(opened, things, values, message):
    vary(opened, things, **values)
    assert errors(opened) == [message]
    assert not [button for button in opened.button if button.key == "train.vary.make"]
    assert len(plan(opened)) == 4


def test_combinations_that_there_are_not_are_left_out_and_told(opened):
    vary(opened, ["shortcut", "branch"], shortcut=["none", "A"], branch=["plain", "rezero"])
    (warning,) = warnings(opened)
    assert warning.startswith("Left out: branch: rezero needs a shortcut")
    opened.button(key="train.vary.make").click().run()
    assert nets(opened) == ["plain-20", "ResNet-20", "ResNet-20-rezero"]


def test_rows_that_differ_in_more_than_one_thing_are_told(opened):
    assert "These 4 rows differ in depth and shortcut." in words(opened)
    assert not warnings(opened)
    edit(opened, edited={0: {"batch_size": 64}}, deleted=[2, 3])
    assert "These 2 rows differ in depth and batch size." in words(opened)
    assert warnings(opened) == [
        "More than one thing differs between row 1 (plain-20) and row 2 (plain-56): depth and batch size. No rows between them change one "
        "thing at a time, so their results cannot tell which of these matters."
    ]
    edit(opened, edited={1: {"net": "plain-20"}}, deleted=[2, 3])
    assert "These 2 rows are the same training." in words(opened) and not warnings(opened)
    edit(opened, deleted=[1, 2, 3])
    assert "These" not in words(opened)


def test_a_preset_changes_one_part_at_a_time(opened):
    opened.button(key="preset.One part at a time").click().run()
    assert nets(opened) == ["ResNet-20", "ResNet-20-nobn", "ResNet-20-preact", "ResNet-20-rezero", "plain-20", "plain-20-nobn"]
    assert not warnings(opened)
    assert "These 6 rows differ in shortcut, normalisation, activation order and branch scale." in words(opened)
    assert {row["epochs"] for row in plan(opened)} == {DEMO_RECIPE.iterations * DEMO_RECIPE.batch_size / 300}


def test_the_papers_presets_are_the_papers(opened):
    opened.button(key="preset.Paper, 110 layers").click().run()
    assert [row["net"] for row in plan(opened)] == ["plain-110", "ResNet-110"]
    assert {row["schedule"] for row in plan(opened)} == {"the paper's full schedule"}
    assert {row["epochs"] for row in plan(opened)} == {163.84}
    assert opened.selectbox(key="train.dataset").value == "cifar10"
    assert "warmup" in opened.data_editor[0].value.columns
    assert set(opened.data_editor[0].value["warmup"]) == {"error"}
    opened.button(key="preset.Shortcuts A, B, C").click().run()
    assert [row["net"] for row in plan(opened)] == ["plain-20", "ResNet-20", "ResNet-20-B", "ResNet-20-C"]
    assert [row["parameters"] for row in plan(opened)][2] == 269_722 + 2_752
