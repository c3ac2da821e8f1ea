"""Home: Figure 6 from the nets that ship, the recorded demo before anything is trained, the demo at one click, and what it says of the
outcome.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.home import demo
from pages.home.demo import in_turn
from pages.ui.recorded import recorded
from resnet_core.architectures import ResNetConfig
from resnet_core.config import DataConfig, Recipe, RunConfig, demo_configs
from resnet_core.figures.series import outcome
from resnet_core.runs import RunStore
from resnet_core.verdict import degradation
from tests.nets_tools import write_shipped
from tests.page_tools import app, curve, held, live_chart, progress, write_run

#: Final training errors of the demo's nets: those of the first trial, which show the effect.
ENDS = {"plain-20": 19.0, "plain-56": 71.7, "ResNet-20": 12.4, "ResNet-56": 14.9}


SHOWN = "Degradation in the plain nets, and none in the residual ones: plain-56 ends 52.7 points above plain-20"


def keys(page: AppTest) -> list[str]:
    """Of the buttons of the page itself, below the bar with the languages."""
    return [button.key for button in page.button if not button.key.startswith("language.")]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> RunStore:
    """Runs of this test only; they stay in the queue. No checkpoint ships, unless the test writes one; no speed was measured before."""
    monkeypatch.setattr("resnet_core.pace.kept", lambda: None)
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    monkeypatch.setenv("RESNET_LAB_DEMO_ITERATIONS", "320")
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(tmp_path / "checkpoints"))
    return RunStore()


@pytest.fixture
def home(root: Path, store: RunStore, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    return app(root, monkeypatch)


def write_demo(store: RunStore, seed: int = 0, **ends: float) -> None:
    for config in demo_configs(seed, 320):
        write_run(store, config, {**ENDS, **ends}[config.model.name])


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Where the records that ship with the project are looked for in this test; nothing is there yet."""
    monkeypatch.setattr("pages.ui.recorded.FOLDER", tmp_path)
    recorded.cache_clear()
    yield tmp_path / "demo_records.json"
    recorded.cache_clear()


def words(page: AppTest) -> str:
    return " ".join(element.value for element in [*page.markdown, *page.caption])


def states(store: RunStore) -> list[tuple[str, str]]:
    """In the order of the demo's nets; they are queued in that of ``demo.in_turn``."""
    runs = sorted(store.runs(), key=lambda run: run.config.model.is_plain, reverse=True)
    return [(run.config.model.name, run.state().state) for run in runs]


def shipped_run(config: RunConfig, end: float) -> dict:
    """A whole training as it ships, with training error ``end`` in its last epoch."""
    rows = [
        {"kind": "train", "iteration": i, "train_error": end if i > 400 else 90.0, "images": 96, "elapsed_seconds": float(i)}
        for i in range(3, 901, 3)
    ]
    rows.append({"kind": "test", "iteration": 900, "test_error": end + 1.5, "elapsed_seconds": 900.0})
    return {"config": config.to_dict(), "records": rows, "machine": "a laptop", "commit": "0123456789abcdef", "date": "2026-11-22T10:00:00"}


def test_before_anything_is_trained_it_draws_the_shipped_records_and_says_whose(home, shipped):
    shipped.write_text(json.dumps([shipped_run(config, ENDS[config.model.name]) for config in demo_configs(0, 900)]))
    home.run()
    assert not home.exception and not home.error
    assert curve(home, "plain-56", "test")["y"] == [73.2]
    assert curve(home, "plain-56", "raw")["y"][-1] == 71.7
    assert "Recorded 2026-11-22, on a laptop, at commit 0123456789" in words(home)
    # It says how long they took there only of the very demo that the button starts.
    assert "not yet measured on this machine." in words(home)
    assert home.success[0].value.startswith(SHOWN)
    assert home.button(key="demo_start").label == "Run the demo"


def test_at_the_first_visit_it_says_how_long_the_recorded_demo_took(home, shipped, monkeypatch):
    monkeypatch.delenv("RESNET_LAB_DEMO_ITERATIONS")
    shipped.write_text(json.dumps([shipped_run(config, ENDS[config.model.name]) for config in demo_configs(0)]))
    home.run()
    # The last row of each of the four is at 900 seconds.
    assert "not yet measured on this machine (1 h 00 min on a laptop)." in words(home)


