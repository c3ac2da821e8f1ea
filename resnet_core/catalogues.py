"""Gather the sentences of the code and bring the catalogues up to date: ``python -m resnet_core.catalogues``.

A new sentence stands there without a translation, and one that nobody says any more is gone; ``tests/test_catalogues.py`` finds both.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from resnet_core.config import DataConfig, Recipe
from resnet_core.differences import recipe_label, recipe_word
from resnet_core.field_docs import field_docs
from resnet_core.language import DOMAIN, LANGUAGES, catalogue_path

ROOT = Path(__file__).resolve().parents[1]
_ERRORS = (
    "UserError",
    "DataError",
    "CheckpointError",
    "RunError",
    "ApartFailed",
    "ExportError",
    "ImageRefused",
    "ImportRefused",
    "ReaderFailed",
    "Unreadable",
)
#: Function or error -> which of its arguments are sentences, from 1.
KEYWORDS: dict[str, tuple[int, ...]] = dict.fromkeys(("tr", "mark", *_ERRORS), (1,)) | {"tr_n": (2, 3), "ConfigError": (2,)}
#: Of resnet_core: what is answered in English, the command line and what is only run from it.
ENGLISH = ("cli", "bench.py", "zoo")

#: In place of the moment: the same sentences make the same file.
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)

Message = str | tuple[str, ...]


def _of_file(path: Path) -> Iterator[Message]:
    """Give the sentences of a file, those within f-strings too (Babel's own reader sees none there)."""
    calls = [node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.Call)]
    for call in sorted(calls, key=lambda one: (one.lineno, one.col_offset)):
        places = KEYWORDS.get(call.func.id, ()) if isinstance(call.func, ast.Name) else ()
        given = [call.args[place - 1] for place in places if place <= len(call.args)]
        texts = tuple(one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str))
        if texts and len(texts) == len(places) and all(texts):
            yield texts if len(texts) > 1 else texts[0]


def sentences() -> Iterator[tuple[Message, str]]:
    """Give every sentence of the code, or its forms for one and for many, and the file where it stands, in the order of the code."""
    for path in [
        each
        for folder in ("pages", "resnet_core")
        for each in sorted((ROOT / folder).rglob("*.py"), key=lambda path: (path.parent.parts, path.name))
    ]:
        file = path.relative_to(ROOT)
        if file.parts[0] == "pages" or file.parts[1] not in ENGLISH:
            yield from ((message, file.as_posix()) for message in _of_file(path))
    for of in (Recipe, DataConfig):  # what their docstrings say of the fields stands beside the fields of the form
        for name, text in field_docs(of).items():
            yield text, "resnet_core/config.py"
            yield from ((word, "resnet_core/config.py") for word in (recipe_word(name), recipe_label(name)))


def template() -> Catalog:
    """Return the sentences as a catalogue without translations."""
    found = Catalog()
    for message, file in sentences():
        found.add(message, locations=[(file, 0)])
    return found


def update() -> None:
    """Write the catalogues anew: the sentences that there are now, with the translations that there were."""
    for language in [each for each in LANGUAGES if each != "en"]:
        path = catalogue_path(language)
        catalogue = Catalog(
            locale=language, domain=DOMAIN, project="ResNet Lab", version="0.1", copyright_holder="ResNet Lab", fuzzy=False,
            last_translator="ResNet Lab", language_team=LANGUAGES[language], creation_date=_EPOCH, revision_date=_EPOCH,
        )  # fmt: skip
        catalogue.header_comment = f"# ResNet Lab: {LANGUAGES[language]}. Brought up to date by python -m resnet_core.catalogues."
        if path.is_file():
            with path.open("rb") as file:
                known = read_po(file, locale=language)
            for message in known:
                if message.id:
                    catalogue.add(message.id, message.string)
        catalogue.update(template(), no_fuzzy_matching=True)
        catalogue.obsolete.clear()
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            write_po(file, catalogue, width=140, no_location=True, omit_header=False)


if __name__ == "__main__":
    update()
