"""A net to take away: weights, records, or everything. Each file is made when it is clicked, of what is there then."""

from __future__ import annotations

import streamlit as st

from pages.ui.labels import escaped
from resnet_core.errors import UserError
from resnet_core.exports import FORMATS, check, made
from resnet_core.figures.series import records_csv
from resnet_core.language import tr
from resnet_core.lecture.runs import of_net
from resnet_core.nets import Net, export


def export_panel(net: Net) -> None:
    """Draws a button for each file."""
    stem, size = export.file_stem(net), net.weights.stat().st_size / 1e6
    recorded = bool(net.records())
    _button(
        "weights",
        tr("Weights (safetensors, {size:.2f} MB)", size=size),
        lambda: export.weights(net),
        f"{stem}.safetensors",
        "application/octet-stream",
    )
    st.caption(
        tr(
            "One file: the weights, how the input is normalised, and the net's configuration. It is imported "
            "again here or in another ResNet Lab, `python -m resnet_core evaluate` takes it as it is, and so "
            "does `safetensors.torch.load_file`."
        )
    )
    with st.container(horizontal=True):
        _button("jsonl", tr("Records (JSONL)"), lambda: export.records(net), f"{stem}.jsonl", "application/jsonl", recorded)
        _button("csv", tr("Curves (CSV)"), lambda: records_csv([of_net(net, layers=False)]).encode(), f"{stem}.csv", "text/csv", recorded)
    st.caption(
        tr("JSONL: every row of the training, with the layers' responses and gradients. CSV: training and test rows, a column a quantity.")
        if recorded
        else tr("There are no records of {name}: it was not trained with ResNet Lab.", name=escaped(net.name))
    )
    _button("zip", tr("Everything (zip)"), lambda: export.archive(net), f"{stem}.zip", "application/zip")
    st.caption(
        tr("Weights, model card and, where it was trained with ResNet Lab, configuration and records. The import takes its weights.")
    )
    _for_other_tools(net)


def _for_other_tools(net: Net) -> None:
    """Draw a choice of forms, and one button for the one that is chosen."""
    st.markdown(tr("**For other tools**"))
    forms = list(FORMATS)
    with st.container(horizontal=True, vertical_alignment="center"):
        key = st.selectbox(
            tr("Form"), forms, format_func=lambda key: tr(FORMATS[key].title), key="export.form", label_visibility="collapsed", width=220
        )
        form = FORMATS[key]
        try:
            check(key, net)
            problem = ""
        except UserError as error:
            problem = str(error)
        name = export.file_stem(net) + (".zip" if form.is_folder else form.suffix)
        _button("other", tr("Download"), lambda: _made(key, net), name, "application/zip" if form.is_folder else form.mime, not problem)
    st.caption(tr(form.told))
    if problem:
        st.info(escaped(problem), icon=":material/info:")


def _made(key: str, net: Net) -> bytes:
    """The file; a folder as a zip."""
    name, content = made(key, net)
    return export.zipped({f"{export.file_stem(net)}/{name}": content}) if FORMATS[key].is_folder else content


def _button(key: str, label: str, make, file_name: str, mime: str, there: bool = True) -> None:
    st.download_button(label, make, file_name, mime, key=f"export.{key}", icon=":material/download:", on_click="ignore", disabled=not there)
