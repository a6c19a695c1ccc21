"""Oracles: the model itself in float32, torch's own autocast, and the types that layers were given."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from robustcert.models.architectures import resnet
from robustcert.models.canonical_execution import canonical_execution
from robustcert.models.model import Classifier
from robustcert.models.precision import arithmetic, in_precision

CPU = torch.device("cpu")


def small(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    first = (nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten())
    body = nn.Sequential(*first, nn.Linear(288, 16), nn.ReLU(), nn.Linear(16, 4))
    with torch.no_grad():
        body[-1].bias += 8.0
    return (
        Classifier(body, mean=torch.full((3, 1, 1), 0.5), std=torch.full((3, 1, 1), 0.25)).eval().requires_grad_(False)
    )


def inputs(seed: int = 1) -> Tensor:
    return torch.rand(256, 3, 8, 8, generator=torch.Generator().manual_seed(seed))


def logits(module: nn.Module, x: Tensor) -> Tensor:
    with canonical_execution(), torch.inference_mode(), arithmetic(CPU, "bfloat16"):
        found: Tensor = module(x)
    return found


def test_float32_is_the_module_itself() -> None:
    module = small()
    assert in_precision(module, "float32") is module
    with arithmetic(CPU, "float32"):
        assert not torch.is_autocast_enabled("cpu")


def test_bfloat16_is_close_to_the_model_and_changes_nothing_of_it() -> None:
    module = small()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    found = logits(in_precision(module, "bfloat16"), inputs())
    wanted = module(inputs())
    assert found.dtype == torch.float32
    assert 1e-6 < float((found - wanted).abs().max()) < 2.0**-7
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
    assert {tensor.dtype for tensor in module.parameters()} == {torch.float32}


def test_layers_compute_in_bfloat16_behind_a_normalisation_in_float32_and_before_logits_in_float32() -> None:
    prepared, seen = in_precision(small(), "bfloat16"), {}

    def see(name: str) -> Any:
        return lambda _, given, result: seen.__setitem__(name, (given[0].dtype, result.dtype))

    for name, part in prepared.named_modules():
        part.register_forward_hook(see(name))
    logits(prepared, inputs())
    assert seen["body"][0] == torch.float32
    assert seen["body.0"][1] == seen["body.4"][1] == torch.bfloat16
    assert seen["body.6"] == (torch.bfloat16, torch.float32)


def test_logits_are_seldom_equal_as_those_of_autocast_are() -> None:
    module, x = small(), inputs()
    best = logits(in_precision(module, "bfloat16"), x).topk(2, dim=1).values
    rough = logits(module, x).float().topk(2, dim=1).values
    assert int((best[:, 0] == best[:, 1]).sum()) == 0
    assert int((rough[:, 0] == rough[:, 1]).sum()) > 0


@pytest.mark.parametrize("network", ["small", "resnet"])
def test_a_rows_logits_depend_on_neither_its_place_nor_the_other_rows(network: str) -> None:
    torch.manual_seed(0)
    module = small() if network == "small" else resnet((3, 8, 8), 4, width=8).eval()
    prepared, x = in_precision(module, "bfloat16"), inputs()
    whole = logits(prepared, x)
    order = torch.randperm(256, generator=torch.Generator().manual_seed(2))
    assert torch.equal(logits(prepared, x[order]), whole[order])
    mixed = torch.cat([x[:40], torch.zeros(216, 3, 8, 8)])
    assert torch.equal(logits(prepared, mixed)[:40], whole[:40])


def test_a_lone_linear_layer_and_a_model_without_one_are_prepared_too() -> None:
    linear, x = nn.Linear(12, 3).eval().requires_grad_(False), torch.rand(256, 12)
    assert torch.equal(logits(in_precision(linear, "bfloat16"), x), linear(x))
    convolution = nn.Sequential(nn.Conv2d(3, 4, 8), nn.Flatten()).eval()
    assert logits(in_precision(convolution, "bfloat16"), inputs()).dtype == torch.bfloat16
