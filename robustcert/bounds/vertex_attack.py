"""An attack within an l1 ball: every vertex, x with one value moved as far as ball and range allow, is tried.

A linear function is smallest over the ball at a vertex; of a network it is a search, never a proof.

Shapes: N samples, X the shape of one input, V = 2 D vertices.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from robustcert.attacks.fixed_batches import logits_of
from robustcert.bounds.dense import Array
from robustcert.bounds.proof_threat import ProofThreat


def vertex_attack(
    module: nn.Module, x_NX: Array, y_N: NDArray[np.int64], *, threat: ProofThreat
) -> NDArray[np.float32]:
    """For each sample the vertex (float32, inside the ball) where the label's margin is smallest."""
    return np.stack([_weakest(module, x_X, int(y), threat=threat) for x_X, y in zip(x_NX, y_N, strict=True)])


def _weakest(module: nn.Module, x_X: Array, label: int, *, threat: ProofThreat) -> NDArray[np.float32]:
    reach = np.diag(threat.size * threat.scale.ravel())
    moved_VX = x_X + np.concatenate([reach, -reach]).reshape(-1, *x_X.shape)
    points_VX = threat.projected(moved_VX, np.broadcast_to(x_X, moved_VX.shape).copy())
    logits_VK = logits_of(module, torch.from_numpy(points_VX)).double().numpy()
    others_VK = np.delete(logits_VK, label, axis=1)
    margin_V = logits_VK[:, label] - others_VK.max(axis=1)
    return np.asarray(points_VX[int(margin_V.argmin())], np.float32)
