"""Reference architectures: shapes they take, determinism of their initialisation, limits of their parameters."""

import math

import pytest
import torch
from torch import nn

from robustcert.errors import ModelError
from robustcert.models.architectures import ResidualBlock, build, parameters_of
from robustcert.specification import Model


def _parameters(body: nn.Module) -> int:
    return sum(parameter.numel() for parameter in body.parameters())


@pytest.mark.parametrize("architecture", ["small-cnn", "resnet"])
@pytest.mark.parametrize("input_shape", [(1, 8, 8), (3, 32, 32), (2, 9, 13)])
def test_image_architectures_map_any_image_to_one_logit_per_class(architecture, input_shape):
    body = build(architecture, {"width": 4}, input_shape=input_shape, n_classes=7, seed=0).eval()
    assert body(torch.rand(3, *input_shape)).shape == (3, 7)


@pytest.mark.parametrize("input_shape", [(30,), (1, 8, 8)])
def test_an_mlp_takes_tables_and_images_and_has_the_counted_parameters(input_shape):
    body = build("mlp", {"hidden": (16, 5)}, input_shape=input_shape, n_classes=3, seed=0)
    inputs = math.prod(input_shape)
    assert body(torch.rand(2, *input_shape)).shape == (2, 3)
    assert _parameters(body) == (inputs + 1) * 16 + (16 + 1) * 5 + (5 + 1) * 3


def test_a_resnet_has_the_parameters_of_its_published_layout():
    width, channels, classes = 4, 3, 10

    def block(inputs, outputs, projection):
        return 9 * inputs * outputs + 9 * outputs**2 + 4 * outputs + projection * (inputs * outputs + 2 * outputs)

    stem = 9 * channels * width + 2 * width
    stages = block(width, width, False) + block(width, 2 * width, True) + block(2 * width, 4 * width, True)
    body = build("resnet", {"width": width}, input_shape=(channels, 32, 32), n_classes=classes, seed=0)
    assert _parameters(body) == stem + stages + (4 * width + 1) * classes


def test_a_residual_block_whose_residual_is_zero_passes_its_rectified_input():
    block = ResidualBlock(4, 4, stride=1).eval()
    nn.init.zeros_(block.norm2.weight)
    x_BCHW = torch.randn(2, 4, 5, 5)
    assert torch.equal(block(x_BCHW), x_BCHW.clamp(min=0))


def test_a_residual_block_with_a_stride_halves_height_and_width_rounded_up():
    assert ResidualBlock(2, 6, stride=2)(torch.randn(3, 2, 9, 8)).shape == (3, 6, 5, 4)


@pytest.mark.parametrize(("architecture", "parameters"), [("mlp", {"hidden": (8,)}), ("resnet", {"width": 2})])
def test_initialisation_depends_on_the_seed_alone_and_leaves_the_global_generator(architecture, parameters):
    def weights(seed):
        body = build(architecture, parameters, input_shape=(1, 8, 8), n_classes=3, seed=seed)
        return torch.cat([parameter.detach().flatten() for parameter in body.parameters()])

    torch.manual_seed(5)
    untouched = torch.rand(3)
    torch.manual_seed(5)
    first = weights(1)
    assert torch.equal(torch.rand(3), untouched)
    torch.manual_seed(99)
    assert torch.equal(weights(1), first)
    assert not torch.equal(weights(2), first)


@pytest.mark.parametrize("architecture", ["mlp", "small-cnn", "resnet"])
def test_a_row_has_the_same_logits_in_any_company_in_eval_mode(architecture):
    parameters = {"hidden": (16,)} if architecture == "mlp" else {"width": 4}
    body = build(architecture, parameters, input_shape=(1, 8, 8), n_classes=4, seed=0).eval()
    x_BCHW = torch.rand(6, 1, 8, 8)
    torch.testing.assert_close(body(x_BCHW)[2:3], body(x_BCHW[2:3]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("architecture", "parameters", "input_shape", "match"),
    [
        ("vit", {"width": 4}, (1, 8, 8), r"expected one of \['mlp', 'resnet', 'small-cnn'\], got 'vit'; name one"),
        ("mlp", {"width": 4}, (5,), "only the parameter 'hidden' for mlp"),
        ("mlp", {"hidden": 4}, (5,), "only the parameter 'hidden' for mlp"),
        ("mlp", {"hidden": "4"}, (5,), "only the parameter 'hidden' for mlp"),
        ("resnet", {"width": 4, "depth": 3}, (1, 8, 8), "only the parameter 'width' for resnet"),
        ("resnet", {"width": (4,)}, (1, 8, 8), "only the parameter 'width' for resnet"),
        ("mlp", {"hidden": ()}, (5,), "1 to 32 hidden layers of 1 to 8192 units"),
        ("mlp", {"hidden": (8193,)}, (5,), "1 to 32 hidden layers of 1 to 8192 units"),
        ("mlp", {"hidden": (4,) * 33}, (5,), "1 to 32 hidden layers of 1 to 8192 units"),
        ("small-cnn", {"width": 0}, (1, 8, 8), "a width of 1 to 512, got 0"),
        ("resnet", {"width": 513}, (1, 8, 8), "a width of 1 to 512, got 513"),
        ("resnet", {"width": 4}, (30,), r"images \(C, H, W\) of at least 4 x 4, got \(30,\); use architecture mlp"),
        ("small-cnn", {"width": 4}, (1, 3, 8), r"at least 4 x 4, got \(1, 3, 8\)"),
    ],
)
def test_what_an_architecture_cannot_be_built_with_is_named(architecture, parameters, input_shape, match):
    with pytest.raises(ModelError, match=match):
        build(architecture, parameters, input_shape=input_shape, n_classes=3, seed=0)


def test_the_specified_parameters_are_those_that_the_architecture_takes():
    assert parameters_of(Model(architecture="mlp", hidden=(7, 9))) == {"hidden": (7, 9)}
    assert parameters_of(Model(architecture="small-cnn", width=5)) == {"width": 5}
    assert parameters_of(Model(architecture="resnet", width=6)) == {"width": 6}
