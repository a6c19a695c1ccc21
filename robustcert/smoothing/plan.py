"""The plan of a certification: into which blocks the samples are cut, and which shard certifies which blocks.

A block is the same for every number of shards, so that its rows, once they are in the store, serve every plan. The plan
holds the digests of what it was made for, and is checked against them and against the planned samples when it is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from heapq import heapify, heapreplace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from robustcert.document import IssuedPart, Sha256
from robustcert.errors import DataError, InputError, expected

MOST_NAMED = 5
REMEDY = "run certification_plan again"

Natural = Annotated[int, Field(ge=0)]


class PlannedBlock(IssuedPart):
    """Samples that are certified together; `cost` is the draws still to be made, 0 where the store holds the rows."""

    samples: Annotated[tuple[int, ...], Field(min_length=1)]
    cost: Natural


class PlanSubject(IssuedPart):
    """What a plan is for."""

    specification_sha256: Sha256
    dataset_sha256: Sha256
    model_sha256: Sha256


class CertificationPlan(IssuedPart):
    """The document plan.json; each shard lists places in `blocks`."""

    schema_version: Literal["1"]
    subject: PlanSubject
    blocks: tuple[PlannedBlock, ...]
    shards: Annotated[tuple[tuple[Natural, ...], ...], Field(min_length=1)]

    @property
    def shard_names(self) -> list[str]:
        """`1/k` to `k/k`."""
        return [f"{number}/{len(self.shards)}" for number in range(1, len(self.shards) + 1)]

    def blocks_of(self, shard: str) -> list[tuple[int, ...]]:
        """The blocks of shard `i/k`; DataError for a name that is none of this plan's."""
        if shard not in self.shard_names:
            what = f"one of the plan's shards, {self.shard_names[0]} to {self.shard_names[-1]}"
            raise DataError(expected(what, got=repr(shard[:40]), remedy="use the plan that named the shard"))
        return [self.blocks[place].samples for place in sorted(self.shards[self.shard_names.index(shard)])]


def make_plan(
    subject: PlanSubject, blocks: Sequence[Sequence[int]], *, costs: Sequence[int], shards: int
) -> CertificationPlan:
    """A plan with `shards` shards, or as many as there are blocks if these are fewer; InputError for less than one."""
    if shards < 1:
        raise InputError(expected("at least 1 shard", got=shards, remedy="ask for more"))
    return CertificationPlan(
        schema_version="1",
        subject=subject,
        blocks=tuple(PlannedBlock(samples=tuple(block), cost=cost) for block, cost in zip(blocks, costs, strict=True)),
        shards=assigned(costs, shards=max(1, min(shards, len(blocks)))),
    )


def assigned(costs: Sequence[int], *, shards: int) -> tuple[tuple[int, ...], ...]:
    """Places of `costs` for each shard, longest processing time first: each goes where least is to be done so far.

    At most 4/3 - 1/(3 shards) of the shortest makespan (Graham 1969, theorem 2). No shard is empty where there are as
    many costs as shards.

    >>> assigned([3, 3, 2, 2, 2], shards=2)
    ((0, 2, 4), (1, 3))
    """
    loads = [(0, 0, number) for number in range(shards)]
    heapify(loads)
    places: list[list[int]] = [[] for _ in range(shards)]
    for place in sorted(range(len(costs)), key=lambda place: (-costs[place], place)):
        load, count, number = loads[0]
        places[number].append(place)
        heapreplace(loads, (load + costs[place], count + 1, number))
    return tuple(tuple(sorted(found)) for found in places)


def read_plan(path: Path, *, subject: PlanSubject, planned: Sequence[int]) -> CertificationPlan:
    """The plan in a file; DataError unless it is for this subject and has each planned sample in one shard."""
    try:
        plan = CertificationPlan.model_validate_json(path.read_bytes())
    except ValidationError as error:
        got = f"something else ({error.errors()[0]['msg']})"
        raise DataError(expected(f"a certification plan in {path.name}", got=got, remedy=REMEDY)) from error
    _refuse_foreign(plan, subject)
    samples = [sample for block in plan.blocks for sample in block.samples]
    _refuse_difference("block", [place for shard in plan.shards for place in shard], range(len(plan.blocks)))
    _refuse_difference("planned sample", samples, planned)
    if samples != list(planned):
        raise DataError(expected("ascending samples in the plan", got="another order", remedy=REMEDY))
    return plan


def _refuse_foreign(plan: CertificationPlan, subject: PlanSubject) -> None:
    found, wanted = plan.subject.model_dump(), subject.model_dump()
    other = [name.removesuffix("_sha256") for name in wanted if found[name] != wanted[name]]
    if other:
        got = f"a plan for another {' and '.join(other)}"
        raise DataError(
            expected("a plan for this specification, data set and model", got=got, remedy="use the run's own plan")
        )


def _refuse_difference(what: str, found: Sequence[int], wanted: Sequence[int]) -> None:
    counted, needed = Counter(found), set(wanted)
    missing = sorted(needed - counted.keys())[:MOST_NAMED]
    foreign = sorted(counted.keys() - needed)[:MOST_NAMED]
    double = sorted(number for number, count in counted.items() if count > 1)[:MOST_NAMED]
    if missing or foreign or double:
        got = f"missing {missing}, foreign {foreign}, double {double}"
        raise DataError(expected(f"each {what} once in the plan", got=got, remedy=REMEDY))
