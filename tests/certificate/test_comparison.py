"""Two certificates side by side: counts by hand, p-values by scipy, and certifications of one model that (dis)agree."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from robustcert.certificate.case import Case
from robustcert.certificate.comparison import agreement, holm, paired_outcomes
from robustcert.certificate.verify import read_statement
from robustcert.errors import DataError
from robustcert.smoothing.decisions import looks_of, plans_of
from robustcert.smoothing.group_sequential import decide
from robustcert.specification_file import parse_specification
from tests.chain import Chain, run_chain, small_specification

PARSED = parse_specification(small_specification(), name="small").specification
SPECIFICATION = PARSED.model_copy(update={"threat_models": PARSED.threat_models[:1]})


def stand_in(*, evaluation: list[dict[str, Any]], certification: list[dict[str, Any]], model: str = "m") -> Any:
    """What the comparison reads of a case."""
    return SimpleNamespace(
        specification=SPECIFICATION,
        predicate=SimpleNamespace(model=SimpleNamespace(sha256=model)),
        evaluation_rows=evaluation,
        certification_rows=certification,
    )


def evaluated(outcomes: list[tuple[bool, bool]], *, first_sample: int = 0) -> list[dict[str, Any]]:
    """Rows of samples that are right when clean, and that survive the attack, at every epsilon of the curve."""
    rows = []
    for sample, (right, kept) in enumerate(outcomes, start=first_sample):
        common = {"sample": sample, "input": f"x{sample}", "label": 1, "prediction": 1 if right else 0, "target": None}
        rows.append({**common, "threat": "", "epsilon": "0", "attack": "clean", "adversarial": common["prediction"]})
        for epsilon in ("0.05", "0.1"):
            outcome = {"threat": "linf-0.1", "epsilon": epsilon, "attack": "pgd", "adversarial": 1 if kept else 0}
            rows.append({**common, **outcome})
    return rows


def certified(counts: list[int], *, n: int = 1000, radius: str = "0.2") -> list[dict[str, Any]]:
    """Rows whose candidate 1 got that many of n votes, the rest class 0, none fragile."""
    return [
        {
            "sample": sample, "input": f"x{sample}", "label": 1, "candidate": 1, "n0": 10, "selection": [[1, 10]],
            "selectionFragile": 0, "n": n, "counts": [[0, n - count], [1, count]], "fragile": 0,
            "decision": "certified", "radius": radius,
        }
        for sample, count in enumerate(counts)
    ]  # fmt: skip


def case_of(chain: Chain) -> Case:
    statement = read_statement(chain.files.certificate.read_bytes(), key=chain.key)
    return Case(statement, chain.files, datetime.now(UTC))


def test_counts_pair_samples_and_p_is_scipys() -> None:
    kinds = [(True, True)] * 5 + [(True, False)] * 9 + [(False, True)] * 2 + [(False, False)] * 4
    one = stand_in(evaluation=evaluated([(a, a) for a, _ in kinds]), certification=certified([900] * 20))
    other = stand_in(evaluation=evaluated([(b, b) for _, b in kinds]), certification=certified([900] * 20, radius="0"))
    found = {pair.metric: pair for pair in paired_outcomes(one, other)}
    clean = found["clean_accuracy"]
    assert (clean.both, clean.first_only, clean.second_only, clean.neither) == (5, 9, 2, 4)
    assert clean.p == pytest.approx(5 * stats.binomtest(2, 11, 0.5).pvalue)  # the second smallest of 6
    assert float(clean.lower) < (9 - 2) / 20 < float(clean.upper)
    radius = found["certified_accuracy radius 0.1"]
    assert (radius.both, radius.first_only, radius.second_only) == (0, 20, 0)
    assert radius.p == pytest.approx(6 * stats.binomtest(0, 20, 0.5).pvalue)


def test_only_common_samples_count() -> None:
    one = stand_in(evaluation=evaluated([(True, True)] * 6), certification=certified([900] * 6))
    other = stand_in(evaluation=evaluated([(True, True)] * 6, first_sample=4), certification=certified([900] * 6))
    assert paired_outcomes(one, other)[0].of == 2


def test_samples_of_other_data_are_refused() -> None:
    one = stand_in(evaluation=evaluated([(True, True)] * 2), certification=certified([900] * 2))
    rows = [{**row, "input": "y"} for row in evaluated([(True, True)] * 2)]
    with pytest.raises(DataError, match="samples that both certificates are about, got none among 2 and 2"):
        paired_outcomes(one, stand_in(evaluation=rows, certification=certified([900] * 2)))


def test_metrics_measured_in_different_ways_are_left_out() -> None:
    rows = {"evaluation": evaluated([(True, True)] * 2), "certification": certified([900] * 2)}
    other = stand_in(**rows)
    certification = SPECIFICATION.certification.model_copy(update={"unit": "1/255"})
    other.specification = SPECIFICATION.model_copy(update={"certification": certification})
    names = [pair.metric for pair in paired_outcomes(stand_in(**rows), other)]
    assert not [name for name in names if name.startswith("certified")]
    assert [name for name in names if name.startswith("accuracy_under_attack")]


def test_holm_equals_its_definition_and_controls_false_findings() -> None:
    """2,000 families of 10 true nulls: at level 0.05, at most 5 % (4 standard errors) have any finding."""
    generator = np.random.default_rng(1)
    families = generator.uniform(size=(2000, 10))
    found = np.mean([min(holm(list(family))) <= 0.05 for family in families])
    assert found <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 2000)
    assert holm([]) == []


def test_a_certificate_agrees_with_itself(chain: Chain) -> None:
    found = agreement(case_of(chain), case_of(chain))
    assert (found.identical, found.other_decisions, found.largest_radius_difference) == (found.samples, 0, "0.000000")
    assert found.holds


def test_fragile_votes_explain_a_difference_and_more_is_tested() -> None:
    one, near, far = (stand_in(evaluation=[], certification=certified(c)) for c in ([700], [701], [400]))
    one.certification_rows[0] |= {"counts": [[0, 299], [1, 700]], "fragile": 1}
    assert agreement(one, near).within_fragile_votes == 1
    found = agreement(one, far)
    table = [[700, 300], [400, 600]]
    assert found.smallest_p == pytest.approx(stats.fisher_exact(table).pvalue)
    assert not found.holds


def test_independent_certifications_of_one_classifier_agree() -> None:
    """40 pairs of certifications with equal vote shares: at level 0.001 none of them should disagree."""
    generator = np.random.default_rng(2)
    share = generator.uniform(0.5, 1, size=50)
    for _ in range(40):
        one, other = (certified([int(generator.binomial(1000, p)) for p in share]) for _ in range(2))
        found = agreement(*(stand_in(evaluation=[], certification=rows) for rows in (one, other)))
        assert found.holds
        assert found.identical < 50


def test_two_models_have_no_agreement() -> None:
    one = stand_in(evaluation=[], certification=certified([1]))
    with pytest.raises(DataError, match="two certificates of one model"):
        agreement(one, stand_in(evaluation=[], certification=certified([1]), model="n"))


def test_no_common_row_is_refused() -> None:
    with pytest.raises(DataError, match="samples that both certificates are about, got none"):
        agreement(*(stand_in(evaluation=[], certification=rows) for rows in (certified([1]), [])))


def test_two_real_models_are_compared_on_all_their_samples(chain: Chain, tmp_path: Path) -> None:
    text = small_specification(model={"architecture": "mlp", "hidden": [8]})
    other = run_chain(tmp_path, specification=text)
    outcomes = paired_outcomes(case_of(chain), case_of(other))
    clean = outcomes[0]
    rates = [item.predicate.results.clean_accuracy for item in (chain, other)]
    assert [clean.both + clean.first_only, clean.both + clean.second_only] == [rate.count for rate in rates]
    assert clean.of == rates[0].of
    under = {
        (part.threat_model, part.epsilon): part.accuracy.count for part in chain.predicate.results.accuracy_under_attack
    }
    for found in outcomes:
        if found.metric.startswith("accuracy_under_attack"):
            _, threat, _, epsilon = found.metric.split()
            assert found.both + found.first_only == under[threat, epsilon]


def test_rows_that_stop_at_looks_are_tested_as_if_at_every_pair_of_them() -> None:
    one, far = (stand_in(evaluation=[], certification=certified(c)) for c in ([700], [400]))
    sequential = SPECIFICATION.certification.model_copy(update={"method": "group-sequential", "n": 1000})
    for case in (one, far):
        case.specification = SPECIFICATION.model_copy(update={"certification": sequential})
    number = len(looks_of(sequential))
    plain = stats.fisher_exact([[700, 300], [400, 600]]).pvalue
    assert number > 10
    assert agreement(one, far).smallest_p == pytest.approx(number**2 * plain)
    near = stand_in(evaluation=[], certification=certified([650]))
    near.specification = one.specification
    assert agreement(one, near).smallest_p == 1


def test_radii_of_different_norms_are_not_compared() -> None:
    rows = {"evaluation": evaluated([(True, True)] * 2), "certification": certified([900] * 2)}
    other = stand_in(**rows)
    uniform = SPECIFICATION.certification.model_copy(update={"noise": "uniform"})
    other.specification = SPECIFICATION.model_copy(update={"certification": uniform})
    names = [pair.metric for pair in paired_outcomes(stand_in(**rows), other)]
    assert not [name for name in names if name.startswith("certified")]


def test_independent_group_sequential_certifications_of_one_classifier_agree() -> None:
    """Paths of equal probabilities, most of them near a target, stop at different looks: none of 40 pairs disagrees."""
    certification = SPECIFICATION.certification.model_copy(update={"method": "group-sequential", "n": 2000})
    written = SPECIFICATION.model_copy(update={"certification": certification})
    generator, at, plans = np.random.default_rng(3), looks_of(certification), plans_of(certification)

    def row(sample: int, share: float) -> dict[str, Any]:
        failures = np.cumsum(generator.binomial(np.diff((0, *at)), 1 - share)).tolist()
        last = next(look for look in range(1, len(at) + 1) if decide(plans, failures[:look]).decided)
        lost, n = failures[last - 1], at[last - 1]
        counts = [[label, votes] for label, votes in ((0, lost), (1, n - lost)) if votes]
        return certified([1])[0] | {"sample": sample, "input": f"x{sample}", "n": n, "counts": counts}

    for _ in range(40):
        share = generator.uniform(0.5, 1, size=20)
        sides = [[row(sample, p) for sample, p in enumerate(share)] for _ in range(2)]
        assert any(one["n"] != other["n"] for one, other in zip(*sides, strict=True))
        cases = [stand_in(evaluation=[], certification=rows) for rows in sides]
        for case in cases:
            case.specification = written
        assert agreement(*cases).holds
