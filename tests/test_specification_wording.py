"""The model's refusals in our words. The oracle is the message that a person would want, written by hand."""

import pytest

from robustcert.specification_file import check_text
from robustcert.specification_template import template


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("epsilon: 0.1", "epsilonn: 0.1", "threatModels[0].epsilonn: unknown key 'epsilonn'; did you mean 'epsilon'?"),
        (
            "threshold: 0.95",
            "threshold: 95",
            "acceptance[0].threshold: expected a number from 0 to 1, got 95; write 0.95 for 95 %",
        ),
        (
            "epsilon: 0.1",
            'epsilon: "0.1"',
            "threatModels[0].epsilon: expected a number above 0, got '0.1'; "
            "write it without quotes, as a plain decimal number",
        ),
        (
            "epsilon: 0.1",
            "epsilon: 8/255",
            "threatModels[0].epsilon: expected a number above 0, got '8/255'; correct it",
        ),
        (
            "n: 100000 ",
            "n: 1e4 ",
            "certification.n: expected a whole number from 100 to 10000000, got 10000.0; write 10000",
        ),
        ("norm: linf ", "norm: Linf ", "threatModels[0].norm: expected one of 'linf', 'l2', got 'Linf'; "
         "did you mean 'linf'?"),
        ("name: Demonstration", "name: 5", "owner.name: expected text of 1 to 4000 characters, got 5; "
         "put it in quotes: '5'"),
        ("name: Demonstration", "name: true", "owner.name: expected text of 1 to 4000 characters, got true; "
         "put it in quotes: 'true'"),
        ("hidden: [256, 128]", "hidden: 64",
         "model.hidden: expected a list of 1 to 32, got 64; write it as a list: [64]"),
        ("hidden: [256, 128]", "hidden: [64, 0]", "model.hidden[1]: expected a whole number above 0 and at most 8192, "
         "got 0; correct it"),
        ("bounds: contract", "bounds: [0, a]", "threatModels[0].bounds[1]: expected a number, got 'a'; correct it"),
        ("bounds: contract", "bounds: data", "threatModels[0].bounds: expected 'contract' or a list of 2, got 'data'; "
         "write it as a list: [data]"),
        ("  days: 90", "  # days", "validity: expected a mapping of keys to values, got nothing; "
         "correct it (how long the certificate may be relied on)"),
        ("robustcert/v1", "robustcert/v2", "apiVersion: expected 'robustcert/v1', got 'robustcert/v2'; "
         "correct it (version of this format)"),
        ("  sigma: 0.25", "  # none", "certification.sigma: expected 'sigma', got no such key; "
         "add it (standard deviation of the smoothing noise, in unit)"),
        ("comparator: \">=\"", "comparator: \"<=\"", "acceptance[0]: expected '>=' for accuracies and '<=' for "
         "abstention_rate, got '<=' for clean_accuracy; turn the comparator"),
        ("seed: 0", "colour: red", "colour: unknown key 'colour'; known here: apiVersion, kind, name, profile, owner, "
         "intendedUse, claim, seed, data, model, training, threatModels, evaluation, certification, acceptance, "
         "validity, recertification, rationale"),
    ],
)  # fmt: skip
def test_a_refusal_says_expected_got_and_remedy_at_the_line_of_the_fault(old: str, new: str, problem: str) -> None:
    text = template("digits")
    assert old in text
    changed = text.replace(old, new, 1)
    found = check_text(changed, "spec.yaml")
    line = str(found[0]).split(":")[1]
    assert str(found[0]) == f"spec.yaml:{line}: {problem}"
    parent = {"  days: 90": "validity:", "  sigma: 0.25": "certification:", 'comparator: ">="': "acceptance:"}
    wanted = next(number for number, row in enumerate(changed.splitlines(), 1) if parent.get(old, new) in row)
    assert int(line) in (wanted, wanted + 1) if old.startswith("comparator") else int(line) == wanted


def test_all_faults_are_named_in_the_order_of_the_file() -> None:
    text = template("digits")
    for old, new in (("seed: 0", "seed: -1"), ("epochs: 40", "epochs: 0"), ("sigma: 0.25", "sigmaa: 0.25")):
        text = text.replace(old, new, 1)
    found = check_text(text)
    assert [problem.path for problem in found] == ["seed", "training.epochs", "certification.sigmaa"]
    assert [problem.line for problem in found] == sorted(problem.line for problem in found)


def test_a_misspelt_key_is_named_once_and_not_as_missing_too() -> None:
    found = check_text(template("digits").replace("certification:", "certifcation:", 1))
    assert [problem.path for problem in found] == ["certifcation"]


def test_an_empty_key_hides_nothing() -> None:
    (problem,) = check_text(template("digits") + '"": 1\n')
    assert problem.path == "['']"
    assert "unknown key ''" in problem.message


def test_thousands_of_faults_are_cut_to_a_hundred() -> None:
    text = template("digits") + "".join(f"  x{number}: 5\n" for number in range(5000))
    assert len(check_text(text)) == 100


def test_a_list_instead_of_a_specification_is_refused_as_such() -> None:
    (problem,) = check_text("- a\n- b\n")
    assert problem.message == (
        "expected a mapping of keys to values, got a list of 2; start from what robustcert init writes"
    )
