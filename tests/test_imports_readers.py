"""Readers that could not do their work, that wait, and that nobody waits for: none is left, and no file is blamed for it."""

import errno
import os
import signal
import subprocess
import sys
import tempfile
import threading

import psutil
import pytest
import streamlit as st
import torch
from safetensors.torch import save_file
from streamlit.testing.v1 import AppTest

from resnet_core.imports import ImportRefused, ReaderFailed, inspect_bytes, inspect_file, process, reader, scratch
from tests.command_line import named
from tests.imports_files import state
from tests.waiting import wait_for


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """The folder for temporary files; empty again at the end."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    monkeypatch.setenv("TMPDIR", str(place))
    yield place
    assert list(place.iterdir()) == []


@pytest.fixture
def file(tmp_path):
    save_file(state(), tmp_path / "net.safetensors")
    return tmp_path / "net.safetensors"


@pytest.fixture
def endless(tmp_path):
    """A file that no reader gets to the end of: nobody ever writes into this pipe."""
    os.mkfifo(tmp_path / "endless")
    return tmp_path / "endless"


def readers(of: psutil.Process | None = None) -> list[psutil.Process]:
    return named("resnet_core.imports.reader", among=of and of.children())


def no_process(*args, **options):
    raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))


@pytest.mark.parametrize("look", [inspect_file, lambda path: inspect_bytes(path.read_bytes(), path.name)], ids=["file", "upload"])
def test_where_no_process_is_free_the_file_is_not_blamed(look, file, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", no_process)
    with pytest.raises(ReaderFailed, match=r"could not be started .*temporarily unavailable.* no fault of the file"):
        look(file)


def test_a_reader_that_ends_before_it_begins(file, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ReaderFailed, match=r"ended before it began .exit status 1.*no fault of the file"):
        inspect_file(file)


def test_where_there_is_no_room_for_a_folder_or_a_copy(file, monkeypatch, temporary):
    def full(*args, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "mkdtemp", full)
        with pytest.raises(ReaderFailed, match=r"no folder for temporary files could be made .No space left"):
            inspect_file(file)

    class Full:
        def seek(self, at): ...

        read = full

    with pytest.raises(ReaderFailed, match=r"no room for a copy of it .No space left"):
        inspect_bytes(Full(), "net.pt")


def test_a_reader_without_room_says_so(file, tmp_path, monkeypatch):
    """In this process: what it does is what counts, and a full disk is not to be had."""
    monkeypatch.setattr(reader.limits, "apply", lambda: None)
    with pytest.raises(SystemExit) as caught:
        reader.main(str(file), str(tmp_path / "nowhere"))
    assert caught.value.code == process.NO_ROOM
    (tmp_path / "out" / process.TENSORS).mkdir(parents=True)  # so that this cannot be written
    reader.main(str(file), str(tmp_path / "out"))
    report = (tmp_path / "out" / process.REPORT).read_text()
    assert '"failed": "there is no room to unpack it' in report
    with pytest.raises(ReaderFailed, match="no room to unpack it"):
        process._checked({"failed": "there is no room to unpack it"})


def test_torch_that_cannot_be_started_is_no_fault_of_the_file(tmp_path, monkeypatch):
    torch.save(state(), tmp_path / "net.pt")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ReaderFailed, match=r"torch could not be started .*ModuleNotFoundError"):
        reader.read(tmp_path / "net.pt", lambda: None)


def test_a_reader_nobody_waits_for_is_ended(endless):
    seen = []
    with pytest.raises(ReaderFailed, match="nobody waits"):
        process.read_apart(endless, gone=lambda: seen.append(readers()) or len(seen) > 3)
    assert all(len(each) == 1 for each in seen) and readers() == []


def test_no_more_readers_at_once_than_there_is_room_for(file, endless):
    gone = threading.Event()

    def hold():
        with pytest.raises(ReaderFailed):
            process.read_apart(endless, gone=gone.is_set)

    holding = [threading.Thread(target=hold) for _ in range(2)]
    for thread in holding:
        thread.start()
    wait_for(lambda: len(readers()) == 2, "two readers")
    asked = []
    with pytest.raises(ReaderFailed, match="nobody waits"):
        process.read_apart(file, gone=lambda: asked.append(len(readers())) or len(asked) > 3)
    assert asked == [2, 2, 2, 2]
    gone.set()
    for thread in holding:
        thread.join()
    assert process.read_apart(file)[1]["kind"] == "safetensors"


def test_a_reader_dies_with_its_parent_and_the_next_one_tidies_up(endless, file, temporary):
    code = f"from pathlib import Path\nfrom resnet_core.imports.process import read_apart\nread_apart(Path({str(endless)!r}))"
    parent = subprocess.Popen([sys.executable, "-c", code])
    wait_for(lambda: any((temporary / each / process.STARTED).exists() for each in os.listdir(temporary)), "the reader")
    (orphan,) = readers(psutil.Process(parent.pid))
    (left,) = temporary.iterdir()
    inspect_file(file)  # whose own folder comes and goes, beside that of a living process
    assert list(temporary.iterdir()) == [left]
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_for(lambda: not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE, "its end")
    assert left.exists()
    inspect_file(file)
    assert not left.exists()


def test_the_app_tidies_up_when_it_starts(temporary, root, monkeypatch):
    code = "import os\nfrom resnet_core.imports.scratch import scratch\nwith scratch():\n    os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code], check=False)
    assert len(list(temporary.iterdir())) == 1
    st.cache_resource.clear()
    page = AppTest.from_file(str(root / "pages" / "front.py"), default_timeout=120)
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    assert not page.run().exception
    assert list(temporary.iterdir()) == []


def test_folders_of_others_are_left_alone(temporary):
    (temporary / "resnet-lab-scratch-new").mkdir()  # about to be made: its lock is not there yet
    (temporary / "something-else").mkdir()
    (temporary / "something-else" / ".held").touch()
    with scratch.scratch() as folder:
        assert folder.parent == temporary and len(list(temporary.iterdir())) == 3
    assert sorted(each.name for each in temporary.iterdir()) == ["resnet-lab-scratch-new", "something-else"]
    (temporary / "something-else" / ".held").unlink()
    for each in list(temporary.iterdir()):
        each.rmdir()


def test_a_refused_file_frees_its_reader(tmp_path):
    (tmp_path / "text").write_text("nothing of the kind")
    for _ in range(3):
        with pytest.raises(ImportRefused):
            inspect_file(tmp_path / "text")
    assert process.READERS.acquire(blocking=False) and process.READERS.acquire(blocking=False)
    process.READERS.release(2)
