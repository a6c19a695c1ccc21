from scipy.stats import binom

from robustcert.report.limits import limits
from tests.report.sample_certificate import Sample


def test_false_certificates_are_bounded_by_the_binomial_quantile(any_sample: Sample) -> None:
    rows = any_sample.certification_rows
    most = int(binom.ppf(0.999, len(rows), 0.001))
    text = " ".join(limits(any_sample.predicate, rows))
    assert (
        f"wrong with probability at most 0.001; of {len(rows)}, at most {most} are, except with probability 0.001"
        in text
    )


def test_votes_that_were_too_close_are_counted(digits: Sample) -> None:
    fragile, votes = sum(row["fragile"] for row in digits.certification_rows), 447 * 10_000
    text = " ".join(limits(digits.predicate, digits.certification_rows)).replace("\N{NARROW NO-BREAK SPACE}", "")
    assert fragile > 0
    assert f"{fragile} of {votes} were closer to a tie than 0.0001" in text


def test_sampling_attacks_and_the_missing_signature_are_named(digits: Sample) -> None:
    text = " ".join(limits(digits.predicate, digits.certification_rows))
    for expected in ("447 test samples for the plain model and 447", "Suite quick@1 has 2 attacks", "is not signed"):
        assert expected in text
