"""A net as a plain file: it computes the same without this project, takes the exported weights, and is short and clean."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from resnet_core.architectures import ImageNetConfig, ResNetConfig, parse, presets
from resnet_core.architectures.net import build_model
from resnet_core.errors import ConfigError
from resnet_core.exports import script
from resnet_core.nets import export, find, folder
from resnet_core.nets.loading import load
from tests.nets_tools import save_run

#: A net of each kind that can be written; small, so that all are computed at once.
KINDS = {
    "plain": ResNetConfig(14, "none", 4),
    "A": ResNetConfig(14, "A", 4),
    "B": ResNetConfig(14, "B", 4),
    "C": ResNetConfig(14, "C", 4),
    "preact": ResNetConfig(14, "A", 4, activation="pre"),
    "preact_b": ResNetConfig(14, "B", 4, activation="pre"),
    "preact_plain": ResNetConfig(14, "none", 4, activation="pre"),
    "bottleneck": ResNetConfig(20, "B", 4, "bottleneck"),
    "bottleneck_a": ResNetConfig(20, "A", 4, "bottleneck", activation="pre"),
    "no_norm": ResNetConfig(14, "A", 4, norm="none"),
    "rezero": ResNetConfig(14, "A", 4, branch="rezero"),
    "fixup": ResNetConfig(14, "A", 4, norm="none", branch="fixup"),
    "tanh": ResNetConfig(14, "A", 4, nonlinearity="tanh"),
    "dropout": ResNetConfig(14, "A", 4, dropout=30),
    "imagenet": ImageNetConfig((2, 1, 1, 1), width=4),
    "wide": parse("WRN-16-1"),
    "dense": parse("DenseNet-BC-22-k4"),
    "highway": parse("Highway-20-w4"),
    "highway_19": parse("Highway-19"),
    "alexnet": parse("AlexNet-CIFAR"),
    "vgg": parse("VGG-11-CIFAR"),
}
#: Computes all of them with nothing but what the files import; -I keeps this folder and PYTHONPATH out.
ALONE = """
import importlib.util, pathlib, sys, torch
assert importlib.util.find_spec("resnet_core") is None
for file in sorted(pathlib.Path(".").glob("*.py")):
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    net, mean, std = module.load(file.with_suffix(".safetensors"))
    images, expected = torch.load(file.with_suffix(".pt"))
    with torch.no_grad():
        logits = net(module.normalize(images, mean, std))
    assert not net.training and logits.std() > 1e-3, file
    torch.testing.assert_close(logits, expected, atol=1e-6, rtol=1e-6, msg=lambda text: f"{file}: {text}")
    print(file.stem)
"""


def stirred(model: torch.nn.Module) -> torch.nn.Module:
    """The net with other numbers in every tensor than those it starts with, so that none can be left out."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith("running_var"):
                tensor.add_(torch.rand(tensor.shape, generator=generator))
            elif tensor.is_floating_point():
                tensor.add_(0.1 * torch.randn(tensor.shape, generator=generator))
    return model.eval()


@pytest.fixture
def one_thread():
    """On several threads sums are made in another order, and differ in the last digits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_every_kind_computes_the_same_without_this_project(tmp_path, one_thread):
    for key, config in KINDS.items():
        model, side = stirred(build_model(config)), config.plan().input[1]
        mean, std = torch.rand(3, side, side), torch.full((3, 1, 1), 0.5) if key == "B" else None
        folder.save_weights(tmp_path / f"{key}.safetensors", model.state_dict(), mean, std, config, "own")
        images = torch.randint(0, 256, (2, 3, side, side), dtype=torch.uint8)
        with torch.no_grad():
            expected = model((images.float() / 255 - mean) / (1.0 if std is None else std))
        torch.save((images, expected), tmp_path / f"{key}.pt")
        (tmp_path / f"{key}.py").write_text(script.source(config), encoding="utf-8")
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run([sys.executable, "-I", "-c", ALONE], cwd=tmp_path, env=alone, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert ended.stdout.split() == sorted(KINDS)


def test_the_file_of_a_run_takes_its_exported_weights_and_says_what_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    net = find(save_run().id)
    (tmp_path / "net.py").write_bytes(text := script.content(net))
    (tmp_path / "w.safetensors").write_bytes(export.weights(net))
    ended = subprocess.run([sys.executable, "-I", "net.py", "w.safetensors"], cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    loaded = load(net, "cpu")
    assert f"{sum(p.numel() for p in loaded.model.parameters()):,} parameters" in ended.stdout
    gray = loaded.logits(torch.full((1, 3, 32, 32), 128, dtype=torch.uint8)).softmax(1)
    assert f"{gray[0, 0]:.4f}" in ended.stdout
    for told in ("ResNet-8-w4", "He, Zhang, Ren, Sun", "CVPR 2016", '"airplane"', "Option A", "multiply-adds"):
        assert told in text.decode()


def test_all_files_are_short_and_clean(tmp_path):
    refused = []
    for config in {config.name: config for config in (*presets(), *KINDS.values())}.values():
        try:
            text = script.source(config)
        except ConfigError:
            refused.append(config.name)
            continue
        assert len(text.splitlines()) < 200 and "resnet_core" not in text
        (tmp_path / (config.name.replace("-", "_").replace(".", "_") + ".py")).write_text(text, encoding="utf-8")
    ruff = [sys.executable, "-m", "ruff"]
    for words in (["check", "--select", "E,F,W,I,B,UP,C4,SIM", "--target-version", "py311"], ["format", "--check"]):
        ended = subprocess.run([*ruff, *words, "--isolated", "--line-length", "100", "."], cwd=tmp_path, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr
    # Those of which the code would be no shorter than the list of their layers.
    assert [name for name in refused if not name.startswith("GoogLeNet")] == [
        "ResNet-110-sd50", "ResNeXt-50-2x40d", "ResNeXt-50-4x24d", "ResNeXt-50-8x14d",
    ]  # fmt: skip


def test_what_cannot_be_written_says_why_and_what_there_is_instead():
    with pytest.raises(ConfigError, match=r"GoogLeNet-CIFAR cannot be written as a short file: .* Export its weights or ONNX instead"):
        script.source(parse("GoogLeNet-CIFAR"))
