"""The front door of ResNet Lab: the list of pages, nothing else. Start it with ``make app`` or ``streamlit run app.py``."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.ui.guard import guarded

UI = Path(__file__).parent / "pages" / "ui"
# A file: the browser would fetch a Material icon for its tab from the network.
ICON = UI / "icon.png"
ABOUT = (
    "**ResNet Lab** trains plain and residual nets of the CIFAR family side by side. "
    'The nets and the recipe are those of He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition" (CVPR 2016).'
)

st.set_page_config(page_title="ResNet Lab", page_icon=ICON, layout="wide", menu_items={"About": ABOUT})
st.html(UI / "style.css")

page = st.navigation(
    [
        st.Page("pages/home.py", title="Home", icon=":material/home:", default=True),
        st.Page("pages/train.py", title="Train", icon=":material/model_training:"),
        st.Page("pages/compare.py", title="Compare", icon=":material/ssid_chart:"),
        st.Page("pages/responses.py", title="Layer responses", icon=":material/equalizer:"),
        st.Page("pages/gradients.py", title="Gradients", icon=":material/gradient:"),
        st.Page("pages/predict.py", title="Predict", icon=":material/image_search:"),
        st.Page("pages/checkpoints.py", title="Checkpoints", icon=":material/inventory_2:"),
        st.Page("pages/paper.py", title="Paper", icon=":material/fact_check:"),
        st.Page("pages/complexity.py", title="Complexity", icon=":material/account_tree:"),
    ],
    position="top",
)
with guarded(page.title):
    page.run()
