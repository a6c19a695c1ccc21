"""verify's question about known-bad components: asked only with advisories, answered from what was signed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest

from robustcert.certificate.component_checks import none_of, recorded_components
from robustcert.certificate.verify import Verification
from robustcert.provenance.advisories import Advisories, Advisory
from tests.certificate.tampering import reason, verified
from tests.chain import Chain


def advisory(package: str, *, fixed: str) -> Advisory:
    bounds = {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}
    affected: dict[str, Any] = {"package": {"ecosystem": "PyPI", "name": package}, "ranges": [bounds]}
    return Advisory.model_validate({"id": f"TEST-{package}", "affected": [affected]})


def judged(chain: Chain, *advisories: Advisory) -> Verification:
    return verified(chain, more=(none_of(Advisories(advisories)),))


def test_a_recorded_component_that_an_advisory_names_is_refused_with_its_reason(chain: Chain) -> None:
    found = judged(chain, advisory("numpy", fixed="99.0"), advisory("kfp", fixed="0.0.1"))
    assert reason(found) == f"numpy {numpy.__version__}: TEST-numpy (fixed in 99.0)"
    assert found.refused is not None
    assert found.refused.check == "components"


def test_our_own_package_is_a_component_too(chain: Chain) -> None:
    assert reason(judged(chain, advisory("robustcert", fixed="99.0"))).startswith("robustcert 0.")


def test_components_that_no_advisory_names_are_established_and_counted(chain: Chain) -> None:
    found = judged(chain, advisory("numpy", fixed="0.1"), advisory("pillow", fixed="99.0"))
    assert found.refused is None
    count = len(list(recorded_components(chain.predicate.environment)))
    assert count >= 6
    assert found.findings[-1].message == f"none of {count} recorded components is named by one of 2 advisories"


@pytest.mark.parametrize("version", ["mine", ""])
def test_a_version_that_cannot_be_compared_is_no_way_around(version: str) -> None:
    environment = {"packages": {"torch": version}}
    assert list(recorded_components(environment)) == [("torch", version)]


def test_an_environment_without_packages_names_none() -> None:
    assert list(recorded_components({"packages": "many"})) == []


def test_a_release_of_ours_that_was_recorded_long_ago_is_still_read(chain: Chain, root: Path) -> None:
    """Documents of every released version verify for ever, so their environments must be readable for ever."""
    from robustcert.certificate.keys import load_verification_key
    from robustcert.certificate.verify import read_statement

    folder = root / "tests/certificates/v1/0.1.0-ed25519"
    key = load_verification_key(next(folder.glob("*.pub")))
    statement = read_statement((folder / "certificate.json").read_bytes(), key=key)
    assert {"robustcert", "torch", "numpy"} <= {
        name for name, _ in recorded_components(statement.predicate.environment)
    }
