"""Checkpoints from the Hub: which file is taken, and that it is read without trust; the client is a stand-in, as tests have no network."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
from streamlit.testing.v1 import AppTest

from resnet_core.cli import main
from resnet_core.errors import DataError
from resnet_core.imports import hub
from resnet_core.nets import export, find
from resnet_core.nets.loading import load
from tests.checkpoints_tools import checkpoints_page, done, shipped_folder, texts  # noqa: F401  fixtures among them
from tests.nets_tools import write_checkpoint
from tests.page_tools import opened


@pytest.fixture
def client(monkeypatch, tmp_path):
    """A Hub with the files of ``tmp_path/hub``; each call is noted."""
    (tmp_path / "hub").mkdir()
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(tmp_path / "shipped"))
    made, asked = ModuleType("huggingface_hub"), []

    class HfApi:
        def model_info(self, repo_id: str, *, files_metadata: bool = False) -> SimpleNamespace:
            asked.append(repo_id)
            if repo_id != "somebody/net":
                raise OSError("404 Client Error.\nRepository Not Found")
            assert files_metadata
            files = [path for path in (tmp_path / "hub").rglob("*") if path.is_file()]
            siblings = [SimpleNamespace(rfilename=str(path.relative_to(tmp_path / "hub")), size=path.stat().st_size) for path in files]
            return SimpleNamespace(siblings=siblings, sha="0123abc")

    def hf_hub_download(repo_id: str, filename: str, *, revision: str | None = None) -> str:
        assert (repo_id, revision) == ("somebody/net", "0123abc")
        return str(tmp_path / "hub" / filename)

    made.HfApi, made.hf_hub_download = HfApi, hf_hub_download
    monkeypatch.setitem(sys.modules, "huggingface_hub", made)
    return tmp_path / "hub", asked


def test_a_net_from_the_hub_is_imported_as_any_file_is(client, tmp_path, capsys):
    folder, asked = client
    write_checkpoint(tmp_path / "shipped", "tiny", seed=4)
    (folder / "weights.safetensors").write_bytes(export.weights(find("tiny")))
    (folder / "README.md").write_text("---\n---\n")
    assert main(["import", "hf:somebody/net", "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["name"] == "somebody-net" and asked == ["somebody/net"]
    assert torch.equal(load(find("somebody-net"), "cpu").model.fc.weight, load(find("tiny"), "cpu").model.fc.weight)


def test_what_is_no_checkpoint_is_refused_as_any_file_is(client, capsys):
    folder, _ = client
    (folder / "model.safetensors").write_bytes(b"nothing of the kind")
    assert main(["import", "hf:somebody/net"]) == 2
    assert "somebody" in (told := capsys.readouterr().err) or "model.safetensors" in told


@pytest.mark.parametrize(
    ("names", "wanted", "chosen"),
    [
        ("README.md weights.safetensors model.safetensors", None, "weights.safetensors"),
        ("a.safetensors b.pt", None, "a.safetensors"),
        ("sub/only.pth config.json", None, "sub/only.pth"),
        ("a.pt b.pt", "b.pt", "b.pt"),
    ],
)
def test_which_file_is_taken(names: str, wanted: str | None, chosen: str):
    assert hub.choose("a/b", dict.fromkeys(names.split(), 10), wanted) == chosen


def test_what_is_not_clear_or_too_large_is_said_before_a_download():
    with pytest.raises(DataError, match=r"say OWNER/NAME/FILE. It has a.pt, b.pt"):
        hub.choose("x/y", {"a.pt": 1, "b.pt": 1})
    with pytest.raises(DataError, match="not clear"):
        hub.choose("x/y", {"a.pt": 1}, "../../a.pt")
    with pytest.raises(DataError, match="at most"):
        hub.choose("x/y", {"a.pt": 10**10})


@pytest.mark.parametrize("spec", ["", "one", "a/b/", "a b/c", "../x", "a/..", "https://a/b/c", "a/b c"])
def test_what_is_no_id_is_said_without_asking(client, spec: str):
    with pytest.raises(DataError, match="OWNER/NAME"):
        hub.inspect_hub(spec)
    assert client[1] == []


def test_without_network_or_client_it_says_what_to_do(client, monkeypatch, capsys):
    assert main(["import", "hf:nobody/net"]) == 2
    told = capsys.readouterr().err
    assert "404 Client Error. )" not in told and "(404 Client Error.)" in told and "copy them here" in told
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(DataError, match=r"resnet-lab\[hub\]"):
        hub.inspect_hub("somebody/net")


def test_a_file_of_that_name_is_a_file(client, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("hf:x").write_bytes(b"")
    assert main(["import", "hf:x"]) == 2 and client[1] == []


def test_the_page_fetches_an_id_when_asked_and_reads_it_as_an_upload(page: AppTest, shipped: Path, client, tmp_path):
    folder, asked = client
    write_checkpoint(tmp_path / "shipped", "tiny", seed=4)
    (folder / "weights.safetensors").write_bytes(export.weights(find("tiny")))
    opened(page, section="Import")
    page.text_input(key="import.hub.0").set_value("nobody/net").run()
    assert asked == []  # until it is pressed
    page.button(key="import.hub.fetch").click().run()
    done(page)
    assert "nobody/net could not be fetched" in page.error[0].value.replace("\\", "")
    page.text_input(key="import.hub.0").set_value("somebody/net").run()
    assert not page.error
    page.button(key="import.hub.fetch").click().run()
    done(done(page))  # the download, and then the trial of its choices
    assert "**somebody-net.safetensors** is **ResNet-8-w4**" in texts(page) and not page.error
    (button,) = [each for each in page.button if each.label == "Import"]
    button.click().run()
    assert "somebody-net" in page.success[0].value.replace("\\", "") and page.selectbox(key="gallery.net").value == "somebody-net"
    assert page.text_input(key="import.hub.1").value == ""
