"""Checks of the files beside a certificate. Oracle: changed files, signed again so that all else agrees with them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from robustcert.certificate import file_checks as checks
from robustcert.certificate.bundle import BundleFiles
from robustcert.certificate.case import Case, Finding
from robustcert.certificate.evidence import evidence_root, write_rows
from robustcert.data.dataset import Dataset, load_dataset, save_dataset
from robustcert.errors import VerificationError
from tests.certificate.tampering import (
    SCHEMAS,
    Document,
    Rows,
    Table,
    case_of,
    in_force,
    reason,
    replaced,
    resigned,
    rows_of,
    verified,
    with_rows,
)
from tests.chain import Chain

Check = Callable[[Case], Finding]

CHECKS: tuple[tuple[Check, str], ...] = (
    (checks.specification_file, "specification"),
    (checks.model_file, "model"),
    (checks.data_file, "dataset"),
    (checks.certification_evidence, "certification"),
    (checks.evaluation_evidence, "evaluation"),
    (checks.planned_attacks, "evaluation"),
    (checks.evidence_about_data, "dataset"),
    (checks.evidence_about_data, "certification"),
    (checks.evidence_about_data, "evaluation"),
    (checks.recomputed_results, "certification"),
    (checks.recomputed_results, "evaluation"),
)


@pytest.mark.parametrize(("check", "file"), CHECKS)
def test_a_check_holds_on_the_real_files_and_establishes_nothing_without_them(
    chain: Chain, check: Check, file: str
) -> None:
    whole = case_of(chain)
    assert check(whole).status == "established"
    assert check(replace(whole, files=chain.with_files(**{file: None}))).status == "not established"


def test_a_specification_of_equal_content_in_other_bytes_is_not_the_registered_file(
    chain: Chain, tmp_path: Path
) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(chain.predicate.specification.text + "\n")
    wanted = f"SHA-256 of own.yaml is {hashlib.sha256(path.read_bytes()).hexdigest()}, registered is"
    with pytest.raises(VerificationError, match=wanted):
        checks.specification_file(replace(case_of(chain), files=chain.with_files(specification=path)))


@pytest.mark.parametrize(
    ("path", "value"),
    [("trainedBy", "somebody else"), ("format", "another"), ("preprocessing.mean.0", "0.5"), ("classes", ["a", "b"])],
)
def test_a_model_is_described_as_its_own_card_says(chain: Chain, path: str, value: object) -> None:
    with pytest.raises(VerificationError, match="the card in the file is not the one that the certificate describes"):
        checks.model_file(case_of(chain, replaced(f"model.card.{path}", value)))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("merkleRoot", "0" * 64, "another Merkle root than certified"),
        ("splits.train.merkleRoot", "0" * 64, "split train is not the certified one"),
        ("splits.validation.rows", 1, "split validation is not the certified one"),
        ("splits", {}, "a split is not described"),
        ("source", "builtin:cifar", "source is not that of the data set's card"),
        ("sourceSha256", "0" * 64, "sourceSha256 is not that"),
        ("classes", ["a", "b"], "classes is not that"),
        ("shape", [8, 8], "shape is not that"),
        ("transforms", [], "transforms is not that"),
        ("provenance.licence", "CC0-1.0", "provenance is not that"),
    ],
)
def test_data_are_described_as_the_file_is(chain: Chain, path: str, value: object, message: str) -> None:
    with pytest.raises(VerificationError, match=f"data: {message}"):
        checks.data_file(case_of(chain, replaced(f"data.{path}", value)))


def resaved(chain: Chain, tmp_path: Path, change: Callable[[Dataset], Dataset]) -> BundleFiles:
    save_dataset(change(load_dataset(Path(str(chain.files.dataset)))), tmp_path / "dataset.safetensors")
    return chain.with_files(dataset=tmp_path / "dataset.safetensors")


def planted(dataset: Dataset, name: str, sample: int, value: Callable[[Any], Any]) -> Dataset:
    array, row = getattr(dataset, name).copy(), int(np.flatnonzero(dataset.sample_ids == sample)[0])
    array[row] = value(array[row])
    return replace(dataset, **{name: array})


@pytest.mark.parametrize(
    ("name", "value"), [("y", lambda label: (label + 1) % 10), ("x_int", lambda x: np.where(x == x.max(), x - 1, x))]
)
def test_the_changed_sample_of_a_changed_data_set_is_named(
    chain: Chain, tmp_path: Path, name: str, value: Callable[[Any], Any]
) -> None:
    sample = rows_of(chain, "evaluation")[7]["sample"]
    files = resaved(chain, tmp_path, lambda dataset: planted(dataset, name, sample, value))
    assert reason(verified(chain, files)).endswith(f"; sample {sample} of split test is changed")


def test_where_no_evaluated_sample_changed_or_nothing_can_be_compared_that_is_said(
    chain: Chain, tmp_path: Path
) -> None:
    evaluated = {row["sample"] for row in rows_of(chain, "evaluation")}
    other = next(sample for sample in range(1797) if sample not in evaluated)
    files = resaved(chain, tmp_path, lambda dataset: planted(dataset, "y", other, lambda label: (label + 1) % 10))
    assert reason(verified(chain, files)).endswith("; no evaluated test sample is changed")
    assert reason(verified(chain, replace(files, evaluation=None))).endswith(chain.predicate.data.file_sha256)
    assert files.dataset is not None
    files.dataset.write_bytes(b"no data set")
    assert reason(verified(chain, files)).endswith("; it can't be read as a data set")


def test_a_removed_evaluated_sample_is_named(chain: Chain, tmp_path: Path) -> None:
    sample = rows_of(chain, "evaluation")[0]["sample"]
    files = resaved(chain, tmp_path, lambda dataset: dataset.rows([i for i in range(1797) if i != sample]))
    assert reason(verified(chain, files)).endswith(f"; sample {sample} of split test is changed")


def changed_row(at: int, **changes: Any) -> Callable[[Rows], Rows]:
    return lambda rows: [row | changes if place == at else row for place, row in enumerate(rows)]


def trusting(path: Path, table: Table) -> Callable[[Document], None]:
    """The statement names the digest of `path` and count and root of its rows, and is otherwise as it was."""
    count, root = evidence_root(pq.read_table(path).to_pylist())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return replaced(f"{table}.evidence", {"sha256": digest, "rows": count, "merkleRoot": root})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n": 511}, "its votes do not add up to 511"),
        ({"n": 500, "counts": [[0, 500]], "fragile": 0}, "expected 512 votes, got 500"),
        ({"n": 600, "counts": [[0, 600]], "fragile": 0}, "expected 512 votes, got 600"),
        ({"n0": 31, "selection": [[0, 31]], "selectionFragile": 0}, "expected 32 votes that select the candidate"),
        ({"counts": [[0, 512], [1, 1]], "fragile": 0}, "its votes do not add up to 512"),
        ({"fragile": 1}, "its votes do not add up to 512"),
        ({"counts": [], "fragile": 511}, "its votes do not add up to 512"),
        ({"counts": [[0, 513]], "fragile": -1}, "its votes are not counts by class"),
        ({"counts": [[0, 520], [1, -8]], "fragile": 0}, "its votes are not counts by class"),
        ({"counts": [[0, 512], [1, 0]], "fragile": 0}, "its votes are not counts by class"),
        ({"counts": [[0, 100], [0, 512]], "fragile": 0}, "its votes are not counts by class"),
        ({"counts": [[1, 12], [0, 500]], "fragile": 0}, "its votes are not counts by class"),
        ({"counts": [[10, 512]], "fragile": 0}, "its votes are not counts by class"),
        ({"counts": [[-1, 512]], "fragile": 0}, "its votes are not counts by class"),
        ({"selection": [[0, 33]], "selectionFragile": 0}, "its selection votes do not add up to 32"),
        ({"selection": [[0, 40], [1, -8]], "selectionFragile": 0}, "its selection votes are not counts by class"),
        ({"candidate": 10}, "the candidate is not the most voted class of selection"),
        ({"selection": [[0, 16], [1, 16]], "selectionFragile": 0, "candidate": 1}, "candidate is not the most voted"),
        ({"selection": [], "selectionFragile": 32, "candidate": 3}, "candidate is not the most voted"),
        ({"radius": "9.000000"}, "with radius 9.000000 does not follow from its counts"),
        ({"radius": "abc"}, "with radius abc does not follow from its counts"),
        ({"radius": "0"}, "with radius 0 does not follow from its counts"),
        ({"decision": "abstain"}, "decision abstain with radius"),
        ({"decision": "abstain", "radius": "0"}, "decision abstain with radius 0 does not follow"),
        ({"counts": [[0, 256], [1, 256]], "fragile": 0}, "does not follow from its counts"),
    ],
)
def test_numbers_that_do_not_follow_from_their_votes_are_refused_by_sample(
    chain: Chain, tmp_path: Path, changes: Document, message: str
) -> None:
    rows = rows_of(chain, "certification")
    at = next(place for place, row in enumerate(rows) if row["decision"] == "certified")
    path = tmp_path / "certification.parquet"
    write_rows(changed_row(at, **changes)(rows), path, schema=SCHEMAS["certification"])
    case = replace(case_of(chain, trusting(path, "certification")), files=chain.with_files(certification=path))
    where = f"certification evidence: sample {rows[at]['sample']}"
    with pytest.raises(VerificationError, match=f"^{where}.*{message}"):
        checks.certification_evidence(case)


@pytest.mark.parametrize("table", ["certification", "evaluation"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[1:], "rows, certified are"),
        (lambda rows: [*rows, rows[-1]], "rows, certified are"),
        (lambda rows: [rows[1], rows[0], *rows[2:]], "Merkle root .*, certified is"),
        (lambda rows: [rows[0] | {"label": 9 - rows[0]["label"]}, *rows[1:]], "Merkle root .*, certified is"),
    ],
    ids=["a row less", "a row more", "two rows exchanged", "a label"],
)
def test_rows_other_than_the_certified_ones_are_refused_where_only_the_files_digest_was_signed_again(
    chain: Chain, tmp_path: Path, table: Table, change: Callable[[Rows], Rows], message: str
) -> None:
    path = tmp_path / f"{table}.parquet"
    write_rows(change(rows_of(chain, table)), path, schema=SCHEMAS[table])
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    signed = resigned(chain, tmp_path, replaced(f"{table}.evidence.sha256", digest))
    found = verified(chain, BundleFiles(certificate=signed.certificate, **{table: path}))
    assert re.match(f"{table} evidence: .*{message}", reason(found))


def test_whatever_row_is_dropped_and_signed_again_the_certificate_is_refused(chain: Chain, tmp_path: Path) -> None:
    at = in_force(chain)
    for place in range(len(rows_of(chain, "certification"))):
        files = with_rows(chain, tmp_path, "certification", lambda rows, place=place: rows[:place] + rows[place + 1 :])
        assert "over 15 samples, registered are 16" in reason(verified(chain, files, at=at))
    rows = rows_of(chain, "evaluation")
    for place in range(0, len(rows), 11):
        row = rows[place]
        files = with_rows(chain, tmp_path, "evaluation", lambda rows, place=place: rows[:place] + rows[place + 1 :])
        assert f": 0 rows of sample {row['sample']} under {row['threat']}" in reason(verified(chain, files, at=at))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: [*rows, rows[-1]], ": 2 rows of sample"),
        (lambda rows: [*rows, rows[-1] | {"attack": "square@1-0"}], ": 1 rows of sample .* attack square@1-0"),
        (lambda rows: [*rows, rows[-1] | {"epsilon": "0.4"}], ": 1 rows of sample .* epsilon 0.4"),
        (lambda rows: [*rows, rows[-1] | {"threat": "l1-1"}], ": 1 rows of sample .* under l1-1"),
        (lambda rows: [row for row in rows if not row["attack"].startswith("pgd")], ": 0 rows of sample .* attack pgd"),
        (
            lambda rows: [row for row in rows if (row["threat"], row["attack"]) != ("l2-0.5", "clean")],
            ": 0 rows of sample .* under l2-0.5, epsilon 0, attack clean",
        ),
    ],
    ids=["double", "foreign attack", "foreign epsilon", "foreign threat", "an attack left out", "no clean pass"],
)
def test_every_planned_attack_has_one_row_for_each_sample_and_no_other_has_any(
    chain: Chain, tmp_path: Path, change: Callable[[Rows], Rows], message: str
) -> None:
    files = with_rows(chain, tmp_path, "evaluation", change)
    assert re.match(f"evaluation evidence{message}", reason(verified(chain, files)))


def test_attacks_of_an_unknown_suite_are_not_held_against_a_plan(chain: Chain) -> None:
    found = checks.planned_attacks(case_of(chain, replaced("evaluation.suite", "later@1")))
    assert (found.status, "suite later@1 known" in found.message) == ("not established", True)


def _other_sample(rows: Rows) -> Rows:
    """The rows of one sample are said to be about one that was not drawn."""
    ids = sorted({row["sample"] for row in rows})
    free = next(sample for sample in range(1797) if sample not in ids)
    return [row | {"sample": free} if row["sample"] == ids[0] else row for row in rows]


def _about(row: Document, other: Document) -> bool:
    return bool(row["sample"] == other["sample"])


def _exchanged(rows: Rows) -> Rows:
    """Two samples change names; rows stay in the order of their samples."""
    a, b = sorted({row["sample"] for row in rows})[:2]
    renamed = [row | {"sample": {a: b, b: a}.get(row["sample"], row["sample"])} for row in rows]
    runs = list(map(_run_of, rows))
    return sorted(renamed, key=lambda row: (runs.index(_run_of(row)), row["sample"]))


def _run_of(row: Document) -> tuple[Any, Any, Any]:
    return row.get("threat"), row.get("epsilon"), row.get("attack")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("certification", "certification evidence: its samples are not in ascending order, each once"),
        ("evaluation", "evaluation evidence: its rows are not in the order of the plan"),
    ],
)
def test_rows_stand_in_the_one_order_that_is_documented(
    chain: Chain, tmp_path: Path, table: Table, message: str
) -> None:
    files = with_rows(chain, tmp_path, table, lambda rows: [rows[1], rows[0], *rows[2:]])
    assert reason(verified(chain, files)) == message


def test_one_sample_certified_twice_is_not_two(chain: Chain, tmp_path: Path) -> None:
    rows, path = rows_of(chain, "certification"), tmp_path / "certification.parquet"
    write_rows([rows[1], *rows[1:]], path, schema=SCHEMAS["certification"])
    case = replace(case_of(chain, trusting(path, "certification")), files=chain.with_files(certification=path))
    with pytest.raises(VerificationError, match="its samples are not in ascending order, each once"):
        checks.certification_evidence(case)


@pytest.mark.parametrize("table", ["certification", "evaluation"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_other_sample, "evidence: its samples are not the registered ones"),
        (_exchanged, "evidence: sample .* has another input or label than the data set"),
        (
            lambda rows: [row | {"input": "0" * 64} for row in rows],
            "evidence: sample .* has another input or label than the data set",
        ),
        (
            lambda rows: [row | {"label": 9 - rows[0]["label"]} if _about(row, rows[0]) else row for row in rows],
            "evidence: sample .* has another input or label than the data set",
        ),
    ],
    ids=["samples that suit better", "samples exchanged", "another input", "another label"],
)
def test_rows_are_about_the_registered_samples_of_the_given_data(
    chain: Chain, tmp_path: Path, table: Table, change: Callable[[Rows], Rows], message: str
) -> None:
    files = with_rows(chain, tmp_path, table, change)
    assert verified(chain, replace(files, dataset=None)).refused is None, "nothing but the data can tell"
    assert re.match(message, reason(verified(chain, files)))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("results.cleanAccuracy.estimate", "0.999999"),
        ("results.accuracyUnderAttack.1.accuracy.count", 24),
        ("results.accuracyUnderAttack.0.attackSuccess", None),
        ("results.accuracyUnderAttack.3.accuracyLossUpper", "0.000001"),
        ("results.certifiedAccuracy.0.simultaneousCount", 16),
        ("results.smoothedAccuracy.upper", "0.5"),
        ("results.abstentionRate.count", 1),
        ("results.averageCertifiedRadius", "9"),
        ("results.medianCertifiedRadius", "9"),
        ("criteria.0.observed", "0.999999"),
    ],
)
def test_every_number_of_the_results_is_recomputed_from_the_tables(chain: Chain, path: str, value: object) -> None:
    field = "criteria" if path.startswith("criteria") else "results: "
    with pytest.raises(VerificationError, match=f"^{field}.*not follow from the evidence"):
        checks.recomputed_results(case_of(chain, replaced(path, value)))
