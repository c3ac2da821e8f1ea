"""The throwaway process: what it is given, what holds it, what becomes of it. These start real ones, of seconds each."""

import io
import json
import subprocess
import sys
import tempfile
import tomllib

import pytest
import torch
from safetensors.torch import save_file

from resnet_core.architectures import ResNetConfig
from resnet_core.imports import ImportRefused, inspect_bytes, inspect_file, limits, process
from tests.command_line import named
from tests.imports_files import CASES, MARKER, legacy, state


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    yield
    assert list(temporary.iterdir()) == [] and not (tmp_path / MARKER).exists() and not (tmp_path / "runs").exists()


def run_python(code: str) -> str:
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def test_a_pickled_state_dict_arrives(tmp_path):
    torch.save({"state_dict": state()}, tmp_path / "net.pth")
    proposal = inspect_file(tmp_path / "net.pth")
    assert proposal.model == ResNetConfig(8, "B", width=4)
    assert (proposal.file_name, proposal.file_bytes) == ("net.pth", (tmp_path / "net.pth").stat().st_size)
    import hashlib

    assert proposal.sha256 == hashlib.sha256((tmp_path / "net.pth").read_bytes()).hexdigest()
    assert torch.equal(torch.from_numpy(proposal.tensors["fc.weight"]), state()["fc.weight"])


def test_packages_that_were_never_compiled_are_not_taken_for_the_files_doing(tmp_path, monkeypatch):
    """As pip --no-compile leaves them, or a folder that nobody may write to: what the reader imports on the way stays unwritten."""
    monkeypatch.setattr(process, "_KEPT", (*process._KEPT, "PYTHONPYCACHEPREFIX"))
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path / "compiled"))
    torch.save({"state_dict": state()}, tmp_path / "net.pth")
    assert inspect_file(tmp_path / "net.pth").model == ResNetConfig(8, "B", width=4)
    assert not (tmp_path / "compiled").exists()


def test_an_upload_arrives_and_its_copy_goes(tmp_path):
    save_file(state(), tmp_path / "net")
    content = (tmp_path / "net").read_bytes()
    for upload in (content, io.BytesIO(content)):
        proposal = inspect_bytes(upload, "../up\nload/my net.safetensors")
        assert proposal.file_name == "my net.safetensors" and proposal.notes == ()
    with pytest.raises(ImportRefused, match=r"^odd\?name.pt: The file is JSON text"):
        inspect_bytes(b'{"a": 1}', "odd\nname.pt")


@pytest.mark.parametrize("name", ["command", "command_in_legacy_form", "truncated_zip", "meta", "nan", "safetensors_overlapping"])
def test_a_malformed_file_is_refused_through_the_process_too(name, tmp_path):
    make, phrase = CASES[name]
    make(tmp_path / "file")
    with pytest.raises(ImportRefused) as caught:
        inspect_file(tmp_path / "file", "weights.pt")
    assert str(caught.value).startswith("weights.pt: ") and phrase in str(caught.value)


def test_a_file_that_asks_for_40_gigabytes_gets_none(tmp_path):
    legacy({"a": torch.zeros(70_000)}, tmp_path / "file")
    content = (tmp_path / "file").read_bytes()
    declared = b"J" + (70_000).to_bytes(4, "little")
    assert content.count(declared) >= 1
    (tmp_path / "file").write_bytes(content.replace(declared, b"\x8a\x05" + (10**10).to_bytes(5, "little")))
    with pytest.raises(ImportRefused, match="It asks for more memory than any net needs"):
        inspect_file(tmp_path / "file")


def test_a_reader_that_takes_too_long_is_ended(tmp_path):
    torch.save(state(), tmp_path / "net.pth")
    with pytest.raises(ImportRefused, match="took too long"):
        process.read_apart(tmp_path / "net.pth", wall_seconds=0.01)
    assert named("resnet_core.imports.reader") == []


def test_no_file_no_folder_no_name(tmp_path):
    with pytest.raises(ImportRefused, match=r"nothing\.pt: There is no such file"):
        inspect_file(tmp_path / "nothing.pt")
    with pytest.raises(ImportRefused, match="It is not a file"):
        inspect_file(tmp_path)


