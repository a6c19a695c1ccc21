"""MILP, branch and bound, Marabou and z3 on random networks: `python -m tests.bounds.agreement [NETS]`, 500 by default.

z3 works in exact rationals and decides, Marabou where it is installed. Every decided case must agree: a proof of ours
means that z3 finds nothing, a counterexample of ours that z3 finds one.
"""

from __future__ import annotations

import sys
from collections import Counter
from importlib.util import find_spec

from robustcert.bounds.branch_and_bound import solved_by_branching
from robustcert.bounds.marabou import solved_by_marabou
from robustcert.bounds.milp import solved_by_milp
from tests.bounds.random_queries import random_question
from tests.bounds.z3_oracle import z3_answer

SECONDS = 10.0


def answers(seed: int, *, z3_seconds: float = SECONDS) -> dict[str, str]:
    """What each verifier says of one random question: 4 to 18 ReLUs, one row or two."""
    question = random_question(seed, most_units=4 + seed % 6, rows=1 + seed % 2)
    query = question.query()
    found = {
        "milp": query.checked(solved_by_milp(query, seconds=SECONDS)).answer,
        "branch-and-bound": query.checked(solved_by_branching(query, seconds=SECONDS)).answer,
        "z3": z3_answer(
            question.layers,
            lower=question.lower,
            upper=question.upper,
            rows=question.rows,
            offsets=question.offsets,
            seconds=z3_seconds,
        ),
    }
    if find_spec("maraboupy"):
        found["marabou"] = solved_by_marabou(query, seconds=SECONDS).answer
    return found


def disagreement(found: dict[str, str]) -> bool:
    """Whether one says that there is a counterexample and another that there is none."""
    return {"found", "none"} <= set(found.values())


def main() -> None:
    """Prints how often each verifier gave each answer, and every disagreement; exit 1 where there is one."""
    nets = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    counts: Counter[tuple[str, str]] = Counter()
    wrong = []
    for seed in range(nets):
        found = answers(seed)
        counts.update(found.items())
        if disagreement(found):
            wrong.append((seed, found))
    for (name, answer), count in sorted(counts.items()):
        sys.stdout.write(f"{name:<18} {answer:<6} {count}\n")
    for seed, found in wrong:
        sys.stdout.write(f"net {seed}: {found}\n")
    sys.stdout.write(f"{nets} nets, {len(wrong)} disagreements\n")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
