"""The chart of learning curves and what stands beside it."""

from __future__ import annotations

import numpy as np
import pytest

from resnet_core import conditions
from resnet_core.architectures import ResNetConfig
from resnet_core.config import DataConfig, Recipe, RunConfig
from resnet_core.figures import captions, style
from resnet_core.figures.curves import View, learning_curves, view_note
from resnet_core.figures.series import RunRecords

RECIPE = {"iterations": 900, "batch_size": 32, "learning_rate": 0.02, "schedule": "linear"}


def make(
    depth: int, shortcut: str, level: float, seed: int = 0, steps: int = 9, data: str = "sample", name: str = "", **recipe
) -> RunRecords:
    """A run whose training error falls from ``level`` by 1 every 100 iterations (2 s each), the test error 5 above it."""
    config = RunConfig(ResNetConfig(depth, shortcut), DataConfig(data), Recipe(**{**RECIPE, "seed": seed, **recipe}))
    records: list[dict] = []
    for step in range(1, steps + 1):
        at = {"iteration": 100 * step, "elapsed_seconds": 2.0 * step}
        records.append({"kind": "train", "loss": 2 - step / 10, "train_error": level - step, "images": 3200, **at})
        records.append({"kind": "test", "test_error": level - step + 5, "test_loss": 2.1 - step / 10, **at})
    run_id = f"{config.model.name.lower()}-{data}-s{seed}-{config.fingerprint[:6]}{name}"
    return RunRecords(run_id, name or config.model.name, config, records, precision="bf16")


DEMO = [make(56, "A", 50), make(20, "none", 55), make(20, "A", 48), make(56, "none", 80)]


def lines(figure) -> list:
    """The curves themselves, without bands, raw curves behind smoothed ones and names at the ends."""
    return [trace for trace in figure.data if trace.meta]


def shown(figure, kind: str) -> dict[str, object]:
    return {trace.name: trace for trace in figure.data if trace.meta == kind}


def test_training_is_dashed_test_is_bold_and_nets_have_their_colours():
    figure = learning_curves(DEMO)
    training, test = shown(figure, "training"), shown(figure, "test")
    assert list(test) == ["plain-20", "plain-56", "ResNet-20", "ResNet-56"]
    np.testing.assert_array_equal(test["plain-56"].x, np.arange(100, 1000, 100))
    np.testing.assert_array_equal(training["plain-56"].y, 80 - np.arange(1, 10))
    np.testing.assert_array_equal(test["plain-56"].y, 85 - np.arange(1, 10))
    for name, model in (("plain-56", ResNetConfig(56, "none")), ("ResNet-20", ResNetConfig(20, "A"))):
        assert training[name].line.color == test[name].line.color == style.net_color(model)
        assert training[name].line.dash == style.TRAIN_LINE["dash"] and test[name].line.dash == "solid"
        assert test[name].line.width > 2 * training[name].line.width
        assert test[name].mode == "lines"
    assert {trace.type for trace in figure.data} == {"scatter"}
    assert all(isinstance(trace.y, np.ndarray) for trace in lines(figure))


def test_one_legend_entry_hides_all_curves_of_a_net():
    figure = learning_curves(DEMO, View(smoothing=0.3))
    assert [trace.name for trace in figure.data if trace.showlegend] == ["plain-20", "plain-56", "ResNet-20", "ResNet-56"]
    assert {trace.legendgroup for trace in figure.data if trace.name == "plain-20"} == {DEMO[1].run_id}
    assert len({trace.legendgroup for trace in figure.data}) == 4
    assert len({trace.uid for trace in figure.data}) == len(figure.data)
    assert "╌╌ training" in figure.layout.legend.title.text and "<b>━━</b> test" in figure.layout.legend.title.text
    only = learning_curves(DEMO, View(kinds=("training",)))
    assert sum(bool(trace.showlegend) for trace in only.data) == 4 and "━━" not in only.layout.legend.title.text


@pytest.mark.parametrize(
    ("axis", "last", "title"),
    [("iterations", 900, "iterations"), ("epochs", 900 * 32 / 5000, "epochs"), ("time", 18, "training time (seconds)")],
)
def test_x_axes(axis: str, last: float, title: str):
    figure = learning_curves(DEMO, View(x=axis))
    assert [trace.x[-1] for trace in lines(figure)] == pytest.approx([last] * 8)
    assert figure.layout.xaxis.title.text == title


