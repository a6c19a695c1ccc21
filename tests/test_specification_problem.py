"""How a problem is printed: always one short line."""

from robustcert.specification_problem import Problem, dotted, line_of, one_line, shown_value


def test_a_problem_is_one_line_with_file_line_path_and_message() -> None:
    problem = Problem(name="spec.yaml", path="acceptance[0].threshold", line=12, message="expected a\nnumber")
    assert str(problem) == "spec.yaml:12: acceptance[0].threshold: expected a number"


def test_a_warning_says_that_it_is_one_and_a_whole_file_has_no_path() -> None:
    assert str(Problem(name="s", path="", line=1, message="m", severity="warning")) == "s:1: warning: m"


def test_paths_are_written_as_people_write_them() -> None:
    assert dotted(("threatModels", 1, "bounds", 0)) == "threatModels[1].bounds[0]"
    assert dotted(("rationale", "training.epochs")) == "rationale['training.epochs']"
    assert len(dotted(("x" * 5000,))) < 80


def test_the_line_of_an_absent_path_is_that_of_its_nearest_container() -> None:
    lines = {(): 1, ("data",): 5, ("data", "splits"): 7}
    assert line_of(("data", "splits"), lines) == 7
    assert line_of(("data", "splits", "test"), lines) == 7
    assert line_of(("data", "provenance", "approvals"), lines) == 5
    assert line_of(("model",), lines) == 1
    assert line_of((), {}) == 1


def test_values_are_shown_short() -> None:
    assert shown_value(None) == "nothing"
    assert shown_value({"a": 1}) == "a mapping"
    assert shown_value([1, 2, 3]) == "a list of 3"
    assert shown_value(True) == "true"
    assert shown_value(0.5) == "0.5"
    assert shown_value("two\nlines") == "'two lines'"
    assert len(shown_value("x" * 5000)) < 80


def test_one_line_collapses_white_space() -> None:
    assert one_line("a \n\t b\r\nc") == "a b c"
