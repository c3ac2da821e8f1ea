"""Paper: what it says of shipped nets and of the viewer's own, and of none."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from resnet_core import claims
from resnet_core.architectures import ResNetConfig
from resnet_core.config import DataConfig, Recipe, RunConfig
from resnet_core.runs import RunStore
from tests import data_fake
from tests.data_fake import small_files  # noqa: F401  a fixture
from tests.nets_tools import write_shipped
from tests.page_tools import app, opened, write_run

PARAMS = {ResNetConfig(depth, shortcut).name: 1 for depth in (20, 32, 44, 56, 110, 1202) for shortcut in ("none", "A")}


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, small_files) -> RunStore:  # noqa: F811
    """Runs and checkpoints of this test only; nothing is trained. A small stand-in for CIFAR-10 lets runs on it be submitted."""
    monkeypatch.setenv("RESNET_LAB_DATA", str(data_fake.write_binary(tmp_path / "cifar-10-batches-bin", data_fake.batches())))
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(tmp_path / "checkpoints"))
    return RunStore()


@pytest.fixture
def page(root: Path, store: RunStore, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    return app(root, monkeypatch, "paper/page.py")


def config(name: str, iterations: int = 16_000, **recipe) -> RunConfig:
    kind, depth = name.split("-")
    return RunConfig(ResNetConfig(int(depth), "none" if kind == "plain" else "A"), DataConfig("cifar10"), Recipe(iterations, **recipe))


@pytest.fixture
def shipped(store: RunStore, tmp_path: Path) -> Path:
    """Test errors are 2 points above the training errors given here."""
    for name, end in (("plain-20", 5.0), ("ResNet-20", 7.0), ("plain-56", 12.5), ("ResNet-56", 7.25)):
        write_shipped(tmp_path / "checkpoints", config(name), end)
    return tmp_path / "checkpoints"


def rows(page: AppTest) -> dict[str, dict[str, str]]:
    """By the claim's text, all rows of the tables, without Markdown's escapes."""
    plain = [{key: cell.replace("\\", "") for key, cell in row.items()} for table in page.table for row in table.value.to_dict("records")]
    return {row["the paper's claim"].partition("  \n")[0]: row for row in plain}


def counts(page: AppTest) -> str:
    return page.header[0].value


def words(page: AppTest) -> str:
    return " ".join(element.value for element in [*page.markdown, *page.caption]).replace("\\", "")


def test_without_nets_it_says_what_to_do_and_what_needs_no_training(page: AppTest):
    opened(page)
    assert "8 reproduced" in counts(page) and "not reproduced" not in counts(page)
    assert f"{len(claims.CLAIMS) - 8} not yet run" in counts(page)
    assert "make zoo" in page.info[0].value
    found = rows(page)
    assert len(found) == len(claims.CLAIMS) and len(page.table) == len(claims.GROUPS)
    row = found["ResNet-20 reaches a test error of 8.75 %."]
    assert "not yet run" in row[""] and row["ours"] == "–" and row["its value"] == "8.75 %"
    assert "Missing: ResNet-20." in row["evidence and criterion"]
    assert found["ResNet-110 has 1.7M parameters."]["ours"] == "**1,727,962**"


def test_every_row_has_mark_value_schedule_evidence_and_criterion(page: AppTest, shipped: Path):
    opened(page)
    assert not page.info
    found = rows(page)
    row = found["ResNet-20 reaches a test error of 8.75 %."]
    assert row[""] == ":green-badge[:material/check_circle: reproduced]"
    assert row["ours"] == "**9.00 ± 0.35 %**  \n:small[1/4 of the schedule]"
    assert "0.25 points above the paper's 8.75 %; up to ± 0.98 points could be luck" in row["evidence and criterion"]
    assert "Criterion: Neither above nor below" in row["evidence and criterion"]
    assert row["the paper's claim"].endswith(":small[Table 6]")
    row = found["ResNet-56 reaches a test error of 6.97 %."]
    assert row[""] == ":gray-badge[:material/hourglass_empty: not yet run at the paper's schedule]"
    assert row["ours"].startswith("**9.25 ± 0.35 %**")
    assert "reproduced" in found["plain-56 ends with a higher training error than plain-20."][""]
    assert found["ResNet-44 reaches a test error of 7.17 %."][""] == ":gray-badge[:material/schedule: not yet run]"
    assert "Judged by 4 nets, trained on 1/4 of the paper's schedule:** plain-20, ResNet-20, plain-56, ResNet-56." in words(page)
    assert "1 seed · CIFAR-10 (50,000 images) · 1/4 of the paper's schedule · bf16." in words(page)


def test_the_counts_are_those_of_the_rows(page: AppTest, shipped: Path):
    opened(page)
    marks = [row[""] for row in rows(page).values()]
    for status in claims.STATUSES:
        count = sum(mark.endswith(f": {status}]") for mark in marks)
        assert (f": {count} {status}]" in counts(page)) == (count > 0)
    assert sum(f": {status}]" in mark for mark in set(marks) for status in claims.STATUSES) >= 4
    assert len(marks) == len(claims.CLAIMS)


def test_own_runs_count_when_asked_for(page: AppTest, store: RunStore, shipped: Path):
    write_run(store, config("ResNet-44"), 6.0)
    write_run(store, config("ResNet-32", 1000), 6.0, name="a *short* one")
    write_run(store, config("ResNet-32"), 6.0, state="running", part=0.5)
    write_run(store, config("ResNet-20"), 40.0)
    write_run(store, RunConfig(ResNetConfig(20), DataConfig("sample"), Recipe(64_000)), 6.0)
    opened(page)
    assert page.toggle[0].value is False and "not yet run" in rows(page)["ResNet-44 reaches a test error of 7.17 %."][""]
    page.toggle[0].set_value(True).run()
    assert not page.exception and not page.error
    found = rows(page)
    assert found["ResNet-44 reaches a test error of 7.17 %."]["ours"].startswith("**8.00 ± 0.34 %**")
    assert found["ResNet-20 reaches a test error of 8.75 %."]["ours"].startswith("**9.00 ± 0.35 %**")  # the shipped one
    assert "not yet run" in found["ResNet-32 reaches a test error of 7.51 %."][""]
    assert "Your run a *short* one does not count: it saw less than 25% of the paper's schedule." in words(page)
    assert "sample" not in words(page)


def test_it_is_said_when_none_of_the_own_runs_counts(page: AppTest, store: RunStore, shipped: Path):
    write_run(store, config("ResNet-44"), 6.0, state="running", part=0.5)
    opened(page)
    assert "None of your own runs counts" not in words(page)
    page.toggle[0].set_value(True).run()
    assert "None of your own runs counts. Those count that have finished" in words(page)


def test_the_address_keeps_the_switch(page: AppTest, store: RunStore):
    write_run(store, config("ResNet-20", 64_000), 7.0)
    opened(page, own="true")
    row = rows(page)["ResNet-20 reaches a test error of 8.75 %."]
    assert page.toggle[0].value is True and row["ours"] == "**9.00 ± 0.35 %**  \n:small[full schedule]"


def test_a_damaged_checkpoint_is_named_and_left_out(page: AppTest, shipped: Path):
    (shipped / "resnet-20" / "card.json").write_text("{")
    opened(page)
    assert "Checkpoint resnet-20: card.json cannot be read" in words(page)
    assert "Judged by 3 nets" in words(page) and "not yet run" in rows(page)["ResNet-20 reaches a test error of 8.75 %."][""]


def test_the_table_can_be_taken_away(page: AppTest, shipped: Path):
    opened(page)
    (button,) = page.get("download_button")
    assert button.proto.label == "Table (CSV)"


def test_the_csv_has_a_row_a_claim(root: Path, monkeypatch: pytest.MonkeyPatch, shipped: Path):
    from pages.paper import claims_rows
    from pages.ui import shipped as nets

    results = claims.evaluate([trained.net for trained in nets.shipped()], PARAMS)
    read = {row["id"]: row for row in csv.DictReader(io.StringIO(claims_rows.as_csv(results)))}
    assert set(read) == {claim.id for claim in claims.CLAIMS}
    row = read["table6-error-20"]
    assert (row["status"], row["ours"], row["paper"]) == ("reproduced", "9.00 ± 0.35 %", "8.75 %")
    assert (row["schedule_fraction"], row["nets"], row["source"]) == ("0.25", "resnet-20", "Table 6")
    assert row["evidence"] and row["criterion"] and read["table6-error-32"]["schedule_fraction"] == ""
