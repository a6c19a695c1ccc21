"""State dicts are copied out sorted, and go in only when every tensor fits."""

import pytest
import torch
from torch import nn

from robustcert.errors import ModelError
from robustcert.models.weights import check_tensors, filled, state_of


class Extra(nn.Linear):
    """A layer whose state dict holds something that is no tensor."""

    def get_extra_state(self):
        return {"version": 3}


def test_a_state_is_sorted_contiguous_and_shares_no_memory_with_the_module():
    body = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    body[0].weight.data = torch.arange(6.0).reshape(3, 2).T
    state = state_of(body)
    assert list(state) == sorted(body.state_dict())
    assert all(tensor.is_contiguous() and not tensor.requires_grad for tensor in state.values())
    body[0].weight.data.zero_()
    assert state["0.weight"].tolist() == [[0, 2, 4], [1, 3, 5]]


def test_tied_weights_appear_under_both_names():
    body = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    body[1].weight = body[0].weight
    state = state_of(body)
    assert torch.equal(state["0.weight"], state["1.weight"])
    assert state["0.weight"].data_ptr() != state["1.weight"].data_ptr()


def test_a_state_that_holds_more_than_tensors_is_refused():
    with pytest.raises(ModelError, match="only tensors in the state dict, got dict under '_extra_state'"):
        state_of(Extra(2, 2))


def test_a_body_on_the_meta_device_is_filled_with_the_given_numbers():
    with torch.device("meta"):
        body = nn.Linear(3, 2)
    source = nn.Linear(3, 2)
    filled(body, state_of(source), source="a test")
    x = torch.rand(4, 3)
    assert torch.equal(body(x), source(x))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"bias": None}, "expected the tensor 'bias', got none of that name in m.safetensors; check the architecture"),
        ({"scale": torch.zeros(1)}, "expected only the model's tensors, got also 'scale' in m.safetensors"),
        ({"bias": torch.zeros(3)}, r"expected 'bias' as float32 \(2,\), got float32 \(3,\) in m.safetensors"),
        ({"bias": torch.zeros(2, 1)}, r"'bias' as float32 \(2,\), got float32 \(2, 1\)"),
        ({"bias": torch.zeros(2).double()}, r"'bias' as float32 \(2,\), got float64 \(2,\)"),
        ({"bias": torch.zeros(2).half()}, r"'bias' as float32 \(2,\), got float16 \(2,\)"),
        ({"bias": torch.zeros(2).int()}, r"'bias' as float32 \(2,\), got int32 \(2,\)"),
        ({"bias": torch.tensor([0.0, torch.nan])}, "finite numbers in 'bias', got NaN or infinity in m.safetensors"),
        ({"weight": torch.full((2, 3), torch.inf)}, "finite numbers in 'weight', got NaN or infinity"),
    ],
)
def test_tensors_that_do_not_fit_are_named(changes, match):
    tensors = {"weight": torch.zeros(2, 3), "bias": torch.zeros(2)} | changes
    tensors = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    with pytest.raises(ModelError, match=match):
        check_tensors(tensors, wanted=nn.Linear(3, 2).state_dict(), source="m.safetensors")
