"""A checkpoint from elsewhere: uploaded, recognised, tried on training images of the sample, named, and only then measured and kept.

What was uploaded is read in a throwaway process (see ``resnet_core.imports``); until *Import* is pressed nothing of it is on disk.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from pages.ui.downloads import Download, download_panel
from pages.ui.jobs import Jobs, job_panel
from pages.ui.labels import escaped, listed_classes
from pages.ui.permitted import accept, downloading_weights, fetching_from_hub
from pages.ui.viewers import Viewers
from resnet_core.apart import MOST_BYTES, apart
from resnet_core.errors import UserError
from resnet_core.imports import LAYOUTS, Proposal, ReaderFailed, inspect_bytes, inspect_file, limits, suggest_name, valid_name
from resnet_core.imports.cost import cost
from resnet_core.imports.hub import HUB
from resnet_core.imports.offered import OFFERED, inspect_offered
from resnet_core.language import mark, retold, tr
from resnet_core.nets import NORMALIZATIONS, Net

TYPES = ["safetensors", "pt", "pth", "th", "zip"]
#: In the session: the turn that gives the uploader a new key; the upload that was looked at last with what came of it.
_TURN, _SEEN = "import.turn", "import.seen"
#: Trials have a queue, and processes, of their own: nobody waits for a stranger's net.
JOBS = Jobs()
#: Of torchvision's weights, by their key.
DOWNLOADS = {key: Download(key, downloading_weights) for key in OFFERED}
#: What tries them: it takes a proposal.
TRIAL = "resnet_core.imports.trial:trial"
#: What measures the one that is imported.
MEASURE = "resnet_core.imports.trial:measure"
#: Training images that each choice is tried on.
_IMAGES = 1000
_SHORTCUTS = {
    "none": mark("plain: no shortcuts"),
    "A-behind": mark("A: identity, all zeros behind the old channels, as here"),
    "A-both": mark("A: identity, half of the zeros on each side, as in akamaster's nets"),
}


@dataclass(frozen=True)
class _Source:
    """Where a file comes from: by what it is known in the session, what it is called, and what reads it."""

    own: str
    name: str
    read: Callable[[Callable[[], bool]], Proposal]


def import_panel() -> Net | None:
    """Draws the way from the file to the import as far as it goes. Returns the imported net in the run in which it was accepted."""
    st.markdown(
        tr(
            "Weights in the layout of ResNet Lab, of {projects}, or of torchvision (ResNet, ResNeXt, Wide ResNet, "
            "DenseNet, GoogLeNet, VGG, AlexNet): a safetensors file, a state dict as PyTorch saves it, bare or wrapped, or "
            "*Everything (zip)* of another ResNet Lab.",
            projects=", ".join(f"[{name}](https://github.com/{name})" for name in LAYOUTS.values() if "/" in name),
        )
    )
    cap = limits.MAX_FILE_BYTES // limits.MIB
    upload = st.file_uploader(
        tr("Checkpoint"), TYPES, key=f"import.file.{st.session_state.get(_TURN, 0)}", max_upload_size=cap, label_visibility="collapsed"
    )
    st.caption(
        tr(
            "At most {cap} MiB. The file is read in a process of its own, with limits on memory and time, and no "
            "code in it is run. Nothing is kept before *Import* is pressed.",
            cap=cap,
        )
    )
    source = _Source(upload.file_id, upload.name, functools.partial(inspect_bytes, upload, upload.name)) if upload else _elsewhere()
    if source is None:
        st.session_state.pop(_SEEN, None)
        return None
    proposal = _inspected(source)
    if isinstance(proposal, str):
        st.error(escaped(proposal), icon=":material/error:")
        return None
    _recognised(proposal)
    trial = _tried(proposal)
    return None if trial is None else _accepted(proposal, trial)


def _elsewhere() -> _Source | None:
    """Asks for one that is to be downloaded, which takes a network."""
    left, right = st.columns(2)
    with left:
        offered = _offered()
    with right:
        return _from_hub() or offered


def _offered() -> _Source | None:
    """Asks which of torchvision's weights to take, and downloads them; gives them once they are there."""
    chosen = st.selectbox(
        tr("Or torchvision's weights for ImageNet"), list(OFFERED), None,
        format_func=lambda key: f"{key}: {OFFERED[key].net}, {OFFERED[key].mebibytes:.0f} MiB",
        placeholder=tr("Choose a net; its weights are downloaded from torchvision"),
        key=f"import.offered.{st.session_state.get(_TURN, 0)}",
    )  # fmt: skip
    if chosen is None:
        return None
    found = OFFERED[chosen]
    if found.path.is_file() and not DOWNLOADS[chosen].running:
        return _Source(chosen, found.file, lambda gone: inspect_offered(chosen, gone))
    if not DOWNLOADS[chosen].error:  # which says it too
        st.caption(tr("Without a network here: {by_hand}.", by_hand=escaped(found.by_hand)))
    download_panel(DOWNLOADS[chosen], found.file, found.fetched.size, "import.download")
    return None


