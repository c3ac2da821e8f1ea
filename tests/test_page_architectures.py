"""The page Architectures: its numbers, its links, and what it says of a net that does not exist."""

import re

import pytest
from streamlit.testing.v1 import AppTest

from tests.analysis_tools import figures, said
from tests.page_tools import array

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


@pytest.fixture
def page(root):
    """Opens the page by a link: ``page(net=[...], show=...)``."""

    def open_page(**query):
        app = AppTest.from_file(str(root / "pages" / "architectures" / "page.py"), default_timeout=120)
        for name, value in query.items():
            app.query_params[name] = value
        return app.run()

    return open_page


def table(app, index):
    """The rows of a Markdown table, by the text of their first cell."""
    tables = [element.value for element in app.markdown if element.value.startswith("|")]
    rows = [[cell.strip().replace("*", "") for cell in line.strip("|").split("|")] for line in tables[index].splitlines()[2:]]
    return {row[0]: row[1:] for row in rows}


def test_the_default_nets_are_measured_and_the_same_by_arithmetic(page):
    app = page()
    assert not app.exception and not app.error
    equal = "fvcore, and arithmetic: equal"
    assert table(app, 0) == {
        "plain-20": ["20", "269,722", "40,551,040", equal, "32×32", "–"],
        "ResNet-20": ["20", "269,722", "40,551,040", equal, "32×32", "8.75 (He et al.'s recipe, one run or the best of five)"],
        "plain-56": ["56", "853,018", "125,485,696", equal, "32×32", "–"],
        "ResNet-56": ["56", "853,018", "125,485,696", equal, "32×32", "6.97 (He et al.'s recipe, one run or the best of five)"],
    }
    assert len(app.get("plotly_chart")) == 2


def test_plain_against_a_b_and_c_is_spelled_out(page):
    app = page()
    rows = table(app, 1)
    assert rows["none (plain)"] == ["853,018", "0", "125,485,696", "0"]
    assert rows["A: identity, zero-padded"] == rows["none (plain)"]
    assert rows["B: projections where dimensions change"] == ["855,770", "+2,752 (0.32 %)", "125,747,840", "+262,144 (0.21 %)"]
    assert rows["C: projections"] == ["900,858", "+47,840 (5.61 %)", "132,301,440", "+6,815,744 (5.43 %)"]
    assert "B adds 2,752 parameters (0.32 %) and 262,144 MACs (0.21 %): two 1×1 projections" in app.markdown[-1].value


def test_a_link_restores_the_nets_and_the_one_looked_into(page):
    app = page(net=["plain-32", "ResNet-110-B"], show="ResNet-110-B")
    assert app.multiselect(key="net").value == ["plain-32", "ResNet-110-B"]
    assert list(table(app, 0)) == ["plain-32", "ResNet-110-B"]
    assert [heading.value for heading in app.header] == [
        "What differs",
        "ResNet-110-B, drawn",
        "Plain against A, B and C at 110 layers",
        "Layer by layer",
        "Published errors against cost",
    ]
    assert "CSV of the layers of ResNet-110-B" in [button.label for button in app.get("download_button")]
    layers = app.dataframe[0].value
    assert layers["parameters"].sum() == 1_730_714 and layers["MACs"].sum() == 253_149_824
    assert app.caption[-1].value == "Counted by fvcore in the built net; each of the 223 rows is the same by arithmetic."


def test_a_wrong_depth_in_a_link_is_answered_with_the_nearest_and_the_others_are_shown(page):
    app = page(net=["ResNet-57", "ResNet-20"])
    assert not app.exception
    assert len(app.error) == 1
    assert app.error[0].value.replace("\\", "") == (
        "**ResNet-57** is left out. depth: 57 is not of the form 6n+2 (basic blocks, up to 1202); the nearest valid depths are 56 and 62."
    )
    assert list(table(app, 0)) == ["ResNet-20"]


def test_only_wrong_nets_leave_a_page_that_says_what_to_do(page):
    app = page(net=["![x](https://example.org/x.png)"], show="nothing")
    assert not app.exception
    assert "\\!\\[x\\]\\(http" in app.error[0].value, "a link must not put an image on the page"
    assert app.info[0].value == "Choose at least one net."


