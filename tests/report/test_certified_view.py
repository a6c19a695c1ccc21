from robustcert.report.certified_view import certified_view
from tests.report.sample_certificate import Sample


def test_there_is_a_line_for_every_radius_of_the_specification(any_sample: Sample) -> None:
    view = certified_view(any_sample.predicate, any_sample.dataset, any_sample.certification_rows)
    assert tuple(line.radius for line in view.lines) == any_sample.predicate.certification.radii
    for line, part in zip(view.lines, any_sample.predicate.results.certified_accuracy, strict=True):
        assert line.accuracy == part.accuracy
        assert line.simultaneous == part.simultaneous_count


def test_the_confidence_of_all_certificates_together_is_one_minus_gamma(digits: Sample) -> None:
    view = certified_view(digits.predicate, digits.dataset, digits.certification_rows)
    assert (digits.predicate.certification.simultaneous_gamma, view.joint_confidence) == ("0.001", "0.999")


def test_the_curve_comes_in_a_width_for_pages_and_one_for_phones(digits: Sample) -> None:
    view = certified_view(digits.predicate, digits.dataset, digits.certification_rows)
    assert ('viewBox="0 0 760' in view.wide, 'class="drawing wide"' in view.wide) == (True, True)
    assert ('viewBox="0 0 380' in view.narrow, 'class="drawing narrow"' in view.narrow) == (True, True)


def test_images_and_tables_have_readings_of_their_own(digits: Sample, table: Sample) -> None:
    views = [certified_view(sample.predicate, sample.dataset, sample.certification_rows) for sample in (digits, table)]
    assert [len(view.lines[0].sizes) for view in views] == [2, 3]
    assert ["grey levels" in view.sizes_words for view in views] == [True, False]


def test_l1_radii_are_nowhere_called_l2_and_read_as_lengths_and_means(digits: Sample) -> None:
    """0.25 of the range is 63.75 grey levels in all, 0.996 for each of 64 values."""
    part = digits.predicate.certification.model_copy(update={"threat": "l1", "noise_kind": "laplace"})
    view = certified_view(
        digits.predicate.model_copy(update={"certification": part}), digits.dataset, digits.certification_rows
    )
    line = next(line for line in view.lines if line.radius == "0.25")
    assert [size.text for size in line.sizes] == [
        "l1 length 63.7 grey levels of 255",
        "mean change per value 0.996 grey levels of 255",
    ]
    assert "l1 radius" in view.wide
    for text in (view.wide, view.narrow, view.length_words, view.votes_words, view.not_covered):
        assert "l2" not in text


def test_what_a_radius_does_not_cover_is_said(digits: Sample) -> None:
    view = certified_view(digits.predicate, digits.dataset, digits.certification_rows)
    for text in ("beyond the radius", "another norm than l2", "rotations", "do not represent", "without its votes"):
        assert text in view.not_covered
