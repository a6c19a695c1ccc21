"""Which device is taken, with and without GPUs; torch's answers are given, since tests run without one."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from robustcert.errors import ModelError
from robustcert.models.execution_device import (
    CUBLAS_VARIABLE,
    Device,
    device_of,
    execution_device,
    make_cublas_repeatable,
    placed,
)


def with_gpus(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setenv(CUBLAS_VARIABLE, ":4096:8")


@pytest.mark.parametrize(
    ("wanted", "gpus", "device"), [("auto", 0, "cpu"), ("auto", 2, "cuda:1"), ("cpu", 2, "cpu"), ("cuda", 2, "cuda:1")]
)
def test_auto_is_a_gpu_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, wanted: Device, gpus: int, device: str
) -> None:
    with_gpus(monkeypatch, gpus)
    assert execution_device(wanted, index=1) == torch.device(device)


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with_gpus(monkeypatch, 0)
    with pytest.raises(ModelError, match="expected a GPU that torch can use, got none; run where there is one"):
        execution_device("cuda")


@pytest.mark.parametrize("wanted", ["auto", "cuda"])
def test_too_few_gpus_are_refused_and_never_shared(monkeypatch: pytest.MonkeyPatch, wanted: Device) -> None:
    with_gpus(monkeypatch, 2)
    with pytest.raises(ModelError, match="expected 4 GPUs, got 2; lower the number of processes"):
        execution_device(wanted, index=3)


def test_cublas_is_made_repeatable_before_it_starts_or_refused() -> None:
    variables: dict[str, str] = {}
    make_cublas_repeatable(variables, in_use=False)
    assert variables == {CUBLAS_VARIABLE: ":4096:8"}
    make_cublas_repeatable(variables, in_use=True)
    make_cublas_repeatable({CUBLAS_VARIABLE: ":16:8"}, in_use=True)
    with pytest.raises(ModelError, match=r"got none; start again with CUBLAS_WORKSPACE_CONFIG=:4096:8"):
        make_cublas_repeatable({}, in_use=True)
    with pytest.raises(ModelError, match="got ':0:0'"):
        make_cublas_repeatable({CUBLAS_VARIABLE: ":0:0"}, in_use=False)


def test_a_module_lies_where_its_parameters_or_buffers_do() -> None:
    assert device_of(nn.ReLU()) == torch.device("cpu")
    assert device_of(nn.Linear(1, 1, device="meta")) == torch.device("meta")
    assert device_of(nn.BatchNorm1d(1, affine=False, device="meta")) == torch.device("meta")


def test_a_module_is_copied_only_to_another_device() -> None:
    module = nn.Linear(1, 1)
    assert placed(module, torch.device("cpu")) is module
    assert device_of(placed(module, torch.device("meta"))) == torch.device("meta")
    assert device_of(module) == torch.device("cpu")
