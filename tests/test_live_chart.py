"""What the live chart sends to the browser: smoothed, decimated, coloured for both themes, and plain JSON."""

from __future__ import annotations

import json
from pathlib import Path

import plotly
import pytest

from pages.ui import live_chart, plotly_js
from pages.ui.labels import duration, escaped
from resnet_core.architectures import ResNetConfig
from resnet_core.config import DataConfig, Recipe, RunConfig
from resnet_core.errors import UserError
from resnet_core.figures import style
from resnet_core.figures.series import RunRecords


def run(number: int, model: ResNetConfig, train: list[float], test: list[float] = (), iterations: int = 1000, name="", seed: int = 0):
    """A run with training errors at iterations 1, 2, ... and test errors at 100, 200, ..."""
    rows = [{"kind": "train", "iteration": i, "train_error": e, "elapsed_seconds": float(i)} for i, e in enumerate(train, 1)]
    rows += [{"kind": "test", "iteration": 100 * i, "test_error": e, "elapsed_seconds": float(i)} for i, e in enumerate(test, 1)]
    config = RunConfig(model, DataConfig(), Recipe(iterations=iterations, seed=seed))
    return RunRecords(f"run-{number}", name or model.name, config, rows, "running")


def curves(*runs: RunRecords) -> dict[tuple[str, str], dict]:
    return {(c["name"], c["kind"]): c for c in live_chart.payload(runs)["curves"]}


def test_training_error_is_smoothed_over_a_twentieth_of_the_run_and_test_error_is_not():
    made = curves(run(1, ResNetConfig(20), [100.0, 0.0] * 50, [60.0, 40.0], iterations=100))
    # A window of 5 iterations: three of one value and two of the other; at the start 3 points.
    assert made["ResNet-20", "train"]["y"][:5] == [66.67, 50.0, 60.0, 40.0, 60.0]
    assert made["ResNet-20", "raw"]["y"][:4] == [100.0, 0.0, 100.0, 0.0]
    assert (made["ResNet-20", "test"]["x"], made["ResNet-20", "test"]["y"]) == ([100, 200], [60.0, 40.0])


def test_a_long_run_is_sent_as_a_thousand_points_without_losing_its_peak():
    errors = [50.0] * 6000
    errors[3210] = 99.0
    made = curves(run(1, ResNetConfig(20), errors, iterations=6000))
    assert len(made["ResNet-20", "raw"]["x"]) <= 1000
    assert max(made["ResNet-20", "raw"]["y"]) == 99.0
    assert made["ResNet-20", "raw"]["x"][-1] == 6000


def test_a_loss_that_is_no_number_is_a_gap_and_the_whole_is_json():
    sent = live_chart.payload([run(1, ResNetConfig(20), [50.0, float("nan"), 40.0])])
    assert [c["y"] for c in sent["curves"] if c["kind"] == "raw"] == [[50.0, None, 40.0]]
    json.dumps(sent, allow_nan=False)


def test_colours_and_lines_are_those_of_the_house():
    made = curves(run(1, ResNetConfig(20, "none"), [50.0]), run(2, ResNetConfig(56, "B"), [50.0]))
    assert made["plain-20", "test"]["color"] == {
        "light": style.net_color(ResNetConfig(20, "none")),
        "dark": style.net_color(ResNetConfig(20, "none"), dark=True),
    }
    assert made["plain-20", "train"]["line"]["dash"] != "solid"
    assert made["plain-20", "test"]["line"] == style.TEST_LINE
    assert made["ResNet-56-B", "test"]["symbol"] == "square"
    assert live_chart.payload([])["layouts"]["dark"]["paper_bgcolor"] == style.BACKGROUNDS[True]


def test_a_net_keeps_its_curves_and_their_identity_before_they_have_points():
    early, late = curves(run(1, ResNetConfig(20), [])), curves(run(1, ResNetConfig(20), [50.0], [50.0]))
    assert [c["uid"] for c in early.values()] == [c["uid"] for c in late.values()] == ["run-1-raw", "run-1-train", "run-1-test"]
    assert [c["x"] for c in early.values()] == [[], [], []]


def test_names_stand_at_the_newest_error_and_apart_from_each_other():
    one, two = curves(run(1, ResNetConfig(20), [50.0] * 10)), curves(run(1, ResNetConfig(20), [50.0] * 10, [48.0]))
    assert [c["label"] for c in one.values()] == ["", "ResNet-20", ""]
    assert [c["label"] for c in two.values()] == ["", "", "ResNet-20"]
    near = curves(run(1, ResNetConfig(20), [], [40.0]), run(2, ResNetConfig(56), [], [41.0]), run(3, ResNetConfig(20, "none"), [], [80.0]))
    placed = [near[name, "test"]["label_y"] for name in ("ResNet-20", "ResNet-56", "plain-20")]
    assert placed == pytest.approx([38.94, 42.06, 80.0])  # 0.065 of the axis, from 36 to 84, apart