def test_the_terms_are_at_the_foot_of_every_page(home):
    for page in (home, home.switch_page("paper/page.py")):
        page.run()
        assert "- **degradation**: A deeper plain net ends with a higher training error" in page.markdown[-1].value


def test_without_shipped_records_the_chart_says_what_to_do(home, shipped):
    home.run()
    assert not home.exception and not home.error
    assert live_chart(home)["note"] == "No curves yet: run the demo."
    assert home.title[0].value == "Deeper, and worse: the degradation problem"
    assert "320 iterations of 32 images each, until they are through; how long it takes is not yet measured on this machine." in words(home)


def test_what_ships_with_the_project_can_be_drawn_and_shows_the_effect():
    shipped = recorded("demo")
    assert [run.config.model.name for run in shipped.runs] == list(ENDS)
    assert all(len([r for r in run.records if r["kind"] == kind]) >= 5 for run in shipped.runs for kind in ("train", "test"))
    assert degradation([outcome(run) for run in shipped.runs]).shown


def test_one_click_queues_the_four_nets_and_a_second_stops_them_all(home, store):
    home.run()
    home.button(key="demo_start").click().run()
    assert not home.exception and not home.error
    plain_20, plain_56, resnet_20, resnet_56 = demo_configs(0, 320)
    assert [run.config for run in store.queue()] == [plain_20, resnet_20, plain_56, resnet_56]  # twins beside each other
    assert progress(home) == [
        "**plain-20** :gray-badge[:material/hourglass_empty: queued]  \nnext in the queue",
        "**plain-56** :gray-badge[:material/hourglass_empty: queued]  \nplace 3 in the queue",
        "**ResNet-20** :gray-badge[:material/hourglass_empty: queued]  \nplace 2 in the queue",
        "**ResNet-56** :gray-badge[:material/hourglass_empty: queued]  \nplace 4 in the queue",
    ]
    assert live_chart(home)["note"] == "The first points come after some seconds."
    home.button(key="demo_stop").click().run()
    assert {state for _, state in states(store)} == {"stopped"}
    assert home.button(key="demo_start").label == "Resume the demo"
    home.button(key="demo_start").click().run()
    assert states(store) == [(name, "queued") for name in ENDS]


def test_a_running_net_shows_its_speed_the_time_left_and_its_curves(home, store):
    first, second, *others = demo_configs(0, 320)
    write_run(store, first, 50.0)
    run = write_run(store, second, 60.0, state="running", part=0.5)
    for config in others:
        store.submit(config)
    with held(run):
        home.run()
    assert not home.exception and not home.error
    # 160 iterations of 32 images at 900 a second are left.
    assert "**plain-56** :blue-badge[:material/play_arrow: running]  \n160 of 320 · 900 images/s · 6 s left" in progress(home)
    drawn = curve(home, "plain-56", "raw")
    assert drawn["x"] == list(range(16, 161, 16)) and drawn["y"][-1] == 65.0
    assert curve(home, "ResNet-56", "train")["x"] == []


def test_a_killed_worker_is_said_to_be_so(home, store):
    write_run(store, demo_configs(0, 320)[0], 50.0, state="running", part=0.5)  # nobody holds its lock
    home.run()
    assert progress(home)[0].startswith("**plain-20** :orange-badge[:material/power_off: interrupted]  \n160 of 320")
    assert "Resuming goes on from the start" in words(home).replace("\\", "")
    assert home.button(key="demo_start").label == "Resume the demo"


def test_the_verdict_is_computed_from_the_results(home, store):
    write_demo(store)
    home.run()
    assert not home.exception and not home.error
    assert home.success[0].value.startswith(f"{SHOWN} (71.7 against 19.0 %)")
    table = next(m.value for m in home.markdown if m.value.startswith("| layers | 20 | 56 | change |"))
    assert "| plain | 19.0 % | 71.7 % | **+52.7** |" in table
    assert "| residual | 12.4 % | 14.9 % | **+2.5** |" in table
    assert "Every curve: 1 seed · sample (300 images) · 34.1 epochs · bf16." in words(home)


