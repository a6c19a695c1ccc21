"""A network with a planted spike: right almost everywhere, wrong in a tiny box around one chosen point of the ball.

To the target's logit is added M relu(1 - (2 / w) sum_i relu(|x_i - x*_i| - w / 2)), exactly, with 2 D + 1 more ReLUs:
an attack by gradients sees a flat function, an exact verifier must not. Shapes: D inputs, K classes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from robustcert.models.architectures import mlp


def with_spike(body: nn.Sequential, *, point_D: Tensor, width: float, height: float, target: int) -> nn.Sequential:
    """`body`, an mlp with two hidden layers, with the spike added; its hidden layers grow by 2 D and 1 units."""
    first, second, last = (module for module in body if isinstance(module, nn.Linear))
    inputs, units, before, classes = first.in_features, first.out_features, second.out_features, last.out_features
    spiked = mlp((inputs,), classes, hidden=(units + 2 * inputs, before + 1))
    one, two, three = (module for module in spiked if isinstance(module, nn.Linear))
    identity = torch.eye(inputs)
    with torch.no_grad():
        one.weight.copy_(torch.cat([first.weight, identity, -identity]))
        one.bias.copy_(torch.cat([first.bias, -point_D - width / 2, point_D - width / 2]))
        two.weight.zero_()
        two.weight[:before, :units] = second.weight
        two.weight[before, units:] = -2 / width
        two.bias.copy_(torch.cat([second.bias, torch.ones(1)]))
        three.weight.zero_()
        three.weight[:, :before] = last.weight
        three.weight[target, before] = height
        three.bias.copy_(last.bias)
    return spiked.eval().requires_grad_(False)
