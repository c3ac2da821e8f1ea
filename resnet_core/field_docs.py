"""What the docstring of a configuration says of its fields: the help of options on the command line and of widgets on a page."""

from __future__ import annotations

import inspect
import re


def field_docs(cls: type) -> dict[str, str]:
    """Field name -> its description, from the ``Attributes:`` section of a docstring (``a, b: text`` describes both)."""
    section = (inspect.getdoc(cls) or "").partition("Attributes:\n")[2].partition("\n\n")[0]
    docs: dict[str, str] = {}
    names: list[str] = []
    for line in section.splitlines():
        entry = re.match(r" {4}(\w+(?:, \w+)*): (.*)", line)
        if entry:
            names = entry[1].split(", ")
            docs.update(dict.fromkeys(names, entry[2]))
        else:
            docs.update({name: f"{docs[name]} {line.strip()}" for name in names})
    return {name: text.replace("``", "").rstrip(".") for name, text in docs.items()}
