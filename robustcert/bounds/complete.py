"""Which exact verifier answers a query: branch and bound for a while, then MILP, then branch and bound again.

Branch and bound was measured to decide digits networks of 64 ReLUs in 0.3 of the time of MILP; networks whose many
units hardly interact, such as one with a planted spike, take MILP seconds where branch and bound does not end.
"""

from __future__ import annotations

import time
from typing import Literal

from robustcert.bounds.branch_and_bound import Search
from robustcert.bounds.dense_linear import Weights
from robustcert.bounds.milp import root_bounds, solved_by_milp
from robustcert.bounds.query import Outcome, Query
from robustcert.errors import ValidityError, expected

MILP_UNSTABLE = 400  # more undecided ReLUs are left to branch and bound
FIRST_SHARE = 0.1
MILP_SHARE = 0.5

CompleteStage = Literal["milp", "branch-and-bound"]


def decided(query: Query, *, seconds: float) -> tuple[Outcome, CompleteStage]:
    """The answer within `seconds`, and which verifier gave it; `open` where none did."""
    end, search, with_milp = time.monotonic() + seconds, Search(query), suits_milp(query)
    found = query.checked(search.run(seconds=FIRST_SHARE * seconds if with_milp else seconds))
    if found.answer != "open" or not with_milp:
        return found, "branch-and-bound"
    found = stronger(found, query.checked(solved_by_milp(query, seconds=MILP_SHARE * seconds)))
    if found.answer != "open" or time.monotonic() >= end:
        return found, "milp"
    return stronger(found, query.checked(search.run(seconds=end - time.monotonic()))), "branch-and-bound"


def suits_milp(query: Query) -> bool:
    """Whether linear programs describe the set, and few enough ReLUs are undecided."""
    relaxed, _ = root_bounds(query, Weights.of(query.network))
    unstable = sum(int(relaxation.unstable.sum()) for relaxation in relaxed)
    return query.region.complete and unstable <= MILP_UNSTABLE


def stronger(first: Outcome, second: Outcome) -> Outcome:
    """The second verifier's answer with the better bound; ValidityError where they exclude each other."""
    if {first.answer, second.answer} == {"none", "found"}:
        got = f"{first.answer} (bound {first.bound:.6g}) and {second.answer} (bound {second.bound:.6g})"
        remedy = "use neither answer, and report this as a soundness bug"
        raise ValidityError(expected("two exact verifiers that agree", got=got, remedy=remedy))
    bound = max(first.bound, second.bound)
    return Outcome(answer=second.answer, bound=bound, steps=first.steps + second.steps, witness=second.witness)
