"""Tables as CSV: read back as they were, and nothing in them that a spreadsheet would run."""

from __future__ import annotations

import csv
import io

import pytest

from resnet_core.csv_text import csv_text


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_cells_come_back_as_they_were():
    rows = [("a,b", 'say "x"', "two\nlines"), (1, -2.5, None), ("-1e-05", "-inf", "nan")]
    assert csv_text(("x", "y", "z"), rows).splitlines()[0] == "x,y,z"
    assert read(csv_text(("x", "y", "z"), rows))[1:] == [["a,b", 'say "x"', "two\nlines"], ["1", "-2.5", ""], ["-1e-05", "-inf", "nan"]]


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1"])
def test_what_a_spreadsheet_would_run_is_made_text(text: str):
    assert read(csv_text(("name",), [(text,)])) == [["name"], [f"'{text}"]]