def test_a_net_is_added_from_its_family(page):
    app = page(net=["ResNet-20"])
    app.selectbox(key="new_family").set_value("densenet").run()
    app.selectbox(key="new_preset").set_value("DenseNet-BC-100-k12").run()
    app.button(key="new_add").click().run()
    assert not app.exception and not app.error
    assert list(table(app, 0)) == ["ResNet-20", "DenseNet-BC-100-k12"]
    assert "join of branch and skip (addition; concatenation and no skip)" in said(app).replace("\\", "")


def test_no_more_nets_are_added_than_fit(page):
    app = page(net=[f"ResNet-{depth}" for depth in range(8, 8 + 6 * 8, 6)])
    app.selectbox(key="new_preset").set_value("ResNet-110").run()
    app.button(key="new_add").click().run()
    assert "8 nets are chosen already" in app.error[0].value
    assert len(table(app, 0)) == 8


def test_sets_of_nets_are_chosen_at_one_click(page):
    app = page(net=["ResNet-20"])
    app.button(key="set.Add, gate, concatenate").click().run()
    assert list(table(app, 0)) == ["plain-56", "Highway-56", "ResNet-56", "DenseNet-40-k12"]
    assert not app.exception and not app.error


def test_what_differs_is_said_of_two_nets(page):
    app = page(net=["plain-56", "ResNet-56"], show="ResNet-56")
    assert (
        "From **ResNet-56** to **plain-56**: shortcut (A; none). It has the same parameters and MACs. They differ in **one thing**."
        in said(app)
    )


def test_published_errors_are_drawn_with_their_conditions(page):
    app = page(net=["ResNet-20"], data="ImageNet")
    traces = figures(app)[-1]
    names = {trace["name"] for trace in traces}
    assert {"ResNet: ten crops", "ResNet: one crop of 224", "plain: ten crops", "VGG: all positions, one scale"} <= names
    (crops,) = [trace for trace in traces if trace["name"] == "ResNet: one crop of 224"]
    assert crops["hovertext"][0] == "ResNet-50-ImageNet" and list(array(crops["y"])) == [24.7, 23.6, 23.0]
    assert array(crops["x"])[0] == 3_857_973_248
    assert "Errors under different conditions cannot be compared" in said(app)


def test_a_net_too_large_to_be_built_is_counted_by_arithmetic(page):
    app = page(net=["ResNet-1202-C-w256"])
    assert not app.exception and not app.error
    assert table(app, 0)["ResNet-1202-C-w256"][1:4] == ["5,225,387,274", "764,377,049,088", "arithmetic (too large for fvcore here)"]


def test_a_net_that_was_taken_away_is_no_longer_looked_into(page):
    app = page(net=["ResNet-20", "ResNet-32"], show="ResNet-32")
    app.multiselect(key="net").set_value(["ResNet-20"]).run()
    assert not app.exception
    assert app.header[0].value == "ResNet-20, drawn"


@pytest.mark.parametrize(
    "name, said",
    [
        ("ResNet-20-B-preact", "two 1×1 projections where dimensions change"),
        ("ResNet-20-rezero", ""),
        ("ResNet-18-ImageNet", "three 1×1 projections, each with its BN, where dimensions change"),
        ("DenseNet-40-k12", ""),
        ("Highway-20", ""),
    ],
)
def test_a_net_of_any_kind_is_counted_and_drawn(page, name, said):
    app = page(net=[name])
    assert not app.exception and not app.error
    assert list(table(app, 0)) == [name] and len(app.get("plotly_chart")) == (3 if "DenseNet" in name else 2)
    # Plain against A, B and C is told where the shortcut is all that differs.
    assert any("Plain against A, B and C" in heading.value for heading in app.header) == bool(said)
    assert not said or any(said in element.value for element in app.markdown)


def test_a_resnext_is_shown_in_its_three_forms_with_the_proof(page):
    app = page(net=["ResNeXt-29-8x64d", "ResNet-29-B-bottleneck"], show="ResNeXt-29-8x64d")
    assert not app.exception and not app.error
    assert "One block in three equal forms" in [heading.value for heading in app.header]
    assert re.search(r"between \(a\) and \(c\) \*\*\d\.\de-1[3-6]\*\*", said(app))
    app = page(net=["ResNet-29-B-bottleneck"])
    assert "One block in three equal forms" not in [heading.value for heading in app.header]


def test_a_densenet_shows_who_reads_whom(page):
    app = page(net=["DenseNet-40-k12"])
    assert "12 × 13 / 2 = 78 connections" in said(app) and "dense block 1" in said(app)
    app.button_group(key="dense_block").set_value(2).run()
    assert not app.exception and "dense block 2" in said(app)