def test_a_file_too_large_is_not_even_opened(tmp_path):
    with open(tmp_path / "file", "wb") as file:
        file.truncate((640 << 20) + 1)  # sparse: it takes no room
    with pytest.raises(ImportRefused, match="671,088,641 bytes; at most 671,088,640 are read"):
        inspect_file(tmp_path / "file")


def test_what_the_reader_leaves_is_not_believed(tmp_path, monkeypatch):
    """As if a file had taken the reader over: its report and its tensors are checked like any file."""

    def captured(header: bytes, report: object):
        def run(path, folder, wall_seconds, gone):
            (folder / process.STARTED).touch()
            (folder / process.TENSORS).write_bytes(len(header).to_bytes(8, "little") + header)
            (folder / process.REPORT).write_text(json.dumps(report))
            return 0

        return run

    save_file(state(), tmp_path / "net.safetensors")
    good = {"kind": "zip", "metadata": {}, "notes": []}
    for header, report, phrase in (
        (b'{"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}', good, "after the end of the file"),
        (b"{}", {"refused": "x" * 5000}, "x" * 900),
        (b"{}", [], "failed on it"),
        (b"{}", {"kind": "zip"}, "failed on it"),
    ):
        monkeypatch.setattr(process, "_run", captured(header, report))
        with pytest.raises(ImportRefused, match=phrase) as caught:
            inspect_file(tmp_path / "net.safetensors")
        assert len(str(caught.value)) < 1100


def test_the_reader_is_started_with_nothing_of_ours(tmp_path, monkeypatch):
    monkeypatch.setenv("A_SECRET", "of ours")
    started = []
    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **options: started.append(options) or popen(*args, **options))
    save_file(state(), tmp_path / "net.safetensors")
    inspect_file(tmp_path / "net.safetensors")
    (options,) = started
    assert "A_SECRET" not in options["env"] and options["env"]["HOME"] == str(options["cwd"]) and options["start_new_session"]


def test_a_reader_that_computes_too_long_is_ended_and_says_so(tmp_path):
    limited = "import os\nfrom resnet_core.imports import limits\nlimits.CPU_SECONDS = 1\nlimits.apply()\nwhile True: pass"
    ended = subprocess.run([sys.executable, "-c", limited], capture_output=True)
    assert "s of computing" in str(process._failure(ended.returncode, True))


def test_limits_hold_the_process():
    told = run_python(
        "import resource\nfrom resnet_core.imports import limits\nlimits.apply()\n"
        "print([resource.getrlimit(kind) for kind in (resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE)])\n"
        "try:\n    bytearray(20 << 30)\nexcept MemoryError:\n    print('no room')"
    )
    assert told.splitlines() == ["[(120, 125), (648388608, 648388608), (0, 0)]", "no room"]


@pytest.mark.parametrize(
    "attempt", ["os.system('true')", "subprocess.Popen(['true'])", "os.remove('x')", "socket.create_connection(('127.0.0.1', 9))"]
)
def test_what_no_reader_does_is_stopped(attempt):
    told = run_python(
        f"import os, socket, subprocess\nfrom resnet_core.imports import ImportRefused, reader\nreader._forbid()\n"
        f"try:\n    {attempt}\nexcept ImportRefused as error:\n    print(error)"
    )
    assert told.startswith("It tried to do what no weights need")


def test_a_cheap_refusal_needs_no_torch(tmp_path):
    CASES["command"][0](tmp_path / "file")
    run_python(
        "import sys\nsys.modules['torch'] = None\nfrom pathlib import Path\nfrom resnet_core.imports import reader\n"
        f"reader.main({str(tmp_path / 'file')!r}, {str(tmp_path)!r})"
    )
    assert "it was not run" in json.loads((tmp_path / process.REPORT).read_text())["refused"]


def test_the_app_takes_uploads_as_large_as_an_import_may_be(root):
    config = tomllib.loads((root / ".streamlit" / "config.toml").read_text())
    # Streamlit counts the form around the file too: with the same limit a file of exactly that size would be refused.
    assert (config["server"]["maxUploadSize"] - 1) * limits.MIB == limits.MAX_FILE_BYTES
