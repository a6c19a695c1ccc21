from scipy.stats import binom

from robustcert.report.limits import limits
from tests.report.sample_certificate import Sample


def test_false_certificates_are_bounded_by_the_binomial_quantile(any_sample: Sample) -> None:
    rows, alpha = any_sample.certification_rows, any_sample.predicate.certification.alpha
    most = int(binom.ppf(0.999, len(rows), float(alpha)))
    text = " ".join(limits(any_sample.predicate, rows))
    assert (
        f"wrong with probability at most {alpha}; of {len(rows)}, at most {most} are, except with probability 0.001"
        in text
    )


def test_votes_that_were_too_close_are_counted(digits: Sample) -> None:
    fragile, votes = sum(row["fragile"] for row in digits.certification_rows), votes_of(digits)
    text = " ".join(limits(digits.predicate, digits.certification_rows)).replace("\N{NARROW NO-BREAK SPACE}", "")
    assert fragile > 0
    assert f"{fragile} of {votes} were closer to a tie than 0.0001" in text


def test_sampling_attacks_and_the_missing_signature_are_named(digits: Sample) -> None:
    text = " ".join(limits(digits.predicate, digits.certification_rows))
    of, suite = digits.predicate.results.clean_accuracy.of, digits.predicate.evaluation
    attacks = f"Suite {suite.suite} has {len(suite.attacks)} attacks"
    for expected in (f"{of} test samples for the plain model and {of}", attacks, "is not signed"):
        assert expected in text


def votes_of(sample: Sample) -> int:
    return len(sample.certification_rows) * sample.predicate.certification.n
