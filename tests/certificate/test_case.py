"""A case reads each given file once and asks for no file that was not given."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from robustcert.certificate.bundle import BundleFiles
from robustcert.certificate.case import Case, established, not_established, present, require
from robustcert.errors import DataError, SpecificationError, VerificationError
from tests.certificate.tampering import case_of, replaced
from tests.chain import Chain


def test_what_a_case_gives_is_in_its_statement_and_files(chain: Chain) -> None:
    case = case_of(chain)
    assert case.predicate == case.statement.predicate
    assert case.specification.name == case.predicate.name == "digits"
    assert case.certification_rows == pq.read_table(chain.files.certification).to_pylist()
    assert case.evaluation_rows == pq.read_table(chain.files.evaluation).to_pylist()
    assert len(case.dataset) == 1797


def test_a_file_is_read_once(chain: Chain, tmp_path: Path) -> None:
    copy = tmp_path / "certification.parquet"
    copy.write_bytes(Path(str(chain.files.certification)).read_bytes())
    case = dataclasses.replace(case_of(chain), files=chain.with_files(certification=copy))
    first = case.certification_rows
    copy.unlink()
    assert case.certification_rows is first


@pytest.mark.parametrize("name", ["certification_rows", "evaluation_rows", "dataset"])
def test_what_was_not_given_and_what_can_not_be_read_is_said(chain: Chain, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"neither")
    given = {name.removesuffix("_rows"): tmp_path / "file"}
    whole = case_of(chain)
    without = Case(whole.statement, BundleFiles(certificate=chain.files.certificate), whole.now)
    damaged = Case(whole.statement, BundleFiles(certificate=chain.files.certificate, **given), whole.now)
    with pytest.raises(VerificationError, match="expected a file that was not given"):
        getattr(without, name)
    with pytest.raises(DataError, match="got"):
        getattr(damaged, name)


def test_a_specification_that_can_not_be_read_is_said_to_be_the_certificates(chain: Chain) -> None:
    case = case_of(chain, replaced("specification.text", "kind: 7\n"))
    with pytest.raises(SpecificationError, match="the certificate's specification"):
        case.specification  # noqa: B018


def test_findings_and_requirements() -> None:
    assert vars(established("a", "b")) == {"check": "a", "status": "established", "message": "b"}
    assert vars(not_established("a", "b")) == {"check": "a", "status": "not established", "message": "b"}
    require(True, "nothing happens")
    with pytest.raises(VerificationError, match="what is wrong"):
        require(False, "what is wrong")
    assert present(Path("x")) == Path("x")
