"""Numbers for spreadsheets: every table that can be downloaded is written here."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any


def csv_text(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """``head`` and ``rows`` as CSV, a line each; None is an empty cell.

    A text that a spreadsheet would take for a formula and run (names of files and nets come from anybody) has a ``'`` put before it.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    if not isinstance(value, str) or not value.startswith(("=", "+", "-", "@", "\t")):
        return value
    try:
        float(value)  # a formatted number, with its sign
    except ValueError:
        return f"'{value}"
    return value
