"""The seed bank on the page Learn: a seed for each viewer, kept in the address, and what the seeds say."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from resnet_core.claims import seed_bank
from resnet_core.claims.seed_bank import bank, compared, sentence
from tests.page_tools import app, opened

LOCK = "learn.bank.page.needed.lock"
SLIDER = "learn.bank.page.power.probability"
SEED = "learn.bank.page.yours.seed"


@pytest.fixture
def page(root: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    # Run once: in the first run behind Home an address's seed is still that of a widget there.
    return app(root, monkeypatch, "learn/page.py").run()


def texts(page: AppTest) -> str:
    return " ".join(element.value for element in [*page.markdown, *page.caption]).replace("\\", "")


def charts(page: AppTest) -> int:
    return len(page.get("bidi_component"))


def ends(seed: int) -> str:
    return f"Seed {seed}: clean training error at the end plain-20 {bank()[seed]['plain-20'].clean_error:.1f} %"


def test_a_viewer_takes_a_seed_and_keeps_it(page):
    page.button(key="learn.seeds").click().run()
    assert not page.exception and not page.error and page.title[0].value == "The seed bank"
    assert page.query_params["open"] == "seeds"
    seed = int(page.query_params["seed"][0] if isinstance(page.query_params["seed"], list) else page.query_params["seed"])
    assert seed in bank() and page.selectbox(key=SEED).value == seed and ends(seed) in texts(page)
    page.run()
    assert page.selectbox(key=SEED).value == seed  # it is drawn once
    page.button(key=f"{SEED}.draw").click().run()
    other = page.selectbox(key=SEED).value
    assert other != seed and str(other) in page.query_params["seed"] and ends(other) in texts(page)
    page.selectbox(key=SEED).set_value(3).run()
    assert "3" in page.query_params["seed"] and ends(3) in texts(page)
    page.button(key="learn.list").click().run()
    assert page.title[0].value == "Learn"
    page.button(key="learn.seeds").click().run()
    assert page.selectbox(key=SEED).value == 3


def test_a_link_restores_the_seed_and_what_is_compared(page):
    opened(page, open="seeds", seed="5", error="test")
    assert page.selectbox(key=SEED).value == 5 and ends(5) in texts(page)
    for family in ("plain", "residual"):
        assert sentence(compared(bank(), family, "test")) in texts(page)
    page.segmented_control[0].set_value("clean").run()
    assert "clean" in page.query_params["error"] and sentence(compared(bank(), "residual", "clean")) in texts(page)


def test_the_seed_of_homes_address_is_taken_along_each_time(root: Path, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    page = app(root, monkeypatch)
    for seed in ("5", "3"):
        page = page.switch_page("home/page.py") if seed == "3" else page
        page.query_params["seed"] = seed
        page.run()
        assert page.number_input(key="seed").value == int(seed)
        page.switch_page("learn/page.py").run()
        assert page.title[0].value == "Learn" and page.query_params["seed"] in (seed, [seed])
    page.button(key="learn.seeds").click().run()
    assert page.selectbox(key=SEED).value == 3 and ends(3) in texts(page)


@pytest.mark.parametrize("seed", ["999", "-1", "<b>"])
def test_a_link_to_a_seed_that_is_not_there_is_told(page, seed):
    opened(page, open="seeds", seed=seed)
    assert f"asks for the seed “{seed}”" in " ".join(warning.value for warning in page.warning).replace("\\", "")
    assert page.selectbox(key=SEED).value in bank()


def test_the_number_of_seeds_is_shown_behind_a_guess(page):
    opened(page, open="seeds", seed="0")
    before = charts(page)
    assert not page.slider and "it takes 23 seeds" not in texts(page)
    page.number_input[0].set_value(12.0).run()
    page.button(key=LOCK).click().run()
    assert not page.exception and not page.error and charts(page) == before + 1
    assert "worse with 80 of 100 seeds, it takes 23 seeds: 17 of them must end worse" in texts(page)
    assert "20 seeds reach 80 % first" in texts(page)
    page.slider(key=SLIDER).set_value(100).run()
    assert "worse with 100 of 100 seeds, it takes 6 seeds: 6 of them must end worse" in texts(page) and "reach 80 % first" not in texts(
        page
    )
    for percent in (60, 75):
        page.slider(key=SLIDER).set_value(percent).run()
        assert not page.exception and not page.error


def test_every_verdict_names_what_it_holds_for(page):
    opened(page, open="seeds", seed="0")
    assert texts(page).count(f"It holds for: {len(bank())} seeds · sample (300 images) · 37.5 epochs · bf16.") == 2


def test_without_a_bank_the_page_says_so(page, monkeypatch):
    monkeypatch.setattr(seed_bank, "PATH", Path("nowhere"))
    bank.cache_clear()
    try:
        page.run()
        assert not [button for button in page.button if button.key == "learn.seeds"]
        page.query_params["open"] = "seeds"
        page.run()
        assert not page.exception and "No records of the seed bank are here" in page.error[0].value
    finally:
        bank.cache_clear()
