"""``experiment`` on the command line: made from the declarations, the same numbers as the library's, errors in one line."""

from __future__ import annotations

import html
import json
import re

import pytest

from resnet_core.architectures import ResNetConfig
from resnet_core.cli import main
from resnet_core.config import DataConfig
from resnet_core.experiments import EXPERIMENTS, run
from resnet_core.nets import find, words
from tests.nets_tools import write_checkpoint


@pytest.fixture(autouse=True)
def nets(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(tmp_path))
    write_checkpoint(tmp_path, "tiny", ResNetConfig(8, "A", 4))
    write_checkpoint(tmp_path, "flat", ResNetConfig(8, "none", 4))


def test_alone_it_lists_them(capsys):
    assert main(["experiment"]) == 0
    told = capsys.readouterr().out
    assert all(each.key in told and each.question in told for each in EXPERIMENTS.values())
    assert main(["experiment", "--json"]) == 0
    assert [each["key"] for each in json.loads(capsys.readouterr().out)["experiments"]] == list(EXPERIMENTS)


def test_its_numbers_are_those_of_the_library(capsys, tmp_path):
    page = tmp_path / "figure.html"
    assert main(["experiment", "lesions", "tiny", "flat", "--images", "100", "--json", "--out", str(page)]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    found = [run(EXPERIMENTS["lesions"], find(name), DataConfig(), {"images": 100}) for name in ("tiny", "flat")]
    assert [each["errors"] for each in told["results"]] == [one.result.errors.tolist() for one in found]
    assert told["finding"] == EXPERIMENTS["lesions"].functions.finding(found) and "plotly" in page.read_text().lower()
    assert html.escape(words.caption([find(name) for name in ("tiny", "flat")], {"tiny": "tiny", "flat": "flat"})) in page.read_text()
    assert main(["experiment", "lesions", "tiny", "--images", "100"]) == 0
    text = capsys.readouterr().out
    assert "Median increase (points)" in text and EXPERIMENTS["lesions"].limits in text


def test_another_net_may_be_a_parameter_and_the_time_is_told_before(capsys, tmp_path):
    write_checkpoint(tmp_path, "twin", ResNetConfig(8, "A", 4), seed=1)
    given = ["--images", "100", "--steps", "2"]
    assert main(["experiment", "surface", "tiny", *given, "--towards", "twin", "--json"]) == 0
    captured = capsys.readouterr()
    (result,) = json.loads(captured.out)["results"]
    found = run(EXPERIMENTS["surface"], find("tiny"), DataConfig(), {"images": 100, "steps": 2, "towards": "twin"}).result
    assert result["losses"] == found.loss.tolist() and result["a"][0] == -0.5 and result["towards"] == "ResNet-8-w4"
    assert re.search(r"ResNet-8-w4: it takes about \d+:\d\d, by a pass of images", captured.err)


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["lesion", "tiny"], "invalid choice: 'lesion'"),
        (["lesions"], "the following arguments are required: NET"),
        (["lesions", "nothing"], "No checkpoint, file or run is called 'nothing'"),
        (["lesions", "tiny", "--images", "3"], "images: 3 is out of range; it must be from 100 to 10,000."),
        (["lesions", "tiny", "--pictures", "3"], "unrecognized arguments: --pictures 3"),
        (["surface", "tiny", "--towards", "flat"], "towards: plain-8-w4 (plain-8-w4) and ResNet-8-w4 (ResNet-8-w4) are of different"),
        (["surface", "tiny", "--towards", "tiny"], "towards: ResNet-8-w4 is the net itself"),
        (["surface", "tiny", "--towards", "nothing"], "No checkpoint, file or run is called 'nothing'"),
        (["ledger", "tiny", "flat"], "net: plain-8-w4: it has no additions"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(capsys, arguments, said):
    try:
        code = main(["experiment", *arguments])
    except SystemExit as end:
        code = end.code
    captured = capsys.readouterr()
    assert code == 2 and said in captured.err and len(captured.err.strip().splitlines()) == 1 and not captured.out
