from robustcert.report.provenance_lines import MOST_SPECIFICATION, provenance_lines
from tests.report.sample_certificate import Sample


def test_every_digest_that_the_certificate_names_is_listed(any_sample: Sample) -> None:
    predicate = any_sample.predicate
    lines = provenance_lines(predicate, certificate_sha256="c" * 64)
    digests = [digest for _, digest in lines.digests]
    expected = {
        "c" * 64,
        predicate.model.sha256,
        predicate.specification.sha256,
        predicate.specification.canonical_sha256,
        predicate.data.source_sha256,
        predicate.data.file_sha256,
        predicate.data.merkle_root,
        *(split.merkle_root for split in predicate.data.splits.values()),
        predicate.data.validation_report_sha256,
        *(part.evidence.sha256 for part in (predicate.certification, predicate.evaluation)),
        *(part.evidence.merkle_root for part in (predicate.certification, predicate.evaluation)),
        predicate.evaluation.adversarials_sha256,
        predicate.evaluation.suite_sha256,
        *predicate.supersedes,
    }
    assert set(digests) == expected
    assert len(digests) == len(expected)


def test_parameters_name_model_smoothing_and_every_attack(digits: Sample) -> None:
    lines = dict(provenance_lines(digits.predicate, certificate_sha256="").parameters)
    assert lines["Model architecture"] == "mlp"
    assert lines["Model parameters.hidden"] == "64, 64"
    found = digits.predicate.certification
    assert lines["Smoothing sigma"] == f"{found.sigma} ({found.unit})"
    assert lines["Smoothing votes"] == f"n0 {found.n0}, n {found.n}, alpha {found.alpha}"
    assert "key0 12107362148316251003" in lines["Noise"]
    for attack in digits.predicate.evaluation.attacks:
        expected = ", ".join(f"{name} {value}" for name, value in sorted(attack.parameters.items()))
        assert lines[f"Attack {attack.id}"] == (expected or "no parameters")


def test_the_environment_is_listed_with_paths(digits: Sample) -> None:
    lines = dict(provenance_lines(digits.predicate, certificate_sha256="").environment)
    assert (lines["python"], lines["packages.torch"], lines["device"]) == ("3.11.9", "2.13.0", "cpu")


def test_the_specification_is_given_word_for_word_unless_it_is_huge(digits: Sample) -> None:
    text = digits.predicate.specification.text
    assert provenance_lines(digits.predicate, certificate_sha256="").specification == text
    huge = digits.predicate.specification.model_copy(update={"text": "x" * (MOST_SPECIFICATION + 7)})
    lines = provenance_lines(digits.predicate.model_copy(update={"specification": huge}), certificate_sha256="")
    assert lines.specification.endswith("… (7 more characters)")
