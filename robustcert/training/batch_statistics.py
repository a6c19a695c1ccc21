"""BatchNorm over the rows of all processes, so that N processes normalise as one does.

Shapes: B rows of this process, C channels, H height, W width. Ioffe and Szegedy 2015 (arXiv:1502.03167, algorithm 1),
sums taken over all processes forward and backward. torch's SyncBatchNorm needs a GPU; this one runs on gloo as well.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from robustcert.training.world import World


class GlobalBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm2d with the state of another one; in training mode every process of `world` has to call it."""

    def __init__(self, norm: nn.BatchNorm2d, world: World) -> None:
        super().__init__(norm.num_features, eps=norm.eps, momentum=norm.momentum)
        self.load_state_dict(norm.state_dict())
        self._world = world

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Normalised x_BCHW, B may be 0; updates the running statistics in training mode, and uses them in eval."""
        if not self.training:
            return super().forward(x_BCHW)
        rows = x_BCHW.new_full((1,), len(x_BCHW))
        sums = self._total(torch.cat([x_BCHW.sum(dim=(0, 2, 3)), rows]))
        count = int(sums[-1]) * x_BCHW.shape[2] * x_BCHW.shape[3]
        mean_C = sums[:-1] / count
        centred_BCHW = x_BCHW - mean_C[:, None, None]
        variance_C = self._total(centred_BCHW.square().sum(dim=(0, 2, 3))) / count
        self._remember(mean_C.detach(), variance_C.detach(), count=count)
        scale_C = self.weight * torch.rsqrt(variance_C + self.eps)
        return centred_BCHW * scale_C[:, None, None] + self.bias[:, None, None]

    def _total(self, part: Tensor) -> Tensor:
        total: Tensor = _SumOverProcesses.apply(part, self._world)  # type: ignore[no-untyped-call]
        return total

    def _remember(self, mean_C: Tensor, variance_C: Tensor, *, count: int) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean_C, self.momentum)
        self.running_var.lerp_(variance_C * count / max(count - 1, 1), self.momentum)


def with_global_statistics(module: nn.Module, world: World) -> nn.Module:
    """The module with every BatchNorm2d in it replaced; left alone in a world of one process."""
    if world.size > 1:
        for parent in list(module.modules()):
            for name, child in list(parent.named_children()):
                if isinstance(child, nn.BatchNorm2d):
                    setattr(parent, name, GlobalBatchNorm2d(child, world))
    return module


class _SumOverProcesses(torch.autograd.Function):
    """Sum over processes; its gradient is the sum of their gradients, since each process holds a part of the loss."""

    @staticmethod
    def forward(context: Any, part: Tensor, world: World) -> Tensor:
        context.world = world
        total = part.clone()
        world.add_up([total])
        return total

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        total = gradients[0].clone()
        context.world.add_up([total])
        return total, None
