"""What every viewer comes through: the sections of pages, the style, and the check of what is installed; it computes nothing."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from resnet_core import system
from resnet_core.language import tr

UI = Path(__file__).parent / "ui"
# A file: the browser would fetch a Material icon for its tab from the network.
ICON = UI / "icon.png"

if problem := system.problem():
    st.set_page_config(page_title="ResNet Lab", page_icon=ICON, layout="wide")
    st.error(problem, icon=":material/error:")
    st.stop()

import pandas  # noqa: E402, F401  (while another thread imports it, plotly takes what is there of it for the whole)

from pages.class_.present import note  # noqa: E402
from pages.ui import embedded  # noqa: E402
from pages.ui.address import keep_address  # noqa: E402  (these need what was looked for)
from pages.ui.aloud import tell  # noqa: E402
from pages.ui.glossary import glossary  # noqa: E402
from pages.ui.guard import guarded  # noqa: E402
from pages.ui.speech import speak, switch  # noqa: E402
from resnet_core.classroom import keys  # noqa: E402
from resnet_core.imports.scratch import tidy  # noqa: E402

speak()
ABOUT = tr(
    "**ResNet Lab** trains plain and residual nets of the CIFAR family side by side. The nets and the recipe are those of He, Zhang, Ren "
    'and Sun, "Deep Residual Learning for Image Recognition" (CVPR 2016).'
)
st.set_page_config(page_title="ResNet Lab", page_icon=ICON, layout="wide", menu_items={"About": ABOUT})
st.html(UI / "style.css")
st.cache_resource(show_spinner=False)(tidy)()  # once a server: what one that was killed has left among the temporary files


def entry(name: str, title: str, address: str = "") -> StreamlitPage:
    """Declare pages/``name``/page.py, which has ``name`` for its address, or another."""
    return st.Page(f"{name}/page.py", title=title, url_path=address or name)


#: The address that the page had when it knew one family of nets.
FORMERLY = st.Page("architectures/page.py", title=tr("Architectures"), url_path="complexity", visibility="hidden")
page = st.navigation(
    {
        "": [
            st.Page("home/page.py", title=tr("Home"), default=True),
            *([entry("class_", tr("Class"), "class")] if keys.is_class() else []),
            entry("learn", tr("Learn")),
            entry("paper", tr("Paper")),
            entry("myths", tr("Myths")),
        ],
        tr("Train"): [entry("train", tr("Train")), entry("compare", tr("Compare"))],
        tr("Look inside"): [
            entry("responses", tr("Layer responses")),
            entry("gradients", tr("Gradients")),
            entry("predict", tr("Predict")),
            entry("experiments", tr("Experiments")),
        ],
        tr("Nets"): [entry("checkpoints", tr("Checkpoints")), entry("architectures", tr("Architectures")), FORMERLY],
    },
    position="top",
)
keep_address(page.url_path)
tell()
if keys.is_class():
    note()
switch()
with embedded.page(), guarded(page.title):
    page.run()
glossary()
