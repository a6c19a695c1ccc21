"""Batch norms in eval mode folded into the convolution or linear layer before them: one layer less to compute.

The function is the same in real numbers, not in floating point: certification folds only where the specification
declares another arithmetic than the model's own (`robustcert.models.precision`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

NORMS: dict[type[nn.Module], type[nn.Module]] = {
    nn.Conv1d: nn.BatchNorm1d, nn.Conv2d: nn.BatchNorm2d, nn.Conv3d: nn.BatchNorm3d, nn.Linear: nn.BatchNorm1d
}  # fmt: skip


def folded(module: nn.Module) -> nn.Module:
    """`module`, changed in place: batch norms that alone use the output of a layer become part of that layer.

    A module that torch.fx can't trace is left as it is; so are layers that are called more than once or have hooks.
    """
    for layer, norm in list(_pairs(module)):
        before, after = module.get_submodule(layer), module.get_submodule(norm)
        if _foldable(before, after):
            _fold(before, after)
            parent, _, child = norm.rpartition(".")
            setattr(module.get_submodule(parent), child, nn.Identity())
    return module


def _pairs(module: nn.Module) -> Iterator[tuple[str, str]]:
    """Names of layers and of the norms that are the only ones to use their outputs."""
    try:
        nodes = list(fx.Tracer().trace(module).nodes)
    except Exception:  # noqa: BLE001 - a tracer runs the model's own code: whatever fails, nothing is folded
        return
    calls = Counter(node.target for node in nodes if node.op == "call_module")
    for node in nodes:
        before = node.args[0] if node.op == "call_module" and node.args else None
        if not isinstance(before, fx.Node) or before.op != "call_module" or len(before.users) != 1:
            continue
        if calls[before.target] == calls[node.target] == 1:
            yield str(before.target), str(node.target)


def _foldable(before: nn.Module, after: nn.Module) -> bool:
    norm = NORMS.get(type(before))
    hooked = any(part._forward_hooks or part._forward_pre_hooks for part in (before, after))
    running = getattr(after, "running_var", None) is not None
    return norm is not None and type(after) is norm and running and not after.training and not hooked


def _fold(before: nn.Module, after: nn.Module) -> None:
    fuse = fuse_linear_bn_eval if isinstance(before, nn.Linear) else fuse_conv_bn_eval
    fused = fuse(before, after)  # type: ignore[type-var, arg-type]
    before.weight, before.bias = fused.weight, fused.bias