def test_long_times_are_told_in_minutes_and_hours():
    long = make(20, "A", 50)
    for seconds, title, last in ((3600, "training time (minutes)", 60), (36_000, "training time (hours)", 10)):
        records = [{**record, "elapsed_seconds": record["iteration"] / 900 * seconds} for record in long.records]
        figure = learning_curves([RunRecords(long.run_id, "", long.config, records)], View(x="time"))
        assert figure.layout.xaxis.title.text == title and figure.data[0].x[-1] == pytest.approx(last)


def test_loss_and_log_scale():
    figure = learning_curves(DEMO, View(metric="loss", log=True))
    assert shown(figure, "training")["plain-20"].y[0] == pytest.approx(1.9)
    assert figure.layout.yaxis.type == "log" and figure.layout.yaxis.title.text == "loss (cross-entropy), log scale"
    assert learning_curves(DEMO).layout.yaxis.title.text == "error (%)"


def test_smoothing_is_stated_and_the_raw_curve_stands_faint_behind():
    view = View(smoothing=1 / 3, kinds=("training",))
    figure = learning_curves([make(20, "none", 55, data="sample")], view)
    raw, smooth, _ = figure.data
    np.testing.assert_array_equal(raw.y, 55 - np.arange(1, 10))
    # 300 iterations: one point on each side; at the ends over what is there.
    np.testing.assert_allclose(smooth.y, [53.5, 53, 52, 51, 50, 49, 48, 47, 46.5])
    assert "0.3)" in raw.line.color and raw.hoverinfo == "skip"
    note = view_note(captions.grouped(DEMO), view)
    assert "300 iterations" in note and "33%" in note
    assert view_note(captions.grouped(DEMO), View()) == ""


def test_mean_and_spread_over_seeds():
    runs = [make(20, "none", level, seed) for seed, level in enumerate((50, 60, 70))] + [make(56, "none", 80)]
    figure = learning_curves(runs, View(seeds="range", kinds=("test",)))
    band = next(trace for trace in figure.data if trace.fill == "toself")
    test = shown(figure, "test")
    assert list(test) == ["plain-20, 3 seeds", "plain-56, seed 0"]
    np.testing.assert_allclose(test["plain-20, 3 seeds"].y, 65 - np.arange(1, 10))
    np.testing.assert_allclose(band.y[:9], 75 - np.arange(1, 10))
    np.testing.assert_allclose(band.y[9:], (55 - np.arange(1, 10))[::-1])
    assert "means over seeds" in view_note(captions.grouped(runs, "range"), View(seeds="range"))
    separate = learning_curves(runs, View(kinds=("test",)))
    assert list(shown(separate, "test")) == ["plain-20, seed 0", "plain-20, seed 1", "plain-20, seed 2", "plain-56, seed 0"]


def test_other_recipes_are_never_averaged():
    runs = [make(20, "none", 50, 0), make(20, "none", 60, 1, learning_rate=0.1)]
    assert [len(group.runs) for group in captions.grouped(runs, "std")] == [1, 1]


def test_a_seed_trained_twice_counts_once():
    group = captions.grouped([make(20, "none", 50, 0), make(20, "none", 50, 0, name="-2"), make(20, "none", 50, 1)], "std")[0]
    assert group.seeds == 2 and captions.seeds_text(group) == "2 seeds, 3 runs"


def test_a_seed_without_a_record_is_not_counted():
    waiting = RunRecords("waiting", "plain-20", make(20, "none", 0, 2).config, [], "queued")
    runs = [make(20, "none", 50, 0), make(20, "none", 60, 1), waiting]
    figure = learning_curves(runs, View(seeds="std", kinds=("test",)))
    assert list(shown(figure, "test")) == ["plain-20, 2 seeds"]
    assert captions.caption(captions.grouped(runs, "std")).startswith("Every curve: 2 seeds · ")
    assert captions.seeds_text(captions.Group((waiting,))) == "seed 2"


def test_curves_of_one_net_are_told_apart_by_label_and_symbol():
    runs = [make(20, "A", 50), make(20, "A", 40, learning_rate=0.1), make(20, "A", 30, learning_rate=0.1, name="again")]
    figure = learning_curves(runs, View(kinds=("test",)))
    assert [trace.name for trace in lines(figure)] == ["ResNet-20, rate 0.02", "ResNet-20, rate 0.1", "again"]
    assert len({(trace.mode, trace.marker.symbol) for trace in lines(figure)}) == 3
    shortcuts = learning_curves([make(20, s, 50) for s in "ABC"], View(kinds=("test",)))
    assert [(trace.mode, trace.marker.symbol) for trace in lines(shortcuts)[1:]] == [
        ("lines+markers", "square"),
        ("lines+markers", "diamond"),
    ]


