"""GoogLeNet's auxiliary classifiers compute in training what torchvision's do; all families' outputs are in test_imports_torchvision.py."""

from __future__ import annotations

import torch
import torchvision

from resnet_core.architectures import parse
from resnet_core.architectures.net import Net


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
