"""FGSM: one step of length epsilon up the gradient (Goodfellow et al. 2015, arXiv:1412.6572, equation in section 4).

Shapes: B batch, X the shape of one input. Under l2 the step goes along the normalised gradient.
"""

from __future__ import annotations

from torch import Tensor, nn

from robustcert.attacks.attack import Aim, AttackResult, Search
from robustcert.attacks.ball import Ball


def fgsm(module: nn.Module, x_BX: Tensor, y_B: Tensor, *, ball: Ball, targets_B: Tensor | None = None) -> AttackResult:
    """Attack each row of x_BX (raw inputs) once; `module` in eval mode maps float32 inputs to logits.

    Untargeted away from y_B, or toward targets_B where given. One gradient and two forward passes a sample.
    """
    search = Search(module, x_BX, Aim(y_B=y_B, targets_B=targets_B), ball=ball)
    rows, region = search.open_rows(), search.region
    x_adv_BX, _ = search.step(rows, region, region.clean_BX, step=ball.epsilon)
    search.confirm(rows, x_adv_BX)
    return search.result()