def test_runs_are_called_as_the_user_named_them():
    named = [make(20, "A", 50, name="mine"), make(20, "none", 50, name="same"), make(56, "none", 50, name="same"), make(56, "A", 50)]
    assert captions.labels(captions.grouped(named)) == ["same (plain-20)", "same (plain-56)", "mine", "ResNet-56"]
    # As one curve over seeds, by a name that all of them have.
    seeds = [
        make(20, "A", 50, 0, name="mine"),
        make(20, "A", 50, 1, name="mine"),
        make(20, "none", 50, 0, name="one"),
        make(20, "none", 50, 1),
    ]
    assert captions.labels(captions.grouped(seeds, "range")) == ["plain-20, 2 seeds", "mine"]
    # Another's own name is taken: then it needs what differs.
    taken = [make(20, "A", 50, name="plain-20"), make(20, "none", 50)]
    assert captions.labels(captions.grouped(taken)) == ["plain-20", "plain-20 (ResNet-20)"]


def test_labels_name_what_differs():
    groups = captions.grouped([make(20, "A", 50), make(20, "A", 40, data="cifar10"), make(20, "none", 40, iterations=2000)])
    names = captions.labels(groups)
    assert names[0] == "plain-20, sample (5,000 images), iterations 2,000"
    assert len(set(names)) == 3 and "CIFAR-10 (50,000 images)" in names[2]


def test_many_nets_move_the_legend_aside():
    figure = learning_curves([make(depth, "A", 50) for depth in range(8, 80, 6)])
    assert figure.layout.legend.orientation == "v" and learning_curves(DEMO).layout.legend.orientation == "h"


def ends(figure) -> dict[str, object]:
    """The traces of the names at the ends of the curves."""
    return {trace.text[1].strip("\u2009<b/>"): trace for trace in figure.data if trace.mode == "lines+text"}


def test_names_do_not_overlap_and_a_line_ties_each_to_the_end_of_its_curve():
    figure = learning_curves([make(20, "none", 50), make(56, "none", 50.5), make(20, "A", 20)])
    names = ends(figure)
    assert list(names) == ["plain-20", "plain-56", "ResNet-20"]
    span = 54.5 - 11  # from the lowest training error to the highest test error
    assert names["plain-56"].y[1] - names["plain-20"].y[1] == pytest.approx(0.065 * span)
    assert names["plain-56"].y[1] + names["plain-20"].y[1] == pytest.approx(46 + 46.5)
    assert {name: (trace.x[0], trace.y[0]) for name, trace in names.items()} == {
        "plain-20": (900, 46), "plain-56": (900, 46.5), "ResNet-20": (900, 16)
    }  # fmt: skip
    assert names["ResNet-20"].y[1] == 16 and names["ResNet-20"].x[1] == figure.layout.xaxis.autorangeoptions.clipmax == 936
    assert names["plain-20"].textfont.color == style.net_color(ResNetConfig(20, "none"))
    assert names["plain-20"].legendgroup == shown(figure, "test")["plain-20"].legendgroup


def test_no_axis_and_no_name_shows_an_impossible_value():
    runs = [make(depth, shortcut, level) for shortcut, level in (("none", 95), ("A", 9.5)) for depth in (20, 32, 44, 56)]
    figure = learning_curves(runs)
    assert (figure.layout.yaxis.minallowed, figure.layout.yaxis.maxallowed, figure.layout.xaxis.minallowed) == (0, 100, 0)
    heights = np.sort([trace.y[1] for trace in ends(figure).values()])
    assert heights[0] >= 0 and heights[-1] <= 100 and np.diff(heights).min() >= 0.065 * 98.5 - 1e-9
    log = learning_curves(runs, View(log=True))
    assert (log.layout.yaxis.minallowed, log.layout.yaxis.maxallowed) == (None, 2)  # powers of ten
    loss = learning_curves(runs, View(metric="loss"))
    assert (loss.layout.yaxis.minallowed, loss.layout.yaxis.maxallowed) == (0, None)


def test_four_plain_nets_and_four_residual_ones_are_told_apart_by_symbols():
    figure = learning_curves([make(depth, shortcut, 50) for shortcut in ("none", "A") for depth in (20, 32, 44, 56)])
    for family in ("plain", "ResNet"):
        looks = {(trace.mode, trace.marker.symbol) for name, trace in shown(figure, "test").items() if name.startswith(family)}
        assert len(looks) == 3  # those of 20 and 56 layers, far apart on their ramp, are both bare
    seeds = lines(learning_curves([make(20, "A", 50, 0), make(20, "A", 50, 1)], View(kinds=("test",))))
    assert len({(trace.mode, trace.marker.symbol) for trace in seeds}) == 2


