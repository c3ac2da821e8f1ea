"""Per layer, at one moment of a training: gradient norm, weight norm, standard deviation of the responses, and how open gates are.

An extra forward and backward pass at chosen moments. The training step itself is never hooked, so it costs nothing between them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from resnet_core.architectures.net import Net
from resnet_core.training.plan import Plan


def layer_statistics(model: Net, images: torch.Tensor, labels: torch.Tensor, plan: Plan) -> dict[str, Any]:
    """What the layers of the main path do with one training batch; ``model`` comes back as it was.

    Args:
        images: float32 (B, 3, 32, 32), normalised, on the model's device. labels: int64 (B,).

    Returns:
        ``names``: of the convolutions, in order. ``gradient_norm``: L2 norm of the loss's gradient with respect to each one's weight.
        ``weight_norm``: L2 norm of the weight. ``response_std``: standard deviation of all of its responses, after BN (with the
        batch's own statistics, as in training) and before ReLU or addition (He et al. 2016, Fig. 7; see ``plan.Plan.taps``). Dropout and
        stochastic depth compute as they do in a test, and auxiliary classifiers are left out. Of nets with gates (Srivastava et al. 2015)
        also ``gate_opening``: for the last layer of a block that has one, the mean of its gate over images, channels and positions, 0 to 1;
        None for the other layers.
    """
    layers = [(name, model.get_parameter(f"{name}.weight"), response) for name, _, response in model.taps()]
    modes = {module: module.training for module in model.modules()}
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    stds: list[torch.Tensor] = []
    gates = {block.unit.name: block.gate for block in model.blocks() if block.gate is not None}
    means: list[torch.Tensor] = []

    def keep_std(module: nn.Module, args: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        stds.append(output.detach().float().std())

    def keep_mean(module: nn.Module, args: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        means.append(output.detach().float().mean())

    # Of frozen layers too: their gradients are those that they would be trained with.
    frozen = [weight for _, weight, _ in layers if not weight.requires_grad]
    for weight in frozen:
        weight.requires_grad_(True)
    handles = [response.register_forward_hook(keep_std) for _, _, response in layers]
    handles += [gate.register_forward_hook(keep_mean) for gate in gates.values()]
    try:
        model.train_without_chance()
        with plan.autocast():
            logits = model(images)
        loss = nn.functional.cross_entropy(logits.float(), labels)
        gradients = torch.autograd.grad(loss, [weight for _, weight, _ in layers])
    finally:
        for handle in handles:
            handle.remove()
        for weight in frozen:
            weight.requires_grad_(False)
        with torch.no_grad():
            for name, buffer in model.named_buffers():
                buffer.copy_(buffers[name])
        for module, training in modes.items():
            module.training = training
    found = {
        "names": [name for name, _, _ in layers],
        "gradient_norm": torch.stack([g.float().norm() for g in gradients]).tolist(),
        "weight_norm": torch.stack([weight.detach().norm() for _, weight, _ in layers]).tolist(),
        "response_std": torch.stack(stds).tolist(),
    }
    if gates:
        opening = dict(zip(model.plan.gated.values(), torch.stack(means).tolist(), strict=True))
        found["gate_opening"] = [opening.get(at) for at in range(len(layers))]
    return found