def _from_hub() -> _Source | None:
    """Asks for an id on the Hugging Face Hub, and downloads its weights; gives them once they are there."""
    spec = st.text_input(
        tr("Or an id on the Hugging Face Hub"), placeholder=tr("OWNER/NAME, or OWNER/NAME/FILE"), max_chars=500,
        key=f"import.hub.{st.session_state.get(_TURN, 0)}",
    ).strip()  # fmt: skip
    if not spec:
        return None
    key = (HUB, spec)
    job = JOBS.get(key)
    if job is None or job.state in ("failed", "stopped"):
        if job is not None:
            job_panel(job)
        if not st.button(tr("Download"), icon=":material/download:", key="import.hub.fetch"):
            return None
        fetch = fetching_from_hub()
        job = JOBS.start(key, tr("{spec} from the Hugging Face Hub", spec=spec), lambda job: fetch(spec), light=True)
    if job.state != "done":
        job_panel(job)
        return None
    return _Source(spec, job.result.name, functools.partial(inspect_file, job.result.path, job.result.name))


def _inspected(source: _Source) -> Proposal | str:
    """What a file is, or why it is refused; looked at once."""
    seen = st.session_state.get(_SEEN)
    if seen is not None and seen[0] == source.own:
        return seen[1]
    with st.spinner(tr("Reading {name} in a process of its own", name=escaped(source.name)), show_time=True):
        waiting = Viewers()
        waiting.add()
        try:
            found: Proposal | str = source.read(waiting.have_left)
        except ReaderFailed as error:  # not kept: the next run looks again
            st.button(tr("Try again"), icon=":material/refresh:", key="import.read.again")
            return str(error)
        except UserError as error:
            found = str(error)
        st.session_state[_SEEN] = (source.own, found)
    return found


def _recognised(proposal: Proposal) -> None:
    model = proposal.model
    names = tr(" or ").join(f"**{escaped(name)}**" for name in dict.fromkeys(proposal.net(each).name for each in proposal.shortcuts))
    with st.container(border=True):
        st.markdown(
            tr(
                "**{file_name}** is {names} in the layout of **{layouts}**: {depth} layers, {num_classes:,} classes.",
                file_name=escaped(proposal.file_name),
                names=names,
                layouts=escaped(LAYOUTS[proposal.layout]),
                depth=model.depth,
                num_classes=model.num_classes,
            )
        )
        st.caption(tr("{file_bytes:.2f} MB · SHA-256 `{sha256}`", file_bytes=proposal.file_bytes / 1000000.0, sha256=proposal.sha256))
        if proposal.classes:
            st.caption(tr("Its classes, as the file says: {names}", names=listed_classes(proposal.classes)))
        if proposal.notes:
            st.markdown("\n".join(f"- {escaped(note)}" for note in proposal.notes))


def _tried(proposal: Proposal) -> Any:
    """The ``Trial`` of all open choices, once it is through."""
    key = ("trial", proposal.sha256, proposal.normalizations, proposal.shortcuts)
    job = JOBS.get(key)
    if job is None or not (job.is_active or job.state == "done"):
        if job is not None:
            job_panel(job)
        if not _wanted(proposal, again=job is not None):
            return None
        title = tr("{file_name} on training images of the sample", file_name=proposal.file_name)
        job = JOBS.start(key, title, lambda job: apart(TRIAL, proposal, progress=job.progress, should_stop=job.should_stop))
    if job.state == "done":
        return job.result
    job_panel(job)
    return None


def _wanted(proposal: Proposal, again: bool) -> bool:
    """Whether the trial may begin: of a large net, and of one that did not come through, only when it is asked for."""
    choices = len(proposal.normalizations) * len(proposal.shortcuts)
    work = cost(proposal.model, choices * _IMAGES)
    if again:
        return st.button(tr("Try again"), icon=":material/refresh:", key="import.again")
    if proposal.model.num_classes != 10 or not work.is_heavy:
        return True
    st.warning(
        tr(
            "Trying its {choices:,} choices on {images:,} training images takes long: {work}. It runs beside everything "
            "else, in a process of at most {most_bytes} GiB of memory, and ends when you leave.",
            choices=choices,
            images=_IMAGES,
            work=work,
            most_bytes=MOST_BYTES >> 30,
        ),
        icon=":material/hourglass_top:",
    )
    return st.button(tr("Try the choices"), type="primary", icon=":material/play_arrow:", key="import.heavy")


