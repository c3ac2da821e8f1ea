"""What readers of the screen are told beyond what is drawn: the language of the document, and how far trainings and computations are."""

from __future__ import annotations

import json
from pathlib import Path

import streamlit as st

from resnet_core import language

#: The language of the document, by the code of the catalogue: voices are chosen by it.
_TAGS = {"zh": "zh-Hans"}
_SCRIPT = (Path(__file__).parent / "aloud.js").read_text(encoding="utf-8")


def tell() -> None:
    """Draws nothing that is to be seen. To be called when it is known in which language the viewer is answered."""
    spoken = language.current()
    with st.container(key="aloud"):  # hidden by style.css
        tag = json.dumps(_TAGS.get(spoken, spoken))
        st.html(f"<script>document.documentElement.lang = {tag};\n{_SCRIPT}</script>", unsafe_allow_javascript=True)
