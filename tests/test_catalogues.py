"""The catalogues: every sentence of the code has a translation in every language, with the same places; and no sentence escapes them."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from resnet_core import catalogues
from resnet_core.language import LANGUAGES, catalogue_path

OTHERS = [language for language in LANGUAGES if language != "en"]
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def said() -> set[str | tuple[str, ...]]:
    return {message for message, _ in catalogues.sentences()}


def test_a_sentence_within_an_f_string_is_one_too(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogues, "ROOT", tmp_path)
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "bench.py").write_text(
        """st.markdown(f"## {tr('Ask')}", f'{tr_n(2, "one", "many")}', tr(f"{no}"), tr(word), tr_n(2, 'one'), mark("a " "b"))"""
    )
    cli = tmp_path / "resnet_core" / "cli"
    cli.mkdir(parents=True)
    (cli / "here.py").write_text('tr("in English")')
    found = [message for message, file in catalogues.sentences() if file == "pages/bench.py"]
    assert found == ["Ask", ("one", "many"), "a b"]
    assert "in English" not in {message for message, _ in catalogues.sentences()}


def catalogue(language: str) -> dict[str | tuple[str, ...], tuple[str, ...]]:
    with catalogue_path(language).open("rb") as file:
        found = read_po(file, locale=language)
    assert not any(message.fuzzy for message in found if message.id)
    return {m.id: m.string if isinstance(m.string, tuple) else (m.string,) for m in found if m.id}


def places(sentence: str) -> list[str]:
    """What stands between braces, with its format, sorted; of a sentence with braces of its own, those of plotly, as they are."""
    try:
        return sorted(f"{name}!{kind}:{form}" for _, name, form, kind in string.Formatter().parse(sentence) if name is not None)
    except ValueError:
        return sorted(re.findall(r"%\{[^}]*\}", sentence))


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_is_translated_and_no_other(language, said):
    found = catalogue(language)
    assert len(said) > 2000
    assert {message for message in said if not all(found.get(message, ("",)))} == set()
    assert set(found) - said == set()


@pytest.mark.parametrize("language", OTHERS)
def test_translations_have_the_places_of_their_sentence(language):
    wrong = {}
    for message, translated in catalogue(language).items():
        forms = message if isinstance(message, tuple) else (message,)
        due = places(forms[-1])
        assert all(set(places(form)) <= set(due) for form in forms), message
        if any(places(text) != due for text in translated):
            wrong[message] = translated
    assert wrong == {}


@pytest.mark.parametrize("language", OTHERS)
def test_marks_of_markdown_and_plotly_are_kept(language):
    """Emphasis, icons, links, line breaks and hover fields: as many as in English."""
    kinds = (r"\*\*", r":material/\w+:", r"\]\(", r"<br>", r"<b>", r"</b>", r"<extra>", r"\n", r"%\{+[\w.\[\]]+", r"^\| ")
    wrong = []
    for message, translated in catalogue(language).items():
        forms = message if isinstance(message, tuple) else (message,)
        counts = {kind: len(re.findall(kind, forms[-1])) for kind in kinds}
        wrong += [(kind, text) for text in translated for kind, count in counts.items() if len(re.findall(kind, text)) != count]
    assert wrong == []


def test_no_sentence_of_an_error_is_made_before_it_can_be_translated():
    """An f-string has its values already: nothing would be found for it in a catalogue."""
    made = []
    for path in [*sorted((ROOT / "pages").rglob("*.py")), *sorted((ROOT / "resnet_core").rglob("*.py"))]:
        if path.relative_to(ROOT).parts[1] in catalogues.ENGLISH or path.name == "__main__.py":
            continue
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(getattr(call, "func", None), "id", None)
            places_of = catalogues.KEYWORDS.get(name, ()) if isinstance(call, ast.Call) else ()
            for argument in [call.args[place - 1] for place in places_of if place <= len(call.args)]:
                text = argument.values if isinstance(argument, ast.JoinedStr) else ()
                if any(isinstance(part, ast.Constant) and re.search("[A-Za-z]{3}", part.value) for part in text):
                    made.append(f"{path.relative_to(ROOT)}:{call.lineno}")
    assert made == []


#: What is no sentence for people, although it reads like one: names of files and fields, markup, formats.
NO_WORDS = re.compile(r"^[\W\d_]*$|<style|<script|<!DOCTYPE|^https?://|^[\w./\-*]+$|\{[^}]*:[^}]*;|[\w-]+: [\w#{}.]+;")


def bare(path: Path) -> Iterator[str]:
    """Sentences of a page's code that go past the catalogues: arguments of widgets and texts that no ``tr`` is around."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for call in ast.walk(tree):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in DRAWN):
            continue
        for argument in [*call.args[:1], *(word.value for word in call.keywords if word.arg in ("help", "label", "placeholder", "text"))]:
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                text = argument.value
            elif isinstance(argument, ast.JoinedStr):
                text = " ".join(part.value for part in argument.values if isinstance(part, ast.Constant))
            else:
                continue
            text = re.sub(r":material/\w+:|:\w+(-badge)?\[|</?\w+[^>]*>", "", text)
            if re.search(r"[A-Za-z]{3,}", text) and not NO_WORDS.search(text):
                yield f"{path.relative_to(ROOT)}:{call.lineno} {text!r}"


#: Methods of Streamlit whose first argument is read on the page.
DRAWN = {
    "button", "caption", "markdown", "subheader", "header", "title", "write", "info", "warning", "error", "success", "metric", "checkbox",
    "toggle", "radio", "selectbox", "multiselect", "pills", "segmented_control", "slider", "select_slider", "number_input", "text_input",
    "text_area", "file_uploader", "download_button", "link_button", "popover", "expander", "dialog", "spinner", "toast",
}  # fmt: skip


def test_what_pages_draw_goes_through_the_catalogues():
    pages = sorted((ROOT / "pages").rglob("*.py"))
    assert len(pages) > 50
    assert [sentence for path in pages for sentence in bare(path)] == []


def outline(readme: str) -> dict[str, list[str]]:
    """What two languages of a README have in common: its code, its links, and the shape of its headings and tables."""
    text = (ROOT / readme).read_text(encoding="utf-8")
    code = re.findall(r"```\w*\n(.*?)```", text, re.S)
    prose = re.sub(r"```\w*\n.*?```", "", text, flags=re.S)
    return {
        "commands": [re.sub(r"\s*#.*", "", line) for block in code for line in block.splitlines() if not re.match(r"    |flowchart", line)],
        "headings": re.findall(r"^(#+) ", prose, re.M),
        "rows": re.findall(r"^\|(?: (`[^|]*?) \|)?", prose, re.M),
        "links": sorted(set(re.findall(r"\]\((http[^)]*|[\w./]+\.(?:png|cff)|LICENSE)\)", prose))),
    }


def test_the_chinese_readme_has_all_that_the_english_one_has():
    english, chinese = outline("README.md"), outline("README.zh.md")
    parts = english.pop("rows"), chinese.pop("rows")
    table_of_parts = (ROOT / "README.md").read_text(encoding="utf-8").partition("## How the parts fit together")[2].count("\n|")
    assert len(parts[0]) - table_of_parts == len(parts[1])  # the parts of the code are listed in English alone
    assert english == chinese
