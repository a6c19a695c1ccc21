import pytest
import torch
from torch import Tensor, nn

from robustcert.bounds.patches import (
    ChannelsLast,
    Patches,
    added,
    aligned,
    chosen,
    cleaned,
    first_through_convolution,
    kernel_of,
    single_outputs,
    through_convolution,
    to_maps,
    whole_maps,
)
from robustcert.bounds.tracing import network_of

CONVOLUTIONS = {
    "plain": nn.Conv2d(3, 4, 3),
    "strided": nn.Conv2d(3, 4, 3, stride=2, padding=1),
    "dilated": nn.Conv2d(3, 4, 3, dilation=2, padding=2),
    "groups": nn.Conv2d(4, 6, 3, groups=2, padding=1),
    "oblong": nn.Conv2d(3, 4, (2, 3), stride=(1, 2), padding=(0, 1)),
    "one": nn.Conv2d(3, 4, 1, stride=2),
}


def single(shape: tuple[int, ...], neuron_N: Tensor) -> Patches:
    channels, height, width = shape
    values = torch.zeros((1, 1, 1, len(neuron_N), channels), dtype=torch.float64)
    values[0, 0, 0, torch.arange(len(neuron_N)), neuron_N // (height * width)] = 1.0
    return single_outputs(values, neuron_N, torch.zeros_like(neuron_N), shape)


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_a_tile_goes_back_through_a_convolution_as_its_gradient_does(name: str) -> None:
    convolution = CONVOLUTIONS[name]
    inputs = (convolution.in_channels, 6, 7)
    node = network_of(convolution, input_shape=inputs).nodes[1]
    neuron_N = torch.arange(node.shape[0] * node.shape[1] * node.shape[2])
    x = torch.zeros((len(neuron_N), *inputs), dtype=torch.float64, requires_grad=True)
    output = nn.functional.conv2d(
        x,
        node.parameters["weight"],
        None,
        *(node.parameters[key] for key in ("stride", "padding", "dilation", "groups")),
    )
    (wanted,) = torch.autograd.grad(output.flatten(1).gather(1, neuron_N[:, None]).sum(), x)
    outputs, kernel = single(node.shape, neuron_N), kernel_of(node)
    torch.testing.assert_close(to_maps(through_convolution(outputs, kernel, inputs))[0], wanted)
    first = first_through_convolution(kernel, inputs, outputs, neuron_N // (node.shape[1] * node.shape[2]))
    torch.testing.assert_close(to_maps(first)[0], wanted)


def test_the_gradient_of_a_step_back_is_exact() -> None:
    node = network_of(CONVOLUTIONS["strided"], input_shape=(3, 6, 7)).nodes[1]
    values = torch.rand((2, 2, 1, 3, 4), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    place_N = torch.tensor([0, 1, 1])

    def back(values: Tensor) -> Tensor:
        tiles = Patches(
            values=values, top_N=place_N, left_N=place_N, sample_N=place_N, shape=node.shape, extent=((0, 1), (0, 1))
        )
        return to_maps(through_convolution(tiles, kernel_of(node), (3, 6, 7)))

    assert torch.autograd.gradcheck(back, values.requires_grad_())


def test_maps_are_gathered_at_every_window_with_zeros_around_them() -> None:
    maps_BCHW = torch.arange(2 * 3 * 4 * 5, dtype=torch.float64).reshape(2, 3, 4, 5) + 1
    place_N = torch.tensor([-1, 2, 3])
    tiles = Patches(
        values=torch.ones((2, 3, 1, 3, 3), dtype=torch.float64),
        top_N=place_N,
        left_N=place_N,
        sample_N=torch.tensor([0, 1, 1]),
        shape=(3, 4, 5),
        extent=((-1, 3), (-1, 3)),
    )
    gathered = ChannelsLast(maps_BCHW).at(tiles.places, tiles.side)
    padded = nn.functional.pad(maps_BCHW, (4, 4, 4, 4))
    for n, (sample, place) in enumerate(zip([0, 1, 1], place_N.tolist(), strict=True)):
        window = padded[sample, :, place + 4 : place + 6, place + 4 : place + 7]
        assert torch.equal(gathered[:, :, 0, n], window.permute(1, 2, 0))
    clean = cleaned(tiles)
    assert torch.equal(clean.values.bool(), gathered.expand_as(clean.values) > 0)


def test_tiles_of_unlike_sizes_add_up_as_their_maps_do() -> None:
    shape, neuron_N = (4, 6, 7), torch.tensor([0, 41, 90])
    kernels = [kernel_of(network_of(nn.Conv2d(4, 4, k, padding=k // 2), input_shape=shape).nodes[1]) for k in (1, 3, 5)]
    small, middle, large = (through_convolution(single(shape, neuron_N), kernel, shape) for kernel in kernels)
    total = added(added(small, large), middle)
    torch.testing.assert_close(to_maps(total), to_maps(small) + to_maps(middle) + to_maps(large))
    rows = torch.tensor([2, 0])
    torch.testing.assert_close(to_maps(chosen(total, rows)), to_maps(total)[:, rows])


def test_a_tile_is_not_aligned_with_a_whole_map() -> None:
    neuron_N = torch.tensor([0, 41])
    tiles = single((4, 6, 7), neuron_N)
    whole = whole_maps(to_maps(tiles), tiles.sample_N)
    assert not aligned(tiles, whole)
    assert torch.equal(to_maps(whole), to_maps(tiles))
    with pytest.raises(AssertionError):
        added(tiles, whole)