def test_a_demo_that_does_not_show_the_effect_says_so(home, store):
    write_demo(store, **{"plain-56": 20.0})
    home.run()
    assert not home.success
    assert home.warning[0].value.startswith("These runs do not show degradation: plain-56 ends 1.0 points above plain-20")


def test_a_net_that_diverged_is_said_to_have(home, store):
    *others, last = demo_configs(0, 320)
    for config in others:
        write_run(store, config, ENDS[config.model.name])
    write_run(store, last, 90.0, "diverged", 0.5)
    home.run()
    assert not home.exception and not home.error
    table = next(m.value for m in home.markdown if m.value.startswith("| layers | 20 | 56 | change |"))
    assert "| residual | 12.4 % | diverged |  |" in table
    assert "ResNet-56 diverged and is left out." in home.warning[0].value


def test_again_trains_the_next_seed_that_is_not_there(home, store):
    write_demo(store, seed=0)
    write_demo(store, seed=1)
    home.run()
    home.button(key="demo_again").click().run()
    assert not home.exception and not home.error
    assert [run.config for run in store.runs()][8:] == in_turn(demo_configs(2, 320))
    assert home.number_input(key="seed").value == 2


def test_the_seed_is_in_the_address(home, store):
    write_demo(store, seed=3)
    home.query_params["seed"] = "3"
    home.run()
    assert home.number_input(key="seed").value == 3
    assert home.success


def test_another_seed_shows_the_demo_that_was_trained_here_before(home, store):
    write_demo(store, seed=0)
    home.query_params["seed"] = "7"
    home.run()
    assert home.button(key="demo_start").label == "Run the demo"
    assert "Trained here before, with seed 0." in words(home)
    assert curve(home, "plain-56", "raw")["y"][-1] == 71.7
    # 1,280 iterations of 32 images, measured at 900 images a second for each of the four nets.
    assert "about 46 s here" in words(home)


def test_whoever_comes_in_sees_the_demo_that_runs(home, store):
    """A teacher runs seed 5; a student opens the page's bare address."""
    for config in demo_configs(5, 320):
        store.submit(config)
    home.run()
    assert home.number_input(key="seed").value == 5
    assert [text.partition(" ")[0] for text in progress(home)] == ["**plain-20**", "**plain-56**", "**ResNet-20**", "**ResNet-56**"]
    assert home.button(key="demo_stop")


def test_other_trainings_are_shown_too(home, store):
    store.submit(RunConfig(ResNetConfig(32), recipe=Recipe(iterations=10)), name="a *long* one")
    home.run()
    assert "**Also in training**" in [m.value for m in home.markdown]
    assert progress(home) == ["**a *long* one** :gray-badge[:material/hourglass_empty: queued]  \nnext in the queue"]


