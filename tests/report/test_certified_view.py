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