def test_test_error_is_as_recorded_and_the_pointer_shows_the_records():
    figure = learning_curves(DEMO, View(smoothing=1 / 3, kinds=("training", "test")))
    test, training = shown(figure, "test")["plain-56"], shown(figure, "training")["plain-56"]
    np.testing.assert_array_equal(test.y, 85 - np.arange(1, 10))
    assert "%{y:.2f} %" in test.hovertemplate and "mean" not in test.hovertemplate
    np.testing.assert_array_equal(training.customdata, 80 - np.arange(1, 10))
    assert "training error <b>%{customdata:.2f} %</b>" in training.hovertemplate and "moving mean: %{y:.2f} %" in training.hovertemplate
    assert "as recorded" in view_note(captions.grouped(DEMO), View(smoothing=0.1))
    assert view_note(captions.grouped(DEMO), View(smoothing=0.1, kinds=("test",))) == ""


def test_hover_boxes_have_one_condition_a_line():
    conditions = "<br>1 seed<br>sample (5,000 images)<br>5.76 epochs<br>bf16<extra>"
    assert all(conditions in trace.hovertemplate for trace in lines(learning_curves(DEMO)))


def test_names_given_by_users_are_text_and_not_markup():
    figure = learning_curves([make(20, "A", 50, name="<b>one"), make(20, "A", 40, name="two%{x}")])
    assert [trace.name for trace in lines(figure)[2:]] == ["&lt;b&gt;one", "two%{x}"]
    assert all("two" not in trace.hovertemplate for trace in lines(figure))


def test_a_long_record_is_decimated():
    run = make(20, "none", 55)
    records = [
        {"kind": "train", "iteration": i, "train_error": 50 + 40 * np.sin(i), "images": 32, "elapsed_seconds": i} for i in range(1, 20_001)
    ]
    figure = learning_curves([RunRecords(run.run_id, "", run.config, records)])
    training = shown(figure, "training")["plain-20"]
    assert 500 < len(training.x) <= 1000 and (training.x[0], training.x[-1]) == (1, 20_000)


def test_nothing_to_draw_is_an_empty_chart():
    assert len(learning_curves([]).data) == 0
    queued = RunRecords("r", "ResNet-56", DEMO[0].config, [], state="queued")
    waiting = shown(learning_curves([queued, DEMO[1]], View(kinds=("test",))), "test")
    assert len(waiting["plain-20"].y) == 9 and np.isnan(waiting["ResNet-56"].y).all() and waiting["ResNet-56"].showlegend
    assert learning_curves([queued], View(seeds="range", smoothing=0.1)).layout.yaxis.title.text == "error (%)"


def test_zoom_survives_new_points_but_not_another_axis():
    before, after = (learning_curves([make(20, "A", 50, steps=steps)]) for steps in (3, 4))
    assert before.layout.uirevision == after.layout.uirevision and before.layout.yaxis.uirevision == after.layout.yaxis.uirevision
    assert [trace.uid for trace in before.data] == [trace.uid for trace in after.data]
    assert before.layout.yaxis.uirevision != learning_curves(DEMO, View(metric="loss")).layout.yaxis.uirevision


def test_dark_theme():
    figure = learning_curves(DEMO, dark=True)
    assert figure.layout.paper_bgcolor == style.BACKGROUNDS[True]
    assert shown(figure, "test")["plain-56"].line.color == style.net_color(ResNetConfig(56, "none"), dark=True)


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (1.0, "the paper's full schedule"),
        (1 / 64, "1/64 of the paper's schedule"),
        (900 * 32 / (64_000 * 128), "1/284 of the paper's schedule"),
        (0.5, "1/2 of the paper's schedule"),
        (0.75, "3/4 of the paper's schedule"),
        (2.0, "2 times the paper's schedule"),
        (1 / 8_192_000, "1/8,192,000 of the paper's schedule"),
    ],
)
def test_schedule_fractions_in_words(fraction: float, text: str):
    assert conditions.fraction_text(fraction) == text


def test_conditions_stand_beside_every_curve():
    text = "1 seed · sample (5,000 images) · 5.76 epochs · bf16"
    assert captions.caption(captions.grouped(DEMO)) == f"Every curve: {text}."
    mixed = captions.caption(captions.grouped([*DEMO, make(110, "A", 60, iterations=9000)]))
    assert mixed == f"plain-20, plain-56, ResNet-20, ResNet-56: {text}. ResNet-110: {text.replace('5.76', '57.6')}."
    unplanned = RunRecords("r", "r", DEMO[0].config, [], state="queued")
    assert "precision not yet decided" in captions.caption(captions.grouped([unplanned]))
