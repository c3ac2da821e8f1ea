"""Every family that torchvision has computes what torchvision's does, on random weights."""

from __future__ import annotations

import pytest
import torch
import torchvision

from resnet_core.architectures import parse
from resnet_core.architectures.net import Net
from tests.families_tools import random_statistics

#: Ours -> torchvision's, and the side of the images that both are tried with.
NETS = {
    "ResNet-34-c7-ImageNet": ("resnet34", 64),
    "ResNet-50-c7-ImageNet-v1.5": ("resnet50", 64),
    "ResNeXt-50-32x4d-c7": ("resnext50_32x4d", 64),
    "WRN-50-2-c7": ("wide_resnet50_2", 64),
    "DenseNet-121-c7": ("densenet121", 64),
    "VGG-11-BN-c7": ("vgg11_bn", 64),
    "AlexNet-torchvision-c7": ("alexnet", 96),
    "GoogLeNet-torchvision-c7": ("googlenet", 96),
}


@pytest.mark.parametrize("name", NETS)
def test_logits_are_torchvisions(name):
    theirs_name, side = NETS[name]
    torch.manual_seed(1)
    options = {"init_weights": False, "aux_logits": False} if theirs_name == "googlenet" else {}
    theirs = random_statistics(torchvision.models.get_model(theirs_name, num_classes=7, **options)).eval()
    with torch.device("meta"):
        ours = Net(parse(name)).eval()
    # Both hold their tensors in the order of the computation.
    values, names = theirs.state_dict().values(), ours.state_dict()
    assert [value.shape for value in values] == [value.shape for value in names.values()]
    ours.load_state_dict(dict(zip(names, values, strict=True)), assign=True)
    x = torch.randn(2, 3, side, side)
    with torch.no_grad():
        wanted = theirs(x)
        assert wanted.abs().max() > 1e-3
        difference = (ours(x) - wanted).abs().max().item()
    assert difference <= 1e-5 * max(1.0, wanted.abs().max().item())


def test_auxiliary_classifiers_are_torchvisions():
    torch.manual_seed(1)
    theirs = torchvision.models.googlenet(num_classes=7, init_weights=False, aux_logits=True)
    with torch.device("meta"):
        ours = Net(parse("GoogLeNet-torchvision-aux-c7"))
    values = theirs.state_dict()
    auxiliary = {name: value for name, value in values.items() if name.startswith("aux")}
    main = [value for name, value in values.items() if name not in auxiliary]
    names = [name for name in ours.state_dict() if not name.startswith("aux")]
    tensors = dict(zip(names, main, strict=True))
    tensors |= dict(zip((name for name in ours.state_dict() if name.startswith("aux")), auxiliary.values(), strict=True))
    ours.load_state_dict(tensors, assign=True)
    x = torch.randn(2, 3, 224, 224)
    for net in (theirs, ours):
        net.train()
        for module in net.modules():
            if isinstance(module, torch.nn.Dropout):
                module.eval()
    with torch.no_grad():
        logits, second, first = theirs(x)
        for found, wanted in zip(ours.training_outputs(x), (logits, first, second), strict=True):
            torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
