"""Evidence of ours as an audited log: a table alone, a bundle, and rows that do not follow from their votes."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from robustcert.audit.claim import Claim
from robustcert.audit.log import LogForm
from robustcert.audit.source import BY_BUNDLE, open_source
from robustcert.audit.survey import survey
from robustcert.certificate.evidence import write_rows
from robustcert.errors import InputError
from robustcert.smoothing.noise_kinds import KINDS
from tests.certificate.tampering import rows_of
from tests.chain import Chain


def statuses(path: Path, claim: Claim | None = None) -> dict[str, tuple[str, str]]:
    taken = survey(open_source(path, claim=claim or Claim(), form=LogForm()))
    return {finding.check: (finding.status, finding.message) for finding in taken.findings()}


def test_a_bundle_tells_its_own_parameters_and_every_row_is_recomputed(chain: Chain) -> None:
    source = open_source(chain.bundle, claim=Claim(), form=LogForm())
    assert (source.claim.n, source.claim.samples, source.evidence) == (512, 16, True)
    assert source.claim.radii == (0, Decimal("0.1"), Decimal("0.25"))
    taken = survey(source)
    found = {finding.check: finding.status for finding in taken.findings()}
    assert (found["votes"], found["radius cap"]) == ("ok", "ok")
    rows = rows_of(chain, "certification")
    right = [row for row in rows if row["decision"] == "certified" and row["candidate"] == row["label"]]
    assert sorted(taken.right.elements()) == sorted(row["radius"] for row in right)


def test_a_row_that_does_not_follow_from_its_votes_is_found(chain: Chain, tmp_path: Path) -> None:
    bundle = shutil.copytree(chain.bundle, tmp_path / "bundle")
    rows = rows_of(chain, "certification")
    place = next(place for place, row in enumerate(rows) if row["decision"] == "certified")
    rows[place]["radius"] = "0.500001"
    path = bundle / "certification.parquet"
    write_rows(rows, path, schema=pq.read_schema(path))
    status, message = statuses(bundle)["votes"]
    assert status == "WRONG"
    assert f"1 of 16 rows; the first: sample {rows[place]['sample']}" in message
    rows[place]["counts"] = [[0, 3]]
    write_rows(rows, path, schema=pq.read_schema(path))
    assert "votes" in statuses(bundle)["votes"][1]


def test_a_table_alone_says_what_it_cannot_tell(chain: Chain) -> None:
    assert statuses(chain.files.certification)["votes"] == ("cannot tell", BY_BUNDLE)


def test_a_claim_that_contradicts_the_certificate_is_refused(chain: Chain) -> None:
    with pytest.raises(InputError, match=r"expected the alpha 0\.001 of the certificate, got 0\.01; leave --alpha out"):
        open_source(chain.bundle, claim=Claim(alpha=0.01), form=LogForm())
    told = Claim(kind=KINDS["uniform"], kind_told=True)
    with pytest.raises(InputError, match="expected the noise gaussian of the certificate, got uniform"):
        open_source(chain.bundle, claim=told, form=LogForm())
    assert open_source(chain.bundle, claim=Claim(kind_told=True), form=LogForm()).claim.kind == KINDS["gaussian"]


def test_what_is_no_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a log or a bundle's folder, got no certificate"):
        open_source(tmp_path, claim=Claim(), form=LogForm())
    with pytest.raises(InputError, match="expected a log, got No such file"):
        open_source(tmp_path / "nothing", claim=Claim(), form=LogForm())
    (tmp_path / "empty").write_text("idx,label,predict,radius\n")
    with pytest.raises(InputError, match=r"expected rows in .*empty, got none"):
        open_source(tmp_path / "empty", claim=Claim(), form=LogForm())
    (tmp_path / "parquet").write_bytes(b"PAR1 and nothing")
    with pytest.raises(InputError, match="expected an evidence table in parquet"):
        open_source(tmp_path / "parquet", claim=Claim(), form=LogForm())
