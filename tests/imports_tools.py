"""Proposals of files made here, and a net that knows something of CIFAR-10."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from resnet_core import data
from resnet_core.config import DataConfig
from resnet_core.imports import Proposal, inspection, reader
from resnet_core.imports.trial import Attempt, Trial, _suggestion
from resnet_core.nets import NORMALIZATIONS
from tests.imports_nets import Akamaster, randomized


def proposal_of(net_or_state, path, name=None) -> Proposal:
    state = net_or_state if isinstance(net_or_state, dict) else net_or_state.state_dict()
    save_file(state, path)
    arrays, report = reader.read(path)
    return inspection.propose(arrays, report, name or path.name, path.stat().st_size, "ab" * 32)


@pytest.fixture(scope="module", name="learned")
def learned_net() -> dict[str, torch.Tensor]:
    """A ResNet-8 in akamaster's layout that knows something of CIFAR-10: random features, and the readout that least squares finds for
    them on the sample, normalised as that repository does."""
    net = randomized(Akamaster(8, "A", 8), seed=3)
    split = data.load(DataConfig("sample")).train
    mean, std = (torch.from_numpy(array) for array in NORMALIZATIONS["imagenet"].arrays())
    kept = []
    hook = net.linear.register_forward_pre_hook(lambda module, args: kept.append(args[0]))
    with torch.no_grad():
        for start in range(0, 2500, 500):
            net((split.images[start : start + 500].float() / 255 - mean) / std)
    hook.remove()
    features = torch.cat(kept).double()
    features = torch.cat([features, torch.ones(len(features), 1)], 1)
    wanted = torch.nn.functional.one_hot(split.labels[:2500], 10).double() - 0.1
    # Least squares makes answers between 0 and 1; eight times as large their softmax is about as sure as it is right.
    found = 8 * torch.linalg.lstsq(features, wanted).solution
    with torch.no_grad():
        net.linear.weight.copy_(found[:-1].t())
        net.linear.bias.copy_(found[-1])
    return net.state_dict()


def stub(*attempts, images=1000):
    """A trial with these outcomes, given in the order of likelihood as (normalization, shortcut, error, loss)."""
    made = sorted((Attempt(*each) for each in attempts), key=lambda each: each.error)
    return Trial(tuple(made), _suggestion(made, images), images, "fp32")
