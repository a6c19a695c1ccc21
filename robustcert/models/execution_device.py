"""Where a model runs: the CPU, or a GPU through CUDA.

Inputs and results stay where they are made, on the CPU but for training; only the model and what it is given at that
moment lie on the device. Results are compared bit for bit between devices of one kind only.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from copy import deepcopy
from dataclasses import replace
from itertools import chain
from typing import Literal, TypeVar

import torch
from torch import nn

from robustcert.errors import ModelError, expected
from robustcert.models.model import LoadedModel

CUBLAS_VARIABLE = "CUBLAS_WORKSPACE_CONFIG"
REPEATABLE_CUBLAS = (":4096:8", ":16:8")  # NVIDIA cuBLAS, "Results reproducibility"; torch accepts no others

Device = Literal["auto", "cpu", "cuda"]
Module = TypeVar("Module", bound=nn.Module)


def execution_device(wanted: Device = "auto", *, index: int = 0) -> torch.device:
    """The CPU, or the GPU of that index; `auto` is a GPU wherever torch can use one.

    Raises ModelError for `cuda` where torch can use no GPU, for an index beyond the last one, and where cuBLAS can no
    longer be made repeatable.
    """
    usable = torch.cuda.is_available()
    if wanted == "cuda" and not usable:
        remedy = "run where there is one, with a torch built for CUDA, or choose device cpu"
        raise ModelError(expected("a GPU that torch can use", got="none", remedy=remedy))
    if wanted == "cpu" or not usable:
        return torch.device("cpu")
    if index >= torch.cuda.device_count():
        remedy = "lower the number of processes, or ask for more GPUs"
        raise ModelError(expected(f"{index + 1} GPUs", got=torch.cuda.device_count(), remedy=remedy))
    make_cublas_repeatable(os.environ, in_use=bool(torch.cuda.is_initialized()))
    return torch.device("cuda", index)


def device_of(module: nn.Module) -> torch.device:
    """Where the module's parameters lie, or else its buffers; the CPU where it has neither."""
    first = next(chain(module.parameters(), module.buffers()), None)
    return torch.device("cpu") if first is None else first.device


def placed(module: Module, device: torch.device) -> Module:
    """The module itself where it lies on `device` already, else a copy of it there."""
    return module if device_of(module) == device else deepcopy(module).to(device)


def on_this_machine(model: LoadedModel) -> LoadedModel:
    """The model where `environment()` says that this machine computes: on its GPU, or else on the CPU."""
    return replace(model, module=placed(model.module, execution_device()))


def make_cublas_repeatable(variables: MutableMapping[str, str], *, in_use: bool) -> None:
    """Sets the variable that cuBLAS reads when it starts; ModelError where it says otherwise, or it is too late."""
    found = variables.get(CUBLAS_VARIABLE)
    if found is None and not in_use:
        variables[CUBLAS_VARIABLE] = REPEATABLE_CUBLAS[0]
    elif found not in REPEATABLE_CUBLAS:
        what = f"{CUBLAS_VARIABLE} {' or '.join(REPEATABLE_CUBLAS)} before CUDA is used"
        remedy = f"start again with {CUBLAS_VARIABLE}={REPEATABLE_CUBLAS[0]}"
        raise ModelError(expected(what, got=repr(found) if found else "none", remedy=remedy))
