"""PGD: projected gradient ascent (Madry et al. 2018, arXiv:1706.06083, section 2.1), with restarts.

The first one starts at x itself, the others at random points: an l2 ascent of this length from a random point can end
short of the smallest adversarial distance even of a linear model, which one from x does not.

Shapes: B batch, X the shape of one input, R the rows still searched. Starts are keyed by (seed, sample id, restart) and
gradients taken in fixed padded batches: a sample's result depends on neither batch size, order nor sharding.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from robustcert.attacks.attack import Aim, AttackResult, Search
from robustcert.attacks.ball import Ball
from robustcert.attacks.random_starts import random_starts

RELATIVE_STEP = 2.5


def pgd(
    module: nn.Module,
    x_BX: Tensor,
    y_B: Tensor,
    *,
    ball: Ball,
    steps: int,
    restarts: int,
    sample_ids: Sequence[int],
    seed: int,
    step_size: float | None = None,
    targets_B: Tensor | None = None,
) -> AttackResult:
    """Attack each row of x_BX (raw inputs); `module` in eval mode maps float32 inputs to logits.

    Untargeted away from y_B, or toward targets_B where given. `step_size` is in units of the ball's scale, 2.5
    epsilon / steps by default. A row leaves the search once it is broken. At most `steps * restarts` gradients each.
    """
    step = step_size_of(ball, steps=steps) if step_size is None else step_size
    search = Search(module, x_BX, Aim(y_B=y_B, targets_B=targets_B), ball=ball)
    for restart in range(restarts):
        rows = search.open_rows()
        if not len(rows):
            break
        start_RX = search.region.clean_BX[rows]
        if restart > 0:
            ids = [sample_ids[row] for row in rows]
            start_RX = search.region.rows(rows).displaced(
                random_starts(ball, sample_ids=ids, restart=restart, seed=seed)
            )
        climb(search, rows, start_RX, steps=steps, step=step)
    return search.result()


def step_size_of(ball: Ball, *, steps: int) -> float:
    """2.5 epsilon / steps: long enough to cross the ball and to come back (Madry et al. 2018)."""
    return RELATIVE_STEP * ball.epsilon / steps


def climb(search: Search, rows: Tensor, x_adv_RX: Tensor, *, steps: int, step: float) -> None:
    """`steps` steps from x_adv_RX on these rows; a row that is broken takes no further part."""
    region = search.region.rows(rows)
    for _ in range(steps):
        if not len(rows):
            return
        next_RX, reached_R = search.step(rows, region, x_adv_RX, step=step)
        if bool(reached_R.any()):
            open_R = ~_confirmed(search, rows, x_adv_RX, reached_R)
            rows, region, next_RX = rows[open_R], region.rows(open_R), next_RX[open_R]
        x_adv_RX = next_RX
    search.confirm(rows, x_adv_RX)


def _confirmed(search: Search, rows: Tensor, x_adv_RX: Tensor, reached_R: Tensor) -> Tensor:
    confirmed_R = reached_R.clone()
    confirmed_R[reached_R] = search.confirm(rows[reached_R], x_adv_RX[reached_R])
    return confirmed_R
