"""torchvision's weights for ImageNet: the list, the download from a server on this machine, what comes of it, and the panel."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import threading
from pathlib import Path

import pytest
import torch
import torchvision
from PIL import Image
from streamlit.testing.v1 import AppTest

from pages.checkpoints import import_panel
from pages.ui.downloads import Download
from resnet_core.architectures import parse
from resnet_core.architectures.net import build_model
from resnet_core.cli import main
from resnet_core.config import DataConfig, Recipe
from resnet_core.data import load as load_data
from resnet_core.data import pictures
from resnet_core.errors import ConfigError, DataError
from resnet_core.imports import offered
from resnet_core.imports.offered import OFFERED, Offered
from resnet_core.nets import find, transfer
from resnet_core.nets.loading import load
from resnet_core.training.engine import Trainer
from resnet_core.training.plan import Plan
from tests.checkpoints_tools import checkpoints_page, done, shipped_folder, texts  # noqa: F401  fixtures among them
from tests.test_imports_torchvision import NETS

NET = "ResNet-18-w8-ImageNet"


@pytest.fixture(scope="module")
def content() -> bytes:
    """A narrow net with torchvision's names, as PyTorch saves it."""
    state = build_model(parse(NET), seed=1).state_dict()
    names = {name: name.replace("shortcut.conv", "downsample.0").replace("shortcut.bn", "downsample.1") for name in state}
    file = io.BytesIO()
    torch.save({names[name]: value for name, value in state.items()}, file)
    return file.getvalue()


@pytest.fixture
def tiny(content, monkeypatch, tmp_path):
    """Offers the narrow net as ``tiny``, from a server on this machine."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.headers["Method"] != "HEAD":
                self.wfile.write(content)

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    monkeypatch.setattr(offered, "_FROM", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = Offered("tiny", NET, f"tiny-{hashlib.sha256(content).hexdigest()[:8]}.pth", len(content) / 2**20)
    monkeypatch.setitem(OFFERED, "tiny", found)
    yield found
    server.shutdown()
    server.server_close()


def test_what_is_offered_is_what_torchvision_has_of_nets_that_are_known_here():
    theirs = {
        weights.url: (name + ("" if weights.name == "IMAGENET1K_V1" else "-v2"), NETS[name][0], weights.meta["_file_size"])
        for name in NETS
        for weights in torchvision.models.get_model_weights(name)
        if weights.meta["categories"]  # VGG-16 has weights without a classifier too
    }
    assert {each.fetched.url: (each.key, each.net, each.mebibytes) for each in OFFERED.values()} == theirs
    assert all(len(each.fetched.digest) == 8 and parse(each.net) for each in OFFERED.values())


def test_weights_are_downloaded_checked_and_known(tiny, content, tmp_path, monkeypatch):
    steps = []
    path = offered.download(lambda *step: steps.append(step), "tiny")
    assert path == tiny.path and path.read_bytes() == content and steps[-1] == (len(content), len(content))
    proposal = offered.inspect_offered("tiny")
    assert proposal.model == parse(NET) and proposal.questions == () and proposal.normalizations == ("imagenet",)
    with pytest.raises(ConfigError, match="resnet152-v2"):
        offered.download(key="resnet19")
    # One that arrives as something else is not kept, and the error says how to do without.
    wrong = Offered("tiny", NET, "tiny-00000000.pth", tiny.mebibytes)
    monkeypatch.setitem(OFFERED, "tiny", wrong)
    with pytest.raises(DataError) as caught:
        offered.download(key="tiny")
    for hint in ("does not begin with 00000000", wrong.fetched.url, "Nothing was kept", "python -m resnet_core import tiny-00000000.pth"):
        assert hint in str(caught.value)
    assert not wrong.path.exists() and {each.name for each in wrong.path.parents[1].iterdir() if each.is_dir()} == {path.parent.name}


def test_on_the_command_line_and_on_to_pictures_of_ones_own(tiny, tmp_path, capsys):
    """A net of 1,000 classes and 224 pixels, trained on as one of two classes and 64 pixels."""
    assert main(["import", "torchvision:tiny", "--json", "--home", str(tmp_path / "runs")]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["net"] == NET and told["normalization"] == "imagenet"
    net = find(told["name"], tmp_path / "runs")
    for name, shade in (("dark", 40), ("light", 200)):
        (tmp_path / "own" / name).mkdir(parents=True)
        for i in range(6):
            Image.new("RGB", (90, 70), (shade + i, shade, shade)).save(tmp_path / "own" / name / f"{i}.png")
    data = DataConfig("pictures", pictures=pictures.look(tmp_path / "own", 64))
    recipe = Recipe(iterations=2, batch_size=4, schedule="constant", layers_every=2, test_every=2)
    config = transfer.planned(net, data, recipe, frozen=1)
    loaded = load(net, "cpu")
    trainer = Trainer(config, load_data(data, tmp_path / "own"), Plan("cpu", "fp32", False, 1))
    trainer.begin_with(transfer.start_tensors(loaded, config))
    kept = trainer.model.conv1.weight.clone()
    assert torch.allclose(kept, loaded.model.conv1.weight / loaded.std.view(1, 3, 1, 1))
    assert trainer.mean.shape == (3, 64, 64) and torch.allclose(trainer.mean[:, 0, 0], loaded.mean.view(3))
    *_, end = trainer.run()
    assert end["state"] == "finished" and trainer.model.fc.out_features == 2 and torch.equal(trainer.model.conv1.weight, kept)


def test_an_unknown_name_is_refused_with_those_there_are(capsys):
    assert main(["import", "torchvision:resnet19"]) == 2
    assert "resnet18" in capsys.readouterr().err


def chosen(page: AppTest) -> AppTest:
    page.session_state["section"] = "Import"
    page.run()
    page.selectbox(key="import.offered.0").set_value("tiny").run()
    assert not page.exception
    return page


def ended(page: AppTest) -> AppTest:
    page.button(key="import.download").click().run()
    import_panel.DOWNLOADS["tiny"].thread.join(60)
    return done(page.run())


def test_the_page_says_why_a_download_failed_then_takes_what_arrives(tiny, content, page: AppTest, monkeypatch):
    def lost(progress, key):
        progress(1, len(content))
        raise DataError("It could not be downloaded: no network.")

    def found(progress, key):
        tiny.path.parent.mkdir(parents=True)
        tiny.path.write_bytes(content)
        return Path(tiny.path)

    monkeypatch.setitem(import_panel.DOWNLOADS, "tiny", Download("tiny", lambda: lost))
    chosen(page)
    assert "python -m resnet_core import tiny-" in texts(page)
    ended(page)
    assert [each.value.replace("\\", "") for each in page.error] == ["It could not be downloaded: no network."]
    import_panel.DOWNLOADS["tiny"].leave = lambda: found
    ended(page)
    assert f"{tiny.file} is {NET}" in texts(page).replace("**", "") and not page.error
    next(button for button in page.button if button.label == "Import").click().run()
    assert not page.exception and find(Path(tiny.file).stem).model == parse(NET)
