"""The front door of ResNet Lab: the list of pages, nothing else. Start it with ``make app`` or ``streamlit run app.py``."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from resnet_core import system

UI = Path(__file__).parent / "pages" / "ui"
# A file: the browser would fetch a Material icon for its tab from the network.
ICON = UI / "icon.png"
ABOUT = (
    "**ResNet Lab** trains plain and residual nets of the CIFAR family side by side. "
    'The nets and the recipe are those of He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition" (CVPR 2016).'
)

st.set_page_config(page_title="ResNet Lab", page_icon=ICON, layout="wide", menu_items={"About": ABOUT})
st.html(UI / "style.css")

if problem := system.problem():
    st.error(problem, icon=":material/error:")
    st.stop()

import pandas  # noqa: E402, F401  (while another thread imports it, plotly takes what is there of it for the whole)

from pages.ui.address import keep_address  # noqa: E402  (these need what was looked for)
from pages.ui.glossary import glossary  # noqa: E402
from pages.ui.guard import guarded  # noqa: E402
from resnet_core.imports.scratch import tidy  # noqa: E402

st.cache_resource(show_spinner=False)(tidy)()  # once a server: what one that was killed has left among the temporary files

# Without icons: with them the names of nine pages do not fit beside the sidebar, and the last ones hide in a menu.
page = st.navigation(
    [
        st.Page("pages/home.py", title="Home", default=True),
        st.Page("pages/train.py", title="Train"),
        st.Page("pages/compare.py", title="Compare"),
        st.Page("pages/responses.py", title="Layer responses"),
        st.Page("pages/gradients.py", title="Gradients"),
        st.Page("pages/predict.py", title="Predict"),
        st.Page("pages/checkpoints.py", title="Checkpoints"),
        st.Page("pages/paper.py", title="Paper"),
        st.Page("pages/complexity.py", title="Complexity"),
    ],
    position="top",
)
keep_address(page.url_path)
with guarded(page.title):
    page.run()
glossary()