def test_a_wrong_setting_is_explained(home, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_DEMO_ITERATIONS", "many")
    home.run()
    assert not home.exception
    assert [e.value.replace("\\", "") for e in home.error] == ["RESNET_LAB_DEMO_ITERATIONS: 'many' is not a whole number of at least 1."]


def test_a_bug_is_logged_once_and_shows_no_traceback(home, monkeypatch, caplog):
    def broken(store, seed):
        raise KeyError("some inner detail")

    monkeypatch.setattr(demo, "find", broken)
    home.run()
    home.run()
    assert not home.exception
    assert home.error[0].value.startswith("Home: something went wrong that is no fault of yours (KeyError).")
    assert "inner detail" not in home.error[0].value
    assert [record.exc_info[0] for record in caplog.records if record.name == "resnet_lab"] == [KeyError]


@pytest.fixture
def checkpoints(store: RunStore, tmp_path: Path) -> Path:
    """The pair of 20 and that of 56 layers, as they ship."""
    for name, end in (("plain-20", 5.0), ("ResNet-20", 4.5), ("plain-56", 12.5), ("ResNet-56", 1.25)):
        kind, depth = name.split("-")
        model = ResNetConfig(int(depth), "none" if kind == "plain" else "A")
        write_shipped(tmp_path / "checkpoints", RunConfig(model, DataConfig("cifar10"), Recipe(iterations=16_000)), end)
    return tmp_path / "checkpoints"


def charts(page: AppTest) -> list[str]:
    """Which charts there are, from the top of the page."""
    data = [json.loads(component.proto.json) for component in page.get("bidi_component")]
    return ["Figure 6" if "figure" in found else "demo" for found in data]


def figure6(page: AppTest) -> dict:
    (data,) = [found for component in page.get("bidi_component") if "figure" in (found := json.loads(component.proto.json))]
    return data["figure"]


def test_figure_6_stands_first_and_says_what_is_missing(home, checkpoints):
    home.run()
    assert not home.exception and not home.error
    assert charts(home) == ["Figure 6", "demo"]
    drawn = {(trace["name"], trace["xaxis"]) for trace in figure6(home)["traces"] if trace.get("meta")}
    assert drawn == {("plain-20", "x"), ("plain-56", "x"), ("ResNet-20", "x2"), ("ResNet-56", "x2")}
    said = words(home)
    assert "Every curve: 1 seed · CIFAR-10 (50,000 images) · 1/4 of the paper's schedule · bf16." in said
    assert "Missing: plain-32, plain-44, plain-110, ResNet-32, ResNet-44, ResNet-110." in said
    assert "plain-56 ends 7.5 points above plain-20 (12.5 against 5.0 %)" in said
    assert "ResNet-56 ends 3.2 points below ResNet-20 (1.2 against 4.5 %)" in said
    assert keys(home) == ["demo_start"]


def test_once_the_demo_runs_it_stands_first_and_stays_there(home, checkpoints, store):
    home.run()
    home.button(key="demo_start").click().run()
    assert not home.exception and not home.error
    assert states(store) == [(name, "queued") for name in ENDS]
    assert charts(home) == ["demo", "Figure 6"] and keys(home) == ["demo_stop"]
    home.button(key="demo_stop").click().run()
    assert charts(home) == ["demo", "Figure 6"] and keys(home) == ["demo_start"]
    assert home.button(key="demo_start").label == "Resume the demo"


def test_a_viewer_who_comes_later_sees_figure_6_first_again(home, checkpoints, store):
    write_demo(store)
    home.run()
    assert charts(home) == ["Figure 6", "demo"] and keys(home) == ["demo_again"]
    assert home.success[0].value.startswith(SHOWN)


def test_another_viewers_demo_is_seen_at_once(home, checkpoints, store):
    run = write_run(store, demo_configs(0, 320)[0], 60.0, state="running", part=0.5)
    with held(run):
        home.run()
        assert charts(home) == ["demo", "Figure 6"] and curve(home, "plain-20", "raw")["y"]
    home.run()


def test_other_trainings_leave_figure_6_where_it_is(home, checkpoints, store):
    store.submit(RunConfig(ResNetConfig(32), recipe=Recipe(iterations=10)))
    home.run()
    assert charts(home) == ["Figure 6", "demo"] and "**Also in training**" in [m.value for m in home.markdown]


def test_the_seed_belongs_to_the_demo_below_figure_6(home, checkpoints, store):
    write_demo(store, seed=3)
    home.run()
    home.number_input(key="seed").set_value(3).run()
    assert home.success and keys(home) == ["demo_again"]


def test_a_damaged_checkpoint_is_named_and_left_out(home, checkpoints):
    with open(checkpoints / "plain-56" / "weights.safetensors", "r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x55")
    home.run()
    assert not home.exception and charts(home) == ["Figure 6", "demo"]
    said = words(home).replace("\\", "")
    assert "Checkpoint plain-56: the checksum" in said and "Missing: plain-32, plain-44, plain-56" in said


def test_without_any_checkpoint_it_says_why(home, tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(tmp_path / "mistyped"))
    home.run()
    assert not home.exception and charts(home) == ["demo"]
    assert f"RESNET_LAB_CHECKPOINTS names {tmp_path}/mistyped, which is not there" in words(home).replace("\\", "")


def test_a_wrong_setting_is_explained_once_below_figure_6(home, checkpoints, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_DEMO_ITERATIONS", "many")
    home.run()
    assert not home.exception and charts(home) == ["Figure 6"]
    assert [e.value.replace("\\", "") for e in home.error] == ["RESNET_LAB_DEMO_ITERATIONS: 'many' is not a whole number of at least 1."]
