"""What a dishonest issuer can do: change a statement or an evidence table, and sign again with the right key."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pyarrow.parquet as pq
import yaml

from robustcert.certificate.bundle import BundleFiles
from robustcert.certificate.case import Case, Finding
from robustcert.certificate.claims import claims, conditions
from robustcert.certificate.envelope import sign
from robustcert.certificate.evidence import CERTIFICATION_SCHEMA, EVALUATION_SCHEMA, evidence_root, write_rows
from robustcert.certificate.file_checks import DESCRIBED
from robustcert.certificate.keys import load_signing_key
from robustcert.certificate.results import judge, results
from robustcert.certificate.schema import Statement
from robustcert.certificate.verify import Verification, verify
from robustcert.data.dataset import Dataset, save_dataset
from robustcert.provenance.digests import canonical_json
from robustcert.specification import Data
from robustcert.specification_file import recorded_specification
from tests.chain import Chain

Document = dict[str, Any]
Rows = list[Document]
Table = Literal["certification", "evaluation"]

SCHEMAS = {"certification": CERTIFICATION_SCHEMA, "evaluation": EVALUATION_SCHEMA}


def in_force(chain: Chain) -> datetime:
    """A moment at which the chain's certificate is in force."""
    moment = datetime.strptime(chain.predicate.certified_at, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return moment + timedelta(hours=1)


def verified(
    chain: Chain,
    files: BundleFiles | None = None,
    *,
    at: datetime | None = None,
    more: tuple[Callable[[Case], Finding], ...] = (),
) -> Verification:
    return verify(files or chain.files, key=chain.key, now=at or in_force(chain), more=more)


def reason(found: Verification) -> str:
    """Why a certificate was refused; fails where it was not."""
    assert found.refused is not None, [finding.message for finding in found.findings]
    return found.refused.message


def statement_of(chain: Chain) -> Document:
    """The signed statement as plain JSON, a fresh copy each time."""
    statement: Document = json.loads(base64.b64decode(json.loads(chain.files.certificate.read_bytes())["payload"]))
    return statement


def case_of(chain: Chain, change: Callable[[Document], None] | None = None, *, at: datetime | None = None) -> Case:
    """The chain's statement, or a changed one, as single checks get it: after the signature held."""
    statement = statement_of(chain)
    if change is not None:
        change(statement)
    authentic = Statement.model_validate_json(canonical_json(statement))
    return Case(statement=authentic, files=chain.files, now=at or in_force(chain))


def resigned(chain: Chain, folder: Path, change: Callable[[Document], None]) -> BundleFiles:
    """The bundle with a statement that was changed and signed again by the issuer's own key."""
    statement = statement_of(chain)
    change(statement)
    path = folder / "certificate.json"
    path.write_bytes(sign(canonical_json(statement), load_signing_key(chain.signing_key, passphrase=None)))
    return chain.with_files(certificate=path)


def replaced(path: str, value: object) -> Callable[[Document], None]:
    """A change that sets one place of the predicate, such as `results.certifiedAccuracy.0.radius`."""

    def change(statement: Document) -> None:
        *parts, last = path.split(".")
        target: Any = statement["predicate"]
        for part in parts:
            target = target[int(part)] if part.isdecimal() else target[part]
        target[int(last) if last.isdecimal() else last] = value

    return change


def elsewhere(**environment: str) -> Callable[[Document], None]:
    """A change to an environment with these values, and to the sentence that names it."""

    def change(statement: Document) -> None:
        predicate = statement["predicate"]
        predicate["environment"] |= environment
        part = Statement.model_validate_json(canonical_json(statement)).predicate.certification
        card, found = predicate["model"]["card"], predicate["environment"]
        predicate["conditions"] = list(conditions(part, card=card, environment=found))

    return change


def with_data(chain: Chain, folder: Path, data: Data, dataset: Dataset) -> Case:
    """A case whose specification names `data`, and whose statement and file say of the data what `dataset` says."""
    path = folder / "dataset.safetensors"
    save_dataset(dataset, path)
    card = dataset.card.model_dump(mode="json", by_alias=True)

    def change(statement: Document) -> None:
        predicate = statement["predicate"]
        written = yaml.safe_load(predicate["specification"]["text"])
        written["data"] = data.model_dump(mode="json", by_alias=True, exclude_none=True)
        predicate["specification"]["text"] = yaml.safe_dump(written)
        predicate["data"] |= {key: card[key] for key in DESCRIBED}

    return replace(case_of(chain, change), files=chain.with_files(dataset=path))


def rows_of(chain: Chain, table: Table) -> Rows:
    """The rows of an evidence table, read by pyarrow alone."""
    rows: Rows = pq.read_table(getattr(chain.files, table)).to_pylist()
    return rows


def with_rows(
    chain: Chain,
    folder: Path,
    table: Table,
    change: Callable[[Rows], Rows],
    *,
    also: Callable[[Document], None] | None = None,
) -> BundleFiles:
    """The bundle with a changed table, and everything that follows from it signed again; `also` changes more."""
    rows, path = change(rows_of(chain, table)), folder / f"{table}.parquet"
    write_rows(rows, path, schema=pq.read_schema(getattr(chain.files, table)))

    def follow(statement: Document) -> None:
        _follow(chain, statement["predicate"], path, table, rows)
        if also is not None:
            also(statement)

    return BundleFiles(**{**vars(resigned(chain, folder, follow)), table: path})


def _follow(chain: Chain, predicate: Document, path: Path, table: Table, rows: Rows) -> None:
    count, root = evidence_root(rows)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    predicate[table]["evidence"] = {"sha256": digest, "rows": count, "merkleRoot": root}
    tables = {name: rows if name == table else rows_of(chain, name) for name in ("certification", "evaluation")}
    written = recorded_specification(predicate["specification"]["text"]).specification
    found = results(written, evaluation_rows=tables["evaluation"], certification_rows=tables["certification"])
    judged = judge(written, found, valid=True)
    sentences = claims(
        written, found, model_sha256=predicate["model"]["sha256"], data_root=predicate["data"]["merkleRoot"]
    )
    predicate |= {
        "results": found.model_dump(mode="json", by_alias=True),
        "criteria": [part.model_dump(mode="json", by_alias=True) for part in judged],
        "verdict": "accepted" if all(part.met for part in judged) else "rejected",
        "claims": list(sentences),
    }
