"""Every planted fault is found by the check that is named after it, and an honest log has none; published figures."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from robustcert.audit.audit import LIMITS, Audit, audit
from robustcert.audit.claim import Claim, parse_curve, parse_ids
from robustcert.audit.log import LogForm
from robustcert.errors import InputError
from tests.audit.conftest import ALPHA, HEADER, SIGMA, Log, N, true_radius

PUBLISHED = Path(__file__).parent / "published_radii.json"
CLAIM = Claim(sigma=SIGMA, alpha=ALPHA, n=N, samples=300, ids=parse_ids("0:6000:20"))


def wrong(found: Audit) -> set[str]:
    return {finding.check for finding in found.findings if finding.status == "WRONG"}


def certified_line(log: Log, number: int = 0) -> list:
    return [line for line in log.lines if line[2] == line[1] and 0.5 < float(line[3]) < 1.5][number]


def abstention(log: Log) -> list:
    return next(line for line in log.lines if line[2] == -1)


def doubled(log: Log) -> None:
    log.lines[7] = list(log.lines[5])


def shortened(log: Log) -> None:
    del log.lines[-1]


def foreign(log: Log) -> None:
    log.lines[3][0] = 61


def copied(log: Log) -> None:
    for offset in range(20):
        log.lines[200 + offset][1:] = log.lines[50 + offset][1:]


def beyond(log: Log) -> None:
    certified_line(log)[3] = "1.92"


def rounded_up(log: Log) -> None:
    """The second largest attainable radius, printed with the last place raised instead of rounded."""
    certified_line(log)[3] = f"{true_radius(1) + 0.01:.3}"


def invented(log: Log) -> None:
    certified_line(log)[3] = f"{(true_radius(0) + true_radius(1)) / 2:.3}"


def lucky_abstention(log: Log) -> None:
    abstention(log)[4] = 1


def certain_abstention(log: Log) -> None:
    abstention(log)[3] = "0.2"


def not_a_number(log: Log) -> None:
    certified_line(log)[3] = "nan"


def infinite(log: Log) -> None:
    certified_line(log)[3] = "inf"


def negative(log: Log) -> None:
    certified_line(log)[3] = "-0.25"


def called_right(log: Log) -> None:
    next(line for line in log.lines if line[2] not in (-1, line[1]))[4] = 1


FAULTS: dict[str, tuple[Callable[[Log], None], set[str]]] = {
    "a row twice": (doubled, {"duplicated rows", "sample ids"}),
    "a row left out": (shortened, {"row count", "sample ids"}),
    "an id that was not claimed": (foreign, {"sample ids"}),
    "rows copied under other ids": (copied, {"copied rows"}),
    "a radius beyond the largest": (beyond, {"radius cap"}),
    "a radius rounded up": (rounded_up, {"radii attainable"}),
    "a radius that no count gives": (invented, {"radii attainable"}),
    "an abstention called correct": (lucky_abstention, {"abstentions"}),
    "an abstention with a radius": (certain_abstention, {"abstentions"}),
    "NaN": (not_a_number, {"numbers"}),
    "infinity": (infinite, {"numbers"}),
    "a negative radius": (negative, {"numbers"}),
    "a wrong correct column": (called_right, {"correct column"}),
}


@pytest.mark.parametrize("seed", range(5))
def test_an_honest_log_has_nothing_wrong(clean_log: Callable[..., Log], seed: int) -> None:
    found = audit([clean_log(seed=seed).write()], claims=[CLAIM])
    assert wrong(found) == set()
    assert {finding.check for finding in found.findings if finding.status == "cannot tell"} == {
        *(name for name, _ in LIMITS), "one sigma", "votes", "claimed curve",
    }  # fmt: skip


@pytest.mark.parametrize(("spoil", "checks"), FAULTS.values(), ids=FAULTS.keys())
def test_a_planted_fault_is_found_by_its_named_check(
    clean_log: Callable[..., Log], spoil: Callable[[Log], None], checks: set[str]
) -> None:
    log = clean_log()
    spoil(log)
    assert wrong(audit([log.write()], claims=[CLAIM])) == checks


def test_rows_of_another_sigma_are_found_by_the_column_that_says_so(clean_log: Callable[..., Log]) -> None:
    log = clean_log()
    log.header = (*HEADER, "sigma")
    log.lines = [[*line, SIGMA] for line in log.lines]
    assert wrong(audit([log.write()], claims=[CLAIM])) == set()
    log.lines[9][-1] = 0.25
    assert wrong(audit([log.write()], claims=[CLAIM])) == {"one sigma"}
    assert wrong(audit([log.write()], claims=[replace(CLAIM, sigma=None)])) == {"one sigma"}


def curve_of(log: Log, radius: float, *, of: int | None = None) -> float:
    right = sum(line[2] == line[1] and float(line[3]) >= radius for line in log.lines)
    return right / (of or len(log.lines))


def claimed(log: Log, curve: str) -> set[str]:
    return wrong(audit([log.write()], claims=[replace(CLAIM, curve=parse_curve(curve))]))


def test_a_curve_that_follows_is_fine_and_one_that_rises_or_exceeds_is_not(clean_log: Callable[..., Log]) -> None:
    log = clean_log()
    low, high = curve_of(log, 0.25), curve_of(log, 1.0)
    assert claimed(log, f"0.25={low:.3f},1={high:.3f}") == set()
    assert claimed(log, f"0.25={low - 0.02:.3f},1={high:.3f}") == set()
    assert claimed(log, f"0.25={low + 0.002:.3f},1={high:.3f}") == {"curve follows"}
    assert claimed(log, f"0.25={high - 0.01:.3f},1={high:.3f}") == {"curve falls"}


def test_a_curve_without_abstentions_in_its_denominator_is_explained(clean_log: Callable[..., Log]) -> None:
    log = clean_log()
    answered = sum(line[2] != -1 for line in log.lines)
    curve = ",".join(f"{radius}={curve_of(log, radius, of=answered):.4f}" for radius in (0.25, 0.5))
    found = audit([log.write()], claims=[replace(CLAIM, curve=parse_curve(curve))])
    message = next(finding.message for finding in found.findings if finding.check == "curve follows")
    assert message.endswith("explained where abstentions are left out of the denominator")


def test_the_best_of_several_sigmas_at_each_radius_is_found(clean_log: Callable[..., Log]) -> None:
    logs = [clean_log(seed=seed, sigma=sigma) for seed, sigma in ((1, 0.25), (2, 1.0))]
    for line in logs[1].lines[::2]:  # the larger noise costs accuracy
        line[2:] = [-1, "0.0", 0, "0:00:14"]
    paths = [log.write(f"{number}.tsv") for number, log in enumerate(logs)]
    best = ",".join(f"{radius}={max(curve_of(log, radius) for log in logs):.4f}" for radius in (0, 0.1, 1.5))
    single = ",".join(f"{radius}={curve_of(logs[1], radius):.4f}" for radius in (0, 0.1, 1.5))
    for curve, checks in ((best, {"one sigma per curve"}), (single, set())):
        claims = [replace(CLAIM, sigma=sigma, curve=parse_curve(curve)) for sigma in (0.25, 1.0)]
        assert wrong(audit(paths, claims=claims)) == checks


def test_one_log_under_two_names_is_found(clean_log: Callable[..., Log]) -> None:
    log = clean_log()
    paths = [log.write("a.tsv"), log.write("b.tsv")]
    assert wrong(audit(paths, claims=[CLAIM, CLAIM])) == {"different logs"}


def test_without_a_claim_little_can_be_told_and_nothing_is_invented(clean_log: Callable[..., Log]) -> None:
    log = clean_log()
    beyond(log)
    found = audit([log.write()], claims=[Claim()])
    assert wrong(found) == set()
    assert [finding.status for finding in found.findings if finding.check == "radius cap"] == ["cannot tell"]


def test_columns_of_other_names_are_mapped(clean_log: Callable[..., Log]) -> None:
    log = clean_log()
    log.header, log.delimiter = ("sample", "y", "answer", "r", "ok", "t"), ","
    lucky_abstention(log)
    for line in log.lines:
        line[2] = "none" if line[2] == -1 else line[2]
    columns = {"idx": "sample", "label": "y", "predict": "answer", "radius": "r", "correct": "ok"}
    claim = replace(CLAIM, n=None)
    assert wrong(audit([log.write()], claims=[claim], form=LogForm(columns=columns, abstention="none"))) == {
        "abstentions"
    }


def test_one_claim_is_needed_for_each_log(clean_log: Callable[..., Log]) -> None:
    with pytest.raises(InputError, match="expected one claim for each log, got 1 for 2"):
        audit([clean_log().write()] * 2, claims=[CLAIM])


@pytest.mark.parametrize(
    ("sigma", "published", "exact", "average"),
    [
        ("0.25", "0.25=.60,0.5=.43,0.75=.27", (0.600, 0.428, 0.266), "0.4288"),
        (
            "0.50",
            "0.25=.55,0.5=.41,0.75=.32,1=.23,1.25=.15,1.5=.09",
            (0.546, 0.414, 0.320, 0.234, 0.152, 0.094),
            "0.5375",
        ),
        (
            "1.00",
            "0.25=.39,0.5=.34,0.75=.28,1=.22,1.25=.17,1.5=.14",
            (0.392, 0.340, 0.278, 0.216, 0.174, 0.140),
            "0.5416",
        ),
    ],
)
def test_published_curves_of_cohen_et_al_follow_from_their_published_radii(
    tmp_path: Path, sigma: str, published: str, exact: tuple[float, ...], average: str
) -> None:
    """Radii of github.com/locuslab/smoothing, data/certify/cifar10; its README names n = 100000.

    The largest of them need alpha 0.01: with 0.001, 100000 unanimous votes give 3.8115 sigma, and 3.91 are printed.
    """
    log = published_log(tmp_path, sigma)
    claim = Claim(
        sigma=float(sigma),
        alpha=0.01,
        n=100_000,
        samples=500,
        ids=parse_ids("0:10000:20"),
        curve=parse_curve(published),
    )
    found = audit([log.write()], claims=[claim])
    assert wrong(found) == set()
    table = found.tables[0][1]
    assert tuple(float(point.rate.estimate) for point in table.curve) == exact
    assert table.average_radius.startswith(average)
    assert "radii attainable" in wrong(audit([log.write()], claims=[replace(claim, alpha=0.001)]))


def published_log(folder: Path, sigma: str) -> Log:
    """A log with the published radii; labels and the order of rows are made up."""
    told = json.loads(PUBLISHED.read_text())[sigma]
    right, false = told["right"].split(), told["wrong"].split()
    assert len(right) + len(false) + told["abstained"] == told["rows"] == 500
    outcomes = [(1, radius, 1) for radius in right] + [(2, radius, 0) for radius in false]
    outcomes += [(-1, "0.0", 0)] * told["abstained"]
    return Log(
        [[20 * place, 1, predicted, radius, ok, 0] for place, (predicted, radius, ok) in enumerate(outcomes)],
        folder=folder,
    )


def test_the_alpha_that_would_fit_is_named(tmp_path: Path) -> None:
    claim = Claim(sigma=0.25, alpha=0.001, n=100_000)
    found = audit([published_log(tmp_path, "0.25").write()], claims=[claim])
    message = next(finding.message for finding in found.findings if finding.check == "radius cap")
    assert message.endswith("every radius would fit alpha 0.01 with these n and sigma")
    assert Decimal(found.tables[0][1].average_radius) == Decimal("0.428883")
