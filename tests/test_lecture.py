"""The lecture file: what it shows at each moment, texts of other people, its lesson, and the command that writes it."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest

from pages.ui.runs_view import Seen, look_recorded, look_shipped
from resnet_core.config import RunConfig, demo_configs
from resnet_core.errors import DataError
from resnet_core.figures.series import RunRecords
from resnet_core.lecture import lecture, trainings
from resnet_core.lecture.charts import charts, moments
from resnet_core.lecture.words import inline, markdown, of_lesson
from resnet_core.lessons import lessons
from resnet_core.runs import RunStore
from tests.command_line import CommandLine
from tests.page_tools import write_run

EVIL = '</script><img src=x onerror="alert(1)">'


def rows(end: float, layers: int = 0) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for step, iteration in enumerate((0, 100, 200, 352)):
        found.append(
            {
                "kind": "train",
                "iteration": iteration,
                "train_error": 90 - step * (90 - end) / 3,
                "images": 32,
                "elapsed_seconds": 1.0 * step,
            }
        )
        if step:
            found.append({"kind": "test", "iteration": iteration, "test_error": 80.0 - step, "elapsed_seconds": 1.0 * step})
        if layers:
            values = [float(step + layer) for layer in range(layers)]
            one = {"names": [f"layer{i}" for i in range(layers)], "response_std": values, "gradient_norm": [None, *values[1:]]}
            found.append({"kind": "layers", "iteration": iteration, "weight_norm": values, **one})
    return found


def run(config: RunConfig, end: float, name: str = "", layers: int = 0, state: str = "finished") -> RunRecords:
    result = {"train_error": end, "test_error": 77.0, "clean_train_error": end}
    key = f"{config.model.name}-{config.recipe.seed}"
    return RunRecords(key, name or config.name, config, rows(end, layers), state, "bf16", result)


def demo(layers: int = 0) -> list[RunRecords]:
    ends = {"plain-20": 0.0, "plain-56": 70.0, "ResNet-20": 0.0, "ResNet-56": 1.0}
    return [run(config, ends[config.model.name], layers=layers) for config in demo_configs()]


def data(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page)
    assert found is not None
    return json.loads(found[1])


def without_plotly(page: str) -> str:
    from plotly.offline import get_plotlyjs

    return page.replace(get_plotlyjs(), "")


def test_the_moments_are_those_of_the_layers_else_even_steps():
    assert moments(demo(layers=2)) == [0, 100, 200, 352]
    even = moments(demo())
    assert (even[0], even[-1], len(even)) == (0, 352, 41)


def test_each_chart_has_its_numbers_at_each_moment():
    curves, responses, gradients = charts(demo(layers=3), [0, 100, 200, 352])
    assert curves.rows == ("plain-20", "plain-56", "ResNet-20", "ResNet-56")
    assert curves.cells[0][0] == ["90.0", "–"] and curves.cells[3][1] == ["70.0", "77.0"] and curves.cells[1][1] == ["83.3", "79.0"]
    assert responses.head == ("layer", "plain-20", "plain-56", "ResNet-20", "ResNet-56") and responses.rows == ("1", "2", "3")
    assert [row[0] for row in responses.cells[2]] == ["2", "3", "4"] and responses.figure["ys"][2][0] == [2.0, 3.0, 4.0]
    # What is no number is a gap, also where the axis is logarithmic.
    assert gradients.cells[1][0] == ["–"] * 4 and gradients.figure["ys"][1][0] == [None, 2.0, 3.0]
    for chart in (responses, gradients):
        assert len(chart.figure["ys"]) == 4 and all(len(moment) == len(chart.figure["data"]) for moment in chart.figure["ys"])


def test_the_axis_of_the_layers_holds_all_moments():
    _, responses, gradients = charts(demo(layers=3), [0, 100, 200, 352])
    for chart, low, high in ((responses, 0, 5.0), (gradients, 0.0, 0.69)):
        shown = chart.figure["layouts"]["light"]["yaxis"]["range"]
        assert shown[0] <= low and shown[1] >= high


def test_a_net_that_was_not_recorded_layer_by_layer_is_left_out_there():
    configs = demo_configs()
    mixed = [run(configs[0], 0.0, layers=2), run(configs[1], 70.0)]
    curves, responses, _ = charts(mixed, moments(mixed))
    assert len(curves.rows) == 2 and responses.head == ("layer", configs[0].model.name)
    assert [chart.key for chart in charts(demo(), moments(demo()))] == ["curves"]


def test_shorter_trainings_keep_their_last_values():
    short = run(demo_configs(1)[0], 10.0, layers=2)
    cut = RunRecords(short.run_id, "short", short.config, [row for row in short.records if row["iteration"] <= 100], "stopped", "bf16")
    curves, responses, _ = charts([*demo(layers=2), cut], [0, 100, 200, 352])
    last = curves.rows.index(next(name for name in curves.rows if name.startswith("short")))
    assert curves.cells[3][last] == curves.cells[1][last] and responses.figure["ys"][3][last] == responses.figure["ys"][1][last]


def test_the_page_is_one_file_with_its_verdict_and_numbers():
    page = lecture(demo(layers=2), title="My course")
    assert page.startswith('<!DOCTYPE html>\n<html lang="en">') and "<h1>My course</h1>" in page
    own = without_plotly(page)
    assert "Degradation in the plain nets, and none in the residual ones" in own and "bf16" in own
    assert not re.search(r"(?:src|href)\s*=\s*[\"']?(?:https?:)?//", own) and "default-src 'none'" in own
    for part in ("curves", "response_std", "gradient_norm"):
        section = own[own.index(f'id="{part}"') :]
        assert 'role="figure" aria-label="' in section and "<table>" in section
    assert "<td>70.0</td>" in own
    assert set(data(page)["charts"]) == {"curves", "response_std", "gradient_norm"}


def test_texts_of_other_people_are_texts():
    runs = [run(config, 10.0, name=EVIL, layers=2) for config in demo_configs()[:1]]
    own = without_plotly(lecture(runs, title=EVIL))
    assert "<img" not in own and own.count("</script>") == 3
    assert f"<h1>{html.escape(EVIL)}</h1>" in own
    assert EVIL not in json.dumps(data(lecture(runs))["charts"]["curves"]["looks"])  # plotly's own tags


def test_what_did_not_end_or_does_not_bear_on_depth_is_told():
    one = demo_configs()[0]
    assert "At the end: plain-20: training error 5.0 %, test error 77.0 %." in lecture([run(one, 5.0)])
    begun = RunRecords("r", "plain-20", one, rows(50.0)[:3], "running", None)
    assert "None of these trainings has come to its end." in lecture([begun])
    diverged = RunRecords("r", "plain-20", one, rows(50.0)[:3], "diverged", "bf16")
    assert "None of these trainings has come to its end." in lecture([diverged])
    with pytest.raises(DataError, match="choose some"):
        lecture([])


def test_markdown_of_lessons():
    assert inline("**a** <b> `c*d*` *e*") == "<strong>a</strong> &lt;b&gt; <code>c*d*</code> <em>e</em>"
    assert markdown("one\ntwo\n\n- a\n- **b**") == "<p>one two</p>\n<ul><li>a</li><li><strong>b</strong></li></ul>"
    assert markdown("") == ""


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_lesson_can_be_taken_along(root: Path, monkeypatch, language):
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(root / "checkpoints"))
    for lesson in lessons(language):
        text = of_lesson(lesson)
        assert text.count("<h3>") == len(lesson.steps) and not re.search(r"\*\*|`|\{\w", text)
        for step in lesson.steps:
            assert html.escape(step.title) in text
            # What is to be learned stands behind a click.
            assert text.count("<details>") == sum(bool(each.look or each.reveal or each.truth) for each in lesson.steps)


def test_shipped_nets_and_runs_are_found(root: Path, monkeypatch, tmp_path):
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(root / "checkpoints"))
    store = RunStore(tmp_path / "runs")
    made = write_run(store, demo_configs()[0], end=12.0)
    found = trainings(["plain-20", made.id, "plain-20"], store.home)
    assert [each.run_id for each in found] == ["plain-20", made.id]
    assert any(record["kind"] == "layers" for record in found[0].records) and found[1].precision == "bf16"
    empty, _ = store.submit(demo_configs(5)[0])
    with pytest.raises(DataError, match="no record of its training yet"):
        trainings([empty.id], store.home)


def test_what_is_listed_on_compare_comes_with_its_layers(root: Path, monkeypatch, tmp_path):
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(root / "checkpoints"))
    shipped = look_shipped()[0]
    assert {record["kind"] for record in shipped.records(layers=True).records} == {"train", "test", "layers"}
    recorded = look_recorded()[0]
    assert recorded.records(layers=True) is recorded.records()
    store = RunStore(tmp_path / "runs")
    made = write_run(store, demo_configs()[0], end=12.0)
    one = Seen(made, made.state()).records(layers=True)
    assert (one.run_id, one.state, one.result and one.result["test_error"]) == (made.id, "finished", 14.0)


def test_the_command_writes_the_file_or_says_why_not(root: Path, tmp_path):
    command = CommandLine(tmp_path / "runs", RESNET_LAB_CHECKPOINTS=str(root / "checkpoints"))
    told = command.json(
        "lecture", "plain-20", "plain-56", "--out", str(tmp_path / "a.html"), "--lesson", "deeper-and-worse", "--lang", "zh"
    )
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert told["bytes"] == (tmp_path / "a.html").stat().st_size < 7_000_000 and told["runs"] == ["plain-20", "plain-56"]
    assert '<html lang="zh">' in page and f"<h1>{lessons('zh')[0].title}</h1>" in page
    for arguments, words in (
        (["plain-20", "--lesson", "unheard-of"], "There is no lesson called 'unheard-of'; they are deeper-and-worse"),
        (["nobody"], "nobody"),
        (["plain-20", "--out", str(tmp_path / "nowhere" / "a.html")], "nowhere"),
    ):
        ended = command("lecture", *arguments)
        assert ended.returncode == 2 and words in ended.stderr and "Traceback" not in ended.stderr
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".html") == ["a.html"]
