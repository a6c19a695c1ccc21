"""What all checks share: every path of a specification, and the contract that holds."""

from robustcert.data.contract import CONTRACTS
from robustcert.specification_checks.finding import contract_or_none, every_value
from tests.specification_checks.edited import specification


def test_every_value_has_the_path_that_the_file_gives_it() -> None:
    values = dict(every_value(specification()))
    assert values["threatModels", 1, "epsilon"] == 0.5
    assert values["training", "noiseSigma"] == 0.25
    assert values["data", "contract"] is None
    assert "width" in values["model",]  # type: ignore[operator]


def test_the_contract_is_the_specifications_own_or_the_embedded_one_or_none() -> None:
    assert contract_or_none(specification()) == CONTRACTS["digits"]
    own = contract_or_none(specification("table"))
    assert own is not None
    assert own.label == "outcome"
    assert contract_or_none(specification(data__source="builtin:digit")) is None
