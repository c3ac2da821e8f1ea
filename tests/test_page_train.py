"""Train: the table and what its rows mean, what they cost, starting them, and every run with what can be done with it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.train import data_pick
from pages.ui.labels import duration
from resnet_core.architectures import ResNetConfig
from resnet_core.config import DataConfig, Recipe, RunConfig, demo_configs
from resnet_core.runs import RunStore
from tests.page_tools import app, curve, held, live_chart, progress, write_run

DEMO = demo_configs()
#: Of each net of the demo.
ITERATIONS, IMAGES = DEMO[0].recipe.iterations, DEMO[0].recipe.iterations * DEMO[0].recipe.batch_size


@pytest.fixture
def train(root: Path, store: RunStore, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    return app(root, monkeypatch, "train/page.py")


@pytest.fixture
def opened(train: AppTest) -> AppTest:
    train.run()
    assert not train.exception and not train.error
    return train


def edit(page: AppTest, edited: dict | None = None, added: list | None = None, deleted: list | None = None) -> AppTest:
    """What the viewer does in the table: row -> column -> value, new rows, numbers of deleted rows."""
    (editor,) = page.data_editor
    page.session_state[editor.key] = {"edited_rows": edited or {}, "added_rows": added or [], "deleted_rows": deleted or []}
    return page.run()


def plan(page: AppTest) -> list[dict]:
    """The table of what the trainings amount to."""
    (table,) = [d for d in page.dataframe if "parameters" in d.value.columns]
    return table.value.to_dict("records")


def errors(page: AppTest) -> list[str]:
    return [e.value.replace("\\", "") for e in page.error]


def words(page: AppTest) -> str:
    return " ".join(e.value for e in [*page.markdown, *page.caption, *page.info, *page.success]).replace("\\", "")


def rows(page: AppTest) -> list[tuple[str, str]]:
    """State and progress of each run in the list."""
    badges = [box.label.split("material/")[1].split(": ")[1].removesuffix("]") for box in page.checkbox if box.key.startswith("show.")]
    return list(zip(badges, progress(page), strict=True))


def started(page: AppTest) -> AppTest:
    page.button(key="train.start").click().run()
    assert not page.exception and not page.error
    return page


def test_it_opens_with_the_demo_and_what_it_costs(opened):
    rows = plan(opened)
    assert [row["net"] for row in rows] == ["plain-20", "plain-56", "ResNet-20", "ResNet-56"]
    assert [row["parameters"] for row in rows] == [269_722, 853_018, 269_722, 853_018]
    assert [row["MACs"] for row in rows] == [40_551_040, 125_485_696, 40_551_040, 125_485_696]
    assert {row["epochs"] for row in rows} == {IMAGES / DEMO[0].data.train_images}
    assert {row["schedule"] for row in rows} == {f"1/{round(64_000 * 128 / IMAGES)} of the paper's schedule"}
    assert {(row["time"], row["in the store"]) for row in rows} == {("not yet measured", "new")}
    assert opened.button(key="train.start").label == "Start training 4 nets (time not yet measured on this machine)"


def test_time_is_estimated_from_what_this_machine_has_shown(train, store):
    write_run(store, DEMO[0], 49.0, images_per_second=1000.0)
    train.run()
    # At 1000 images a second; 56 layers have 125485696 / 40551040 times the work.
    shallow, deep = IMAGES / 1000, IMAGES / 1000 * 125_485_696 / 40_551_040
    times = [f"about {duration(seconds)}" for seconds in (shallow, deep, shallow, deep)]
    assert [row["time"] for row in plan(train)] == times
    assert train.button(key="train.start").label == f"Start training 3 nets (about {duration(shallow + 2 * deep)})"


def test_start_queues_the_rows_and_turns_to_the_runs(opened, store):
    started(opened)
    assert [run.config for run in store.runs()] == DEMO
    assert opened.session_state["tab"] == "Runs"
    assert opened.success[0].value == "4 runs queued."
    together, *queued = progress(opened)
    assert "4 queued" in together
    assert queued == ["next in the queue", *(f"place {k} in the queue" for k in (2, 3, 4))]
    assert {c["name"] for c in live_chart(opened)["curves"]} == {"plain-20", "plain-56", "ResNet-20", "ResNet-56"}


def test_edited_added_and_deleted_rows_are_trained_as_they_stand(opened, store):
    edit(
        opened,
        edited={0: {"net": "ResNet-32-B", "seed": 5, "learning_rate": 0.5}},
        added=[{"net": "resnet 29 c bottleneck w8", "seed": 1, "iterations": 10, "batch_size": 4, "learning_rate": 0.1}
               | {"schedule": "step", "warmup": "error"}],
        deleted=[1, 3],
    )  # fmt: skip
    assert not errors(opened)
    assert [row["net"] for row in plan(opened)] == ["ResNet-32-B", "ResNet-20", "ResNet-29-C-bottleneck-w8"]
    started(opened)
    first, second, third = [run.config for run in store.runs()]
    assert first == RunConfig(ResNetConfig(32, "B"), DEMO[0].data, dataclasses.replace(DEMO[0].recipe, seed=5, learning_rate=0.5))
    assert second == DEMO[2]
    assert third.model == ResNetConfig(29, "C", 8, "bottleneck")
    changes = {"iterations": 10, "batch_size": 4, "learning_rate": 0.1, "schedule": "step", "warmup": "error", "seed": 1}
    assert third.recipe == dataclasses.replace(DEMO[0].recipe, **changes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"net": "plain-21"},
            "Row 2: depth: 21 is not of the form 6n+2 (basic blocks, up to 1202); the nearest valid depths are 20 and 26.",
        ),
        ({"net": "plain-56-w0"}, "Row 2: width: 0 is out of range; it must be from 1 to 256."),
        (
            {"net": "plain-56-nobm"},
            "Row 2: Net: 'plain-56-nobm' does not name a net: 'nobm' is no part of such a name. "
            "The nearest are plain-56-nobn, plain-56, ResNet-56-nobn.",
        ),
        ({"net": "ResNet-18-ImageNet-c7"}, "Row 2: Net: ResNet-18-c7-ImageNet has 7 outputs, and the data 10 classes."),
        ({"net": None}, "Row 2: Net: is empty."),
        ({"iterations": None}, "Row 2: Iterations: is empty."),
        ({"learning_rate": -1.0}, "Row 2: Rate: -1 is out of range; it must be above 0 and at most 100."),
    ],
)
def test_a_wrong_value_is_explained_and_nothing_is_lost(opened, store, change, message):
    edit(opened, edited={1: change, 3: {"seed": 9}})
    assert errors(opened) == [message]
    assert [row["row"] for row in plan(opened)] == [1, 3, 4]
    assert opened.button(key="train.start").disabled
    edit(opened, edited={1: {"net": "plain-26"}, 3: {"seed": 9}})
    assert not errors(opened)
    started(opened)
    assert [(run.config.model.depth, run.config.recipe.seed) for run in store.runs()] == [(20, 0), (26, 0), (20, 0), (56, 9)]


def test_a_configuration_in_two_rows_is_one_training(opened, store):
    edit(opened, edited={2: {"net": "plain-20"}})
    assert [row["in the store"] for row in plan(opened)] == ["new", "new", "the same as row 1", "new"]
    assert opened.button(key="train.start").label.startswith("Start training 3 nets")
    started(opened)
    assert [run.config.model.name for run in store.runs()] == ["plain-20", "plain-56", "ResNet-56"]
    assert opened.success[0].value == "3 runs queued."


def test_an_empty_table_says_what_to_do(opened):
    edit(opened, deleted=[0, 1, 2, 3])
    assert "The table is empty" in words(opened)
    assert not [b for b in opened.button if b.key == "train.start"]


def test_every_field_of_the_recipe_can_be_chosen(opened, store):
    chosen = {
        "momentum": 0.5, "weight_decay": 0.01, "gamma": 0.2, "warmup_iterations": 3, "warmup_learning_rate": 0.002, "warmup_error": 70.0,
        "pca_colour": 0.1, "colour_jitter": 0.4, "patience": 3, "replicas": 2,
        "record_every": 2, "test_every": 30, "layers_every": 40, "checkpoint_every": 50,
    }  # fmt: skip
    for name, value in chosen.items():
        opened.number_input(key=f"train.recipe.{name}").set_value(value)
    words_chosen = {"augmentation": "scale", "device": "cpu", "precision": "fp32", "compile": "off"}
    for name, value in words_chosen.items():
        opened.selectbox(key=f"train.recipe.{name}").set_value(value)
    opened.text_input(key="train.recipe.milestones").set_value("0.25, 0.9")
    opened.text_input(key="train.recipe.scale_range").set_value("36, 48")
    opened.run()
    in_table = {"seed": 4, "iterations": 100, "batch_size": 16, "learning_rate": 0.3, "schedule": "cosine", "warmup": "linear"}
    edit(opened, edited={0: in_table}, deleted=[1, 2, 3])
    started(opened)
    (run,) = store.runs()
    wanted = Recipe(**chosen, **words_chosen, **in_table, milestones=(0.25, 0.9), scale_range=(36, 48))
    assert run.config.recipe == wanted
    assert all(getattr(wanted, f.name) != f.default for f in dataclasses.fields(Recipe)), "each field was given another value"


def test_milestones_that_are_no_numbers_are_explained(opened):
    opened.text_input(key="train.recipe.milestones").set_value("half").run()
    assert errors(opened) == ["milestones: 'half' is not a list of numbers with commas between them, like 0.5, 0.75."]
    opened.text_input(key="train.recipe.milestones").set_value("0.75, 0.5").run()
    assert errors(opened) == ["Rows 1, 2, 3, 4: milestones: [0.75, 0.5] must rise from one to the next."]


def test_an_identical_configuration_is_offered_its_run(train, store):
    write_run(store, DEMO[0], 49.0)
    train.run()
    assert [row["in the store"] for row in plan(train)] == ["trained already", "new", "new", "new"]
    assert "Exactly these configurations exist already: plain-20 (finished)." in words(train)
    started(train)
    assert [run.config for run in store.runs()] == DEMO
    assert train.success[0].value.replace("\\", "") == "3 runs queued. plain-20 exists already (finished) and was not trained again."
    # All four exist now: nothing is left to start, unless they are to be trained again.
    assert train.button(key="train.start").label == "Show the existing runs"
    train.checkbox(key="train.again").check().run()
    assert train.button(key="train.start").label.startswith("Start training 4 nets")
    started(train)
    assert [run.config for run in store.runs()] == DEMO * 2


def test_missing_images_are_explained_and_a_folder_is_taken(opened, store, tmp_path):
    opened.selectbox(key="train.dataset").set_value("cifar10").run()
    assert not errors(opened)
    assert "The full CIFAR-10 was not found" in words(opened)
    assert opened.button(key="train.start").disabled
    assert opened.button(key="train.download").label == "Download CIFAR-10 (170 MB)"
    opened.text_input(key="train.data_dir").set_value(str(tmp_path / "nowhere")).run()
    assert str(tmp_path / "nowhere") in errors(opened)[0]
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for name in (*(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin"):
        (folder / name).write_bytes(b"")
        with open(folder / name, "ab") as file:
            file.truncate(30_730_000)  # of the official size, and of holes: nothing reads it here
    opened.text_input(key="train.data_dir").set_value(str(folder)).run()
    assert not errors(opened)
    opened.toggle(key="train.validation").set_value(True).run()
    opened.number_input(key="train.images_per_class").set_value(600).run()
    started(opened)
    assert {run.config.data for run in store.runs()} == {DataConfig("cifar10", validation=True, images_per_class=600)}
    assert {run.data_dir for run in store.runs()} == {folder}


def test_a_viewer_from_elsewhere_cannot_ask_what_lies_on_the_server(store, root, monkeypatch):
    page = app(root, monkeypatch, "train/page.py", address="192.168.1.7").run()
    page.selectbox(key="train.dataset").set_value("cifar10").run()
    assert not errors(page) and "The full CIFAR-10 was not found" in words(page)
    assert "train.data_dir" not in {field.key for field in page.text_input}


def test_a_download_that_fails_says_why(opened, monkeypatch):
    from resnet_core import data
    from resnet_core.errors import DataError

    def lost(progress, key):
        progress(1, 170_498_071)
        raise DataError("CIFAR-10 could not be downloaded: no network.")

    monkeypatch.setattr(data, "download", lost, raising=False)
    monkeypatch.setitem(data_pick.DOWNLOADS, "cifar10", data_pick.Download("cifar10"))
    opened.selectbox(key="train.dataset").set_value("cifar10").run()
    opened.button(key="train.download").click().run()
    data_pick.DOWNLOADS["cifar10"].thread.join(30)
    opened.run()
    assert not opened.exception
    assert errors(opened) == ["CIFAR-10 could not be downloaded: no network."]
    assert opened.button(key="train.download")


def test_every_state_is_told_truthfully(train, store):
    def config(seed: int) -> RunConfig:
        return RunConfig(ResNetConfig(20), DataConfig(), Recipe(iterations=100, batch_size=32, seed=seed))

    running = write_run(store, config(1), 40.0, "running", 0.5)
    write_run(store, config(2), 40.0, "running", 0.25)  # nobody holds its lock
    write_run(store, config(3), 40.0, "stopped", 0.1)
    write_run(store, config(4), 40.0, "diverged", 0.3, message="The loss was NaN at iteration 30.")
    write_run(store, config(5), 40.0, "failed", 0.2, message="Out of memory: lower the batch size.")
    write_run(store, config(6), 40.0)
    store.submit(config(7))
    train.session_state["tab"] = "Runs"
    with held(running):
        train.run()
    assert not train.exception and not train.error
    assert rows(train) == [
        ("running", "50 of 100 · 900 images/s · 2 s left"),
        ("queued", "next in the queue"),
        ("finished", "100 of 100 · training error 40.0 % · test error 42.0 %"),
        ("failed", "20 of 100"),
        ("diverged", "30 of 100"),
        ("stopped", "10 of 100"),
        ("interrupted", "25 of 100"),
    ]
    said = words(train)
    assert "The loss was NaN at iteration 30." in said
    assert "Out of memory: lower the batch size." in said
    assert "The worker process was ended before it could say why, after iteration 25" in said
    keys = {button.key for button in train.button}
    by_action = {
        action: {run.config.recipe.seed for run in store.runs() if f"{action}.{run.id}" in keys}
        for action in ("stop", "resume", "rename", "delete")
    }
    assert by_action == {"stop": {1, 7}, "resume": {2, 3, 5}, "rename": set(range(1, 8)), "delete": set(range(1, 8))}


def test_stop_and_resume(train, store):
    run = write_run(store, DEMO[0], 50.0, "stopped", 0.5)
    train.session_state["tab"] = "Runs"
    train.run()
    train.button(key=f"resume.{run.id}").click().run()
    assert run.state().state == "queued"
    assert f"next in the queue, at {ITERATIONS // 2} of {ITERATIONS}" in progress(train)[0]
    train.button(key=f"stop.{run.id}").click().run()
    assert run.state().state == "stopped"
    assert not train.exception and not train.error


def test_deleting_asks_first(train, store):
    run = write_run(store, DEMO[0], 50.0)
    store.rename(run.id, "the old one")
    train.session_state["tab"] = "Runs"
    train.run()
    train.button(key=f"delete.{run.id}").click().run()
    assert run.path.is_dir()
    question = " ".join(m.value for m in train.markdown)
    lost = f"after {ITERATIONS} of {ITERATIONS} iterations goes away with its curves and weights"
    assert f"Run **the old one** (`{run.id}`) {lost}" in question
    train.button(key="delete.cancel").click().run()
    assert run.path.is_dir()
    assert not [b for b in train.button if b.key == "delete.confirm"]
    train.button(key=f"delete.{run.id}").click().run()
    train.button(key="delete.confirm").click().run()
    assert not run.path.exists() and store.runs() == []
    assert not train.exception and not train.error
    assert "There are no runs yet" in words(train)


def test_renaming(train, store):
    run = write_run(store, DEMO[0], 50.0)
    train.session_state["tab"] = "Runs"
    train.run()
    train.button(key=f"rename.{run.id}").click().run()
    train.text_input(key=f"name.{run.id}").set_value("   ")
    train.button(key="rename.confirm").click().run()
    assert [e.value.replace("\\", "") for e in train.error] == ["A run's name must not be empty."]
    train.text_input(key=f"name.{run.id}").set_value("the *best* one")
    train.button(key="rename.confirm").click().run()
    assert run.name == "the *best* one"
    assert curve(train, "the *best* one", "raw")["y"][-1] == 50.0


def test_the_chart_shows_the_ticked_runs(train, store):
    first, second = (write_run(store, config, 50.0) for config in DEMO[:2])
    train.session_state["tab"] = "Runs"
    train.run()
    assert [c["name"] for c in live_chart(train)["curves"] if c["kind"] == "test"] == ["plain-20", "plain-56"]
    train.checkbox(key=f"show.{first.id}").uncheck().run()
    assert [c["name"] for c in live_chart(train)["curves"] if c["kind"] == "test"] == ["plain-56"]
    link = train.get("page_link")[-1].proto
    assert (link.label, link.query_string) == ("Compare these runs", f"runs={second.id}")


def test_a_run_that_cannot_be_read_is_named(train, store):
    run = write_run(store, DEMO[0], 50.0)
    other = write_run(store, DEMO[1], 50.0)
    (other.path / "run.json").write_text("{")
    train.session_state["tab"] = "Runs"
    train.run()
    assert not train.exception and not train.error
    assert any(f"{other.id}**" in text.value.replace("\\", "") and "damaged" in text.value for text in train.markdown)
    assert any("It cannot be read: run.json" in text.value.replace("\\", "") for text in train.caption)
    assert [b.key for b in train.button if b.key.startswith("delete.")] == [f"delete.{run.id}", f"delete.{other.id}"]
    train.button(key=f"delete.{other.id}").click().run()
    train.button(key="delete.confirm").click().run()
    assert not train.exception and not train.error
    assert not other.path.exists() and run.path.is_dir()


def test_the_table_and_the_form_outlive_a_look_at_another_page(opened):
    edit(opened, edited={0: {"net": "plain-44"}})
    opened.number_input(key="train.recipe.momentum").set_value(0.8).run()
    opened.switch_page("home/page.py").run()
    assert opened.title[0].value.startswith("Deeper")
    opened.switch_page("train/page.py").run()
    assert not opened.exception and not opened.error
    assert [row["net"] for row in plan(opened)] == ["plain-44", "plain-56", "ResNet-20", "ResNet-56"]
    assert opened.number_input(key="train.recipe.momentum").value == 0.8


def test_who_comes_while_something_is_trained_sees_the_runs(train, store):
    store.submit(DEMO[0])
    train.run()
    assert train.session_state["tab"] == "Runs"
    assert rows(train) == [("queued", "next in the queue")]


def test_no_more_images_of_a_class_are_asked_for_than_the_set_has(opened):
    opened.selectbox(key="train.dataset").set_value("cifar10").run()
    opened.number_input(key="train.images_per_class").set_value(5000).run()
    opened.selectbox(key="train.dataset").set_value("sample").run()
    assert not opened.exception and opened.number_input(key="train.images_per_class").value == 500
