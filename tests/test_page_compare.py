"""Compare: what it shows of real run folders, and that its address restores the view."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from resnet_core.architectures import ResNetConfig
from resnet_core.config import DataConfig, Recipe, RunConfig, demo_configs, join_configs
from resnet_core.figures import export
from resnet_core.runs import Run, RunStore
from resnet_core.runs.records import RecordWriter
from tests.nets_tools import write_shipped
from tests.page_tools import app, array, held, live_chart, opened, write_run

#: Final training errors of the demo's nets: those of the first trial.
ENDS = {"plain-20": 19.0, "plain-56": 71.7, "ResNet-20": 12.4, "ResNet-56": 14.9}


@pytest.fixture(autouse=True)
def recorded(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The records that ship with the project are there for the tests that are about them."""
    if "join" not in request.node.name:
        monkeypatch.setattr("pages.ui.runs_view.look_recorded", list)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> RunStore:
    """Runs of this test only; nothing is trained, and what ships with the project is not there."""
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(tmp_path / "shipped"))
    return RunStore()


SHOWN = (
    "Degradation in the plain nets, and none in the residual ones: plain-56 ends 52.7 points above plain-20 (71.7 against 19.0 %), while "
    "ResNet-56 ends 2.5 points above ResNet-20 (14.9 against 12.4 %)."
)


@pytest.fixture
def demo(store: RunStore) -> list[Run]:
    return [write_run(store, config, ENDS[config.model.name]) for config in demo_configs(iterations=400)]


@pytest.fixture
def page(root: Path, monkeypatch: pytest.MonkeyPatch, store: RunStore) -> AppTest:
    """The page as a cold link opens it, through the app's front door."""
    return app(root, monkeypatch, "compare/page.py")


def figure(page: AppTest) -> dict:
    """What the chart's component was given."""
    return live_chart(page)["figure"]


def curves(page: AppTest) -> dict[tuple[str, str], np.ndarray]:
    """(name, kind) -> the y values of each curve drawn."""
    return {(t["name"], t["meta"]): array(t["y"]) for t in figure(page)["traces"] if t.get("meta")}


def table(page: AppTest) -> list[dict[str, str]]:
    """The rows of the final errors, without what only keeps words on one line."""
    plain = str.maketrans({"\u00a0": " ", "\u2011": "-", "\u2060": None})
    return [{key: cell.translate(plain) for key, cell in row.items()} for row in page.table[0].value.to_dict("records")]


def address(page: AppTest, name: str) -> list[str]:
    value = page.query_params.get(name, [])
    return [value] if isinstance(value, str) else list(value)


def captions(page: AppTest) -> str:
    return " ".join(caption.value for caption in page.caption)


def test_without_runs_it_says_where_to_begin(page: AppTest):
    opened(page)
    assert "There are no runs yet" in page.info[0].value
    assert [link.proto.label for link in page.get("page_link")] == ["Home: run the demo", "Train: choose nets"]
    assert not page.get("bidi_component")


def test_at_first_it_shows_the_newest_runs_trained_alike(page: AppTest, store: RunStore, demo: list[Run]):
    other = write_run(store, RunConfig(ResNetConfig(20), DataConfig(), Recipe(iterations=100, batch_size=32)), 60.0)
    newest = write_run(store, RunConfig(ResNetConfig(32), DataConfig(), Recipe(iterations=100, batch_size=32)), 50.0)
    opened(page)
    assert sorted(page.multiselect[0].value) == sorted([other.id, newest.id])
    assert address(page, "runs") == page.multiselect[0].value


def test_the_default_keeps_the_seeds_that_were_started_together(page: AppTest, store: RunStore):
    early = write_run(store, demo_configs(0, 400)[0], 49.0)
    described = json.loads((early.path / "run.json").read_text())
    (early.path / "run.json").write_text(json.dumps({**described, "created": "2026-01-01T00:00:00+00:00"}))
    runs = [write_run(store, demo_configs(seed, 400)[0], 49.0) for seed in (1, 2)]
    opened(page)
    assert sorted(page.multiselect[0].value) == sorted(run.id for run in runs)