def _accepted(proposal: Proposal, trial: Any) -> Net | None:
    """Asks what is open, shows the error of what is chosen, and takes the name."""
    shortcut = _ask_shortcut(proposal, trial)
    if shortcut is None:
        return None
    normalization = _ask_normalization(proposal, trial, shortcut)
    _show_error(trial, trial.find(normalization, shortcut))
    for text in proposal.notes_of(shortcut)[len(proposal.notes) :]:
        st.caption(escaped(text))
    with st.form("import", border=False):
        left, right = st.columns([0.7, 0.3], vertical_alignment="bottom")
        name = left.text_input(tr("Name"), suggest_name(proposal), key=f"import.name.{proposal.sha256[:12]}")
        pressed = right.form_submit_button(tr("Import"), type="primary", icon=":material/download_done:", width="stretch")
    if not pressed:
        return None
    try:
        valid_name(name)
        key = ("tested", proposal.sha256, normalization, shortcut)
        measured = JOBS.outcome(
            key,
            tr("{file_name} on the sample", file_name=proposal.file_name),
            lambda job: apart(MEASURE, proposal, normalization, shortcut, progress=job.progress, should_stop=job.should_stop),
            unit=tr("test images"),
        )
        net = accept(proposal, name, normalization, shortcut, errors=trial, measured=measured)
    except UserError as error:
        st.error(escaped(str(error)), icon=":material/error:")
        return None
    reset()
    return net


def reset() -> None:
    """Lets go of the upload; the uploader is empty in the next run."""
    st.session_state.pop(_SEEN, None)
    st.session_state[_TURN] = st.session_state.get(_TURN, 0) + 1


def _ask_shortcut(proposal: Proposal, trial: Any) -> str | None:
    """The choice; without errors to go by none is made for the viewer."""
    if len(proposal.shortcuts) == 1:
        return proposal.shortcuts[0]
    best = {each: _best(trial, each) for each in proposal.shortcuts}
    return st.radio(
        tr("Which shortcuts does it have? Nothing in the file tells")
        + (
            tr("; each choice with its lowest error on training images")
            if trial.images
            else tr(", and no error can be measured: whoever trained it knows")
        ),
        proposal.shortcuts,
        proposal.shortcuts.index(trial.suggested.shortcut) if trial.images else None,
        format_func=lambda each: f"{_SHORTCUTS.get(each, each)}{_measured(best[each])}",
        key=f"import.shortcut.{proposal.sha256[:12]}",
    )


def _ask_normalization(proposal: Proposal, trial: Any, shortcut: str) -> str:
    if len(proposal.normalizations) == 1:
        return proposal.normalizations[0]
    # The suggestion first, then the lowest error, where there are errors.
    keys = [each.normalization for each in trial.attempts if each.shortcut == shortcut]
    preselected = trial.suggested.normalization if shortcut == trial.suggested.shortcut else keys[0]
    return st.radio(
        tr("How was its input normalised? Nothing in the file tells; each choice with its error on training images of the sample"),
        keys,
        keys.index(preselected),
        format_func=lambda key: f"{escaped(NORMALIZATIONS[key].label)}{_measured(trial.find(key, shortcut))}",
        key=f"import.normalization.{proposal.sha256[:12]}.{shortcut}",
    )


def _best(trial: Any, shortcut: str) -> Any:
    tried = [each for each in trial.attempts if each.shortcut == shortcut]
    return min(tried, key=lambda each: each.error) if trial.images else tried[0]


def _measured(attempt: Any) -> str:
    return "" if attempt is None or attempt.error is None else f": **{attempt.error:.2f} %**"


def _show_error(trial: Any, attempt: Any) -> None:
    if attempt is None or attempt.error is None:
        st.info(escaped(retold(trial.note)), icon=":material/info:")
        return
    left, right = st.columns([0.3, 0.7], vertical_alignment="center")
    left.metric(tr("Error on training images"), f"{attempt.error:.2f} %")
    right.markdown(
        tr(
            "**{error:,} of {images:,}** training images of the sample wrong · {precision} · measured just now, with "
            "what is chosen above. It tells the choices apart, not how good the net is: it may have been trained on "
            "these very images. *Import* measures what is chosen, and only that, on the sample's test images.",
            error=round(attempt.error * trial.images / 100),
            images=trial.images,
            precision=trial.precision,
        )
    )
    if attempt is trial.suggested and trial.near:
        st.caption(escaped(_nearly(trial)))
    if doubt := trial.doubt(attempt):
        st.warning(escaped(doubt), icon=":material/warning:")
    if trial.note:
        st.warning(escaped(retold(trial.note)), icon=":material/question_mark:")


def _normalization(key: str) -> str:
    return NORMALIZATIONS[key].label if key in NORMALIZATIONS else tr("as the file says")


def _nearly(trial: Any) -> str:
    """That the sample does not tell the suggestion from others."""
    told = "; ".join(
        tr(
            "{normalization}, shortcut {shortcut}: {error:.2f} %",
            normalization=_normalization(each.normalization),
            shortcut=each.shortcut,
            error=each.error,
        )
        for each in trial.near[:3]
    )
    rest = tr("; and {nears} more", nears=len(trial.near) - 3) if len(trial.near) > 3 else ""
    return tr(
        "As good, as far as {images:,} training images tell: {told}{rest}. What is suggested has the lowest loss of them ({loss:.3f}).",
        images=trial.images,
        told=told,
        rest=rest,
        loss=trial.suggested.loss,
    )
