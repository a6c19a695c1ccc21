import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits

from robustcert.data.contract import CONTRACTS, PROVENANCES, builtin_name, contract_of, provenance_of
from robustcert.errors import DataError
from robustcert.specification import Data
from tests.data.examples import image_data


def test_the_breast_cancer_contract_names_scikit_learns_columns_and_classes_in_their_order() -> None:
    bunch, contract = load_breast_cancer(), CONTRACTS["breast-cancer"]
    assert [feature.name for feature in contract.features] == bunch.feature_names.tolist()
    assert list(contract.classes) == bunch.target_names.tolist()


def test_every_range_of_breast_cancer_is_wider_than_anything_observed_and_has_a_unit() -> None:
    observed, features = load_breast_cancer().data, CONTRACTS["breast-cancer"].features
    assert all(feature.minimum == 0 <= low for feature, low in zip(features, observed.min(axis=0), strict=True))
    widths = [high / feature.maximum for feature, high in zip(features, observed.max(axis=0), strict=True)]
    assert min(widths) > 0.2
    assert max(widths) < 0.8
    assert all(feature.unit for feature in features)


def test_the_digits_contract_is_scikit_learns_images() -> None:
    bunch, contract = load_digits(), CONTRACTS["digits"]
    assert contract.shape == (1, *bunch.images.shape[1:])
    assert contract.range == (bunch.images.min(), bunch.images.max())
    assert [int(name) for name in contract.classes] == np.unique(bunch.target).tolist()


def test_the_specifications_own_contract_and_provenance_come_before_the_embedded_ones() -> None:
    data = Data.model_validate({"source": "builtin:digits"})
    assert contract_of(data) is CONTRACTS["digits"]
    assert provenance_of(data) is PROVENANCES["digits"]
    own = image_data(source="builtin:digits")
    assert contract_of(own) is own.contract
    assert provenance_of(own) is own.provenance


def test_other_sources_are_not_embedded() -> None:
    assert builtin_name(image_data(source="digits.npz")) is None


def test_an_unknown_embedded_data_set_is_refused_by_name() -> None:
    data = Data.model_validate({"source": "builtin:mnist"})
    with pytest.raises(DataError, match=r"^expected builtin:digits or builtin:breast-cancer, got builtin:mnist; name"):
        contract_of(data)


@pytest.mark.parametrize("of", [contract_of, provenance_of])
def test_own_data_without_description_are_refused(of: object) -> None:
    bare = Data.model_construct(source="own.npz", contract=None, provenance=None)
    with pytest.raises(DataError, match=r"for your own data, got none; add|of your own data, got none; add"):
        of(bare)  # type: ignore[operator]