def test_of_many_that_were_started_together_the_newest_are_shown(page: AppTest, store: RunStore, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pages.compare.choice.MOST_CURVES", 3)
    runs = [write_run(store, demo_configs(seed, 400)[0], 49.0) for seed in range(5)]
    opened(page)
    assert sorted(page.multiselect[0].value) == sorted(run.id for run in runs[-3:])
    page.button(key="compare.newest").click().run()
    assert sorted(page.multiselect[0].value) == sorted(run.id for run in runs[-3:])


def test_nets_that_differ_in_the_join_are_compared_before_anything_is_trained(page: AppTest, monkeypatch: pytest.MonkeyPatch):
    names = [config.model.name for config in join_configs()]
    assert names == ["plain-56", "Highway-56", "ResNet-56", "DenseNet-BC-100-k12"]
    opened(page)
    page.button(key="compare.joins").click().run()
    assert address(page, "runs") == [f"recorded-joins-{i}" for i in range(4)] and not page.exception
    assert {name for name, _ in curves(page)} == set(names)


def test_a_run_is_called_as_it_was_renamed(page: AppTest, store: RunStore, demo: list[Run]):
    store.rename(demo[1].id, "the deep one")
    opened(page)
    assert {name for name, _ in curves(page)} == {"plain-20", "the deep one", "ResNet-20", "ResNet-56"}
    assert [row["net"].replace("\\", "") for row in table(page)][1] == "the deep one (plain-56)"


def test_curves_table_captions_and_verdict_of_the_demo(page: AppTest, demo: list[Run]):
    opened(page, smoothing="0")
    drawn = curves(page)
    assert list(dict.fromkeys(name for name, _ in drawn)) == list(ENDS)
    np.testing.assert_allclose(drawn["plain-56", "training"], 71.7 + 0.5 * (20 - np.arange(1, 21)))
    np.testing.assert_allclose(drawn["ResNet-20", "test"], 14.4 + 0.5 * (20 - np.arange(1, 21)))
    rows = table(page)
    assert [row["net"].replace("\\", "") for row in rows] == list(ENDS)
    assert [row["training error (%)"] for row in rows] == [f"**{end:.2f}**" for end in ENDS.values()]
    assert rows[1]["test error (%)"] == "**73.70**"
    assert [row["paper's test error (%)"].replace("\\", "") for row in rows] == ["–", "–", "8.75", "6.97"]
    assert all((row["seeds"], row["data"], row["schedule"]) == ("1 (seed 0)", "sample (300)", "1/640") for row in rows)
    assert all((row["precision"], row["state"]) == ("bf16", "finished") for row in rows)
    assert "Every curve: 1 seed · sample (300 images) · 42.7 epochs · bf16." in captions(page)
    assert page.success[0].value.startswith(SHOWN)


def test_the_address_restores_the_view(page: AppTest, demo: list[Run]):
    ids = [demo[3].id, demo[0].id]
    opened(page, runs=ids, metric="loss", x="time", curves="training", smoothing="20", log="true", seeds="mean and std")
    assert page.multiselect[0].value == ids
    values = {widget.key: widget.value for widget in page.button_group}
    assert (values["metric"], values["x"], values["curves"], values["seeds"]) == ("loss", "time", ["training"], "mean and std")
    assert page.select_slider[0].value == 20 and page.toggle[0].value is True
    drawn = curves(page)
    assert list(drawn) == [("plain-20", "training"), ("ResNet-56", "training")]
    # 20 % of 400 iterations: two rows on each side.
    loss = (19.0 + 0.5 * (20 - np.arange(1, 21))) / 40
    np.testing.assert_allclose(drawn["plain-20", "training"][2:-2], loss[2:-2])
    np.testing.assert_allclose(drawn["plain-20", "training"][0], loss[:3].mean())
    layout = figure(page)["layouts"]["light"]
    assert layout["yaxis"]["type"] == "log" and layout["yaxis"]["title"]["text"] == "loss (cross-entropy), log scale"
    assert layout["xaxis"]["title"]["text"] == "training time (seconds)"
    assert "Training: a moving mean over 80 iterations (20% of each run)" in captions(page)


def test_the_address_follows_the_choice(page: AppTest, demo: list[Run]):
    opened(page)
    page.multiselect[0].set_value([demo[1].id]).run()
    assert address(page, "runs") == [demo[1].id] and {name for name, _ in curves(page)} == {"plain-56"}
    page.button_group(key="metric").set_value("loss").run()
    assert address(page, "runs") == [demo[1].id] and {name for name, _ in curves(page)} == {"plain-56"}
    page.multiselect[0].set_value([]).run()
    assert not page.exception and "Choose runs" in page.info[0].value and not page.get("bidi_component")
    page.button(key="compare.newest").click().run()
    assert sorted(address(page, "runs")) == sorted(run.id for run in demo)


def test_another_link_in_the_same_session_is_followed(page: AppTest, demo: list[Run]):
    opened(page, runs=[demo[0].id])
    assert opened(page, runs=[demo[2].id]).multiselect[0].value == [demo[2].id]


def test_runs_that_are_not_there_are_named(page: AppTest, demo: list[Run]):
    opened(page, runs=[demo[0].id, "plain-8-gone", "*evil*"])
    assert "plain\\-8\\-gone, \\*evil\\*" in page.warning[0].value
    assert {name for name, _ in curves(page)} == {"plain-20"}
    opened(page, runs=["plain-8-gone"])
    assert "plain\\-8\\-gone" in page.warning[0].value and "Choose runs" in page.info[0].value


def test_values_that_are_none_of_the_choices_are_ignored(page: AppTest, demo: list[Run]):
    opened(page, metric="nonsense", x="", smoothing="3.7", seeds="", log="perhaps", curves="none")
    values = {widget.key: widget.value for widget in page.button_group}
    assert values["metric"] == "error" and page.select_slider[0].value == 5 and page.toggle[0].value is False
    layout = figure(page)["layouts"]["light"]
    assert (layout["xaxis"]["title"]["text"], layout["yaxis"]["title"]["text"]) == ("iterations", "error (%)")
    assert len(curves(page)) == 8 and len(table(page)) == 4


def test_mean_and_spread_over_seeds(page: AppTest, store: RunStore):
    runs = [write_run(store, demo_configs(seed, iterations=200)[0], end) for seed, end in enumerate((40.0, 50.0, 60.0))]
    opened(page, runs=[run.id for run in runs], seeds="mean and range", smoothing="0")
    drawn = curves(page)
    assert list(drawn) == [("plain-20, 3 seeds", "training"), ("plain-20, 3 seeds", "test")]
    assert drawn["plain-20, 3 seeds", "training"][-1] == pytest.approx(50)
    bands = [t for t in figure(page)["traces"] if t.get("fill") == "toself"]
    assert array(bands[0]["y"]).max() == pytest.approx(60 + 9.5) and array(bands[0]["y"]).min() == pytest.approx(40)
    (row,) = table(page)
    assert (row["training error (%)"], row["seeds"]) == ("**50.00** (40.0–60.0)", "3")
    page.button_group(key="seeds").set_value("mean and std").run()
    assert table(page)[0]["test error (%)"] == "**52.00** (± 10.0)"
    page.button_group(key="seeds").set_value("separate").run()
    assert len(table(page)) == 3 and len(curves(page)) == 6


def test_a_running_run_is_shown_as_far_as_it_is(page: AppTest, store: RunStore):
    run = write_run(store, demo_configs(iterations=200)[1], 70.0, state="running", part=0.5)
    with held(run):
        opened(page, smoothing="0")
        assert table(page)[0]["state"] == "running at 100 of 200"
        assert len(curves(page)["plain-56", "training"]) == 10 and not page.success
        writer = RecordWriter(run.path / "records.jsonl", (run.path / "records.jsonl").stat().st_size)
        writer.write({"kind": "train", "iteration": 110, "loss": 2.0, "train_error": 66.0, "images": 320, "elapsed_seconds": 11.0})
        writer.close()
        page.run()
        assert curves(page)["plain-56", "training"][-1] == 66 and table(page)[0]["state"] == "running at 110 of 200"
    page.run()
    assert table(page)[0]["state"] == "interrupted at 110 of 200"


def test_filters_shorten_the_list_and_keep_the_choice(page: AppTest, demo: list[Run]):
    opened(page, runs=[demo[0].id])
    page.button_group(key="compare.filters").set_value(["residual", "finished"]).run()
    assert page.multiselect[0].label == "3 of 4 listed" and page.multiselect[0].value == [demo[0].id]
    page.button_group(key="compare.filters").set_value(["running"]).run()
    assert page.multiselect[0].label == "1 of 4 listed" and {name for name, _ in curves(page)} == {"plain-20"}


def test_runs_of_one_name_have_labels_of_their_own(page: AppTest, store: RunStore):
    config = demo_configs(iterations=200)[2]
    first, second = write_run(store, config, 40.0), write_run(store, config, 41.0, again=True)
    opened(page)
    options = page.multiselect[0].options
    assert len(set(options)) == 2 and any(second.id in option for option in options) and any(first.id in option for option in options)


def test_a_name_is_text_and_not_markup(page: AppTest, store: RunStore):
    config = demo_configs(iterations=200)[2]
    write_run(store, config, 40.0, name="**one** <b>")
    write_run(store, config, 41.0, name="two", again=True)
    opened(page)
    assert "\\*\\*one\\*\\* \\<b\\>" in table(page)[0]["net"]


def test_no_kind_of_curve_is_a_hint_and_no_crash(page: AppTest, demo: list[Run]):
    opened(page)
    page.button_group(key="curves").set_value([]).run()
    assert not page.exception and "at least one of training, test and validation" in page.info[0].value


def test_downloads(page: AppTest, demo: list[Run], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(export, "browser", lambda: "/somewhere/chromium")
    opened(page)
    buttons = {button.proto.label: button.proto.disabled for button in page.get("download_button")}
    assert buttons == {
        "Records (CSV)": False,
        "Chart (HTML)": False,
        "Chart (PNG)": False,
        "Chart (SVG)": False,
        "Lecture file (HTML)": False,
    }
    monkeypatch.setattr(export, "browser", lambda: None)
    page.run()
    assert [button.proto.disabled for button in page.get("download_button")] == [False, False, True, True, False]
    assert "camera button" in captions(page)


def test_the_chart_has_both_themes_and_the_data_once(page: AppTest, demo: list[Run]):
    opened(page)
    made = figure(page)
    looks = made["looks"]["dark"]
    assert len(looks) == len(made["traces"]) and not any({"x", "y"} & set(look) for look in looks)
    lines = [i for i, trace in enumerate(made["traces"]) if trace.get("meta")]
    assert all(looks[i]["line"]["color"] != made["traces"][i]["line"]["color"] for i in lines)
    assert made["layouts"]["dark"]["paper_bgcolor"] != made["layouts"]["light"]["paper_bgcolor"]


def test_shipped_nets_are_shown_where_nothing_was_trained(page: AppTest, tmp_path: Path):
    for config, end in zip(demo_configs(iterations=200), ENDS.values(), strict=True):
        write_shipped(tmp_path / "shipped", config, end)
    opened(page, smoothing="0")
    assert address(page, "runs") == ["plain-20", "resnet-20", "plain-56", "resnet-56"]
    assert all("shipped" in option for option in page.multiselect[0].options)
    rows = table(page)
    assert [row["net"].replace("\\", "") for row in rows] == list(ENDS) and {row["state"] for row in rows} == {"shipped"}
    assert [row["training error (%)"] for row in rows] == [f"**{end:.2f}**" for end in ENDS.values()]
    assert curves(page)["plain-56", "test"][-1] == pytest.approx(71.7 + 2)
    assert "Shipped with ResNet Lab: plain-20, ResNet-20, plain-56, ResNet-56." in captions(page)
    assert not page.button(key="compare.shipped").disabled and "compare.newest" not in [button.key for button in page.button]


def test_shipped_nets_stand_beside_ones_own(page: AppTest, store: RunStore, tmp_path: Path):
    config = demo_configs(iterations=200)[2]
    write_shipped(tmp_path / "shipped", config, 41.0)
    run = write_run(store, config, 42.0)
    opened(page)
    assert page.multiselect[0].value == [run.id] and len(page.multiselect[0].options) == 2
    page.button_group(key="compare.filters").set_value(["shipped"]).run()
    page.multiselect[0].set_value([run.id, "resnet-20"]).run()
    assert address(page, "runs") == [run.id, "resnet-20"] and len(curves(page)) == 4
    assert [row["state"] for row in table(page)] == ["shipped", "finished"]
    page.button(key="compare.newest").click().run()
    assert page.multiselect[0].value == [run.id]


def test_a_damaged_shipped_net_is_left_out(page: AppTest, tmp_path: Path):
    folder = write_shipped(tmp_path / "shipped", demo_configs(iterations=200)[2], 41.0)
    (folder / "weights.safetensors").write_bytes(b"damaged")
    opened(page)
    assert "There are no runs yet" in page.info[0].value