def test_names_stay_on_the_axis_and_the_axis_within_what_is_possible():
    runs = [run(n, ResNetConfig(depth, "none"), [], [1.0 + n / 10]) for n, depth in enumerate((20, 32, 44, 56))]
    sent = live_chart.payload([*runs, run(9, ResNetConfig(56), [], [99.0])])
    low, high = sent["y"]["range"]
    assert (low, high) == (0.0, 100.0)
    placed = sorted(c["label_y"] for c in sent["curves"] if c["label_y"] is not None)
    assert placed == pytest.approx([0.0, 6.5, 13.0, 19.5, 99.0])


def test_two_seeds_of_one_net_and_four_plain_nets_look_different():
    def looks(*runs: RunRecords) -> set[tuple]:
        return {(c["color"]["light"], c["symbol"]) for c in live_chart.payload(runs)["curves"] if c["kind"] == "test"}

    assert len(looks(run(1, ResNetConfig(20), [], [9.0]), run(2, ResNetConfig(20), [], [9.0], seed=1))) == 2
    four = [run(depth, ResNetConfig(depth, "none"), [], [9.0]) for depth in (20, 32, 44, 56)]
    assert len({symbol for _, symbol in looks(*four)}) == 3


def test_runs_of_one_net_are_told_apart_and_the_users_own_names_are_kept():
    model = ResNetConfig(20)
    runs = [run(1, model, []), run(2, model, [], seed=1), run(3, model, [], name="mine"), run(4, ResNetConfig(56), [])]
    assert [name for name, kind in curves(*runs) if kind == "test"] == ["ResNet-20, seed 0", "ResNet-20, seed 1", "mine", "ResNet-56"]
    alike = [run(1, model, [], iterations=100), run(2, model, [], iterations=200)]
    assert [name for name, kind in curves(*alike) if kind == "test"] == ["ResNet-20, iterations 100", "ResNet-20, iterations 200"]


def test_long_names_stand_in_the_legend_only():
    sent = live_chart.payload([run(1, ResNetConfig(20), [50.0], name="a name of more than twenty-six characters")])
    assert [c["label_y"] for c in sent["curves"]] == [None, None, None]
    assert sent["label_width"] == 0


def test_empty_axes_have_the_range_of_what_will_come():
    sent = live_chart.payload([run(1, ResNetConfig(20), [], iterations=900)], "wait")
    assert (sent["x"]["include"], sent["y"]["range"], sent["note"]) == ([0, 900], [0, 100], "wait")
    assert live_chart.payload([run(1, ResNetConfig(20), [50.0])], "wait")["note"] == ""


def test_single_batches_do_not_set_the_scale():
    sent = live_chart.payload([run(1, ResNetConfig(20), [40.0, 100.0, 40.0, 0.0] * 25, [80.0], iterations=100)])
    smooth = next(c["y"] for c in sent["curves"] if c["kind"] == "train")
    assert min(smooth) > 20 and max(smooth) <= 80
    assert sent["y"]["range"] == [min(smooth) - 4, 84.0]


def test_the_first_points_do_not_make_the_scale_jump():
    assert live_chart.payload([run(1, ResNetConfig(20), [90.0, 90.0])])["y"]["range"] == [54.0, 94.0]
    assert live_chart.payload([run(1, ResNetConfig(20), [10.0])])["y"]["range"] == [0.0, 14.0]


def test_plotly_is_served_as_it_was_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(plotly_js, "STATIC", tmp_path / "static")
    path = plotly_js.publish()
    assert path == f"app/static/plotly-{plotly.__version__}.min.js"
    made = tmp_path / "static" / plotly_js.NAME
    assert made.read_bytes() == (Path(plotly.__file__).parent / "package_data" / "plotly.min.js").read_bytes()
    made.write_bytes(b"broken off")
    plotly_js.publish()
    assert made.stat().st_size > 1_000_000
    assert [p.name for p in (tmp_path / "static").iterdir()] == [plotly_js.NAME]


def test_a_folder_that_cannot_be_made_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(plotly_js, "STATIC", tmp_path / "file" / "static")
    with pytest.raises(UserError, match=r"file.*the live chart needs a copy of .*plotly\.min\.js there"):
        plotly_js.publish()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min"), (273_600, "3 days 4 h")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_names_of_users_are_no_markdown():
    assert escaped("**a** [b](c) :red[d] $e$ <i>") == r"\*\*a\*\* \[b\]\(c\) \:red\[d\] \$e\$ \<i\>"


def test_backgrounds_of_the_themes_are_those_of_the_charts(root):
    import tomllib

    config = tomllib.loads((root / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    for dark, name in ((False, "light"), (True, "dark")):
        assert config["theme"][name]["backgroundColor"] == style.BACKGROUNDS[dark]
        assert config["theme"][name]["textColor"] == style.TEXT[dark]
    assert config["browser"]["gatherUsageStats"] is False
    assert config["client"]["showErrorDetails"] == "none"
