"""Checks of the files that stand beside a certificate: bytes against digests, then numbers against counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from robustcert.certificate.case import Case, Finding, Row, established, not_established, require
from robustcert.certificate.evidence import evidence_root
from robustcert.certificate.registration_checks import stated
from robustcert.certificate.results import judge, results
from robustcert.certificate.schema import EvidencePart
from robustcert.certificate.vote_checks import plans_in_words, require_row
from robustcert.data.dataset import Dataset
from robustcert.data.digests import dataset_root, sample_sha256
from robustcert.data.planned_samples import planned_samples
from robustcert.data.splits import SPLITS
from robustcert.errors import RobustcertError
from robustcert.evaluation.curve import CLEAN, NO_PERTURBATION, curve_of
from robustcert.evaluation.suites import allowed_attacks, load_suite, suite_names
from robustcert.models.card import ModelCard, card_in, identity_preprocessing
from robustcert.models.file_bytes import is_safetensors, read_model_bytes
from robustcert.provenance.digests import canonical_json, sha256_file
from robustcert.specification import Specification

# What the certificate repeats from the data set's own card.
DESCRIBED = ("source", "sourceSha256", "classes", "shape", "transforms", "provenance")


def specification_file(case: Case) -> Finding:
    """The given specification is the registered one, byte for byte."""
    name = "specification file"
    if case.files.specification is None:
        return not_established(name, "no specification was given; its text in the certificate was checked")
    wanted, found = case.predicate.specification.sha256, sha256_file(case.files.specification)
    require(
        found == wanted, f"specification: SHA-256 of {case.files.specification.name} is {found}, registered is {wanted}"
    )
    return established(name, "byte for byte the registered one")


def model_file(case: Case) -> Finding:
    """The given model is the subject."""
    if case.files.model is None:
        return not_established("model", "no model file was given; compare its SHA-256 with the subject yourself")
    wanted, found = case.predicate.model.sha256, sha256_file(case.files.model)
    require(found == wanted, f"model: SHA-256 of {case.files.model.name} is {found}, certified is {wanted}")
    require(
        _is_described(case, case.files.model),
        "model: the card in the file is not the one that the certificate describes",
    )
    return established("model", "the file is the certified one")


def data_file(case: Case) -> Finding:
    """The given data set is the one that was used; where it is not, the changed sample is named if evidence tells."""
    if case.files.dataset is None:
        return not_established(
            "data", "no data set was given; that evidence rows describe its samples is the issuer's word"
        )
    part, found = case.predicate.data, sha256_file(case.files.dataset)
    if found != part.file_sha256:
        changed = _changed_sample(case)
        require(
            False, f"data: SHA-256 of {case.files.dataset.name} is {found}, certified is {part.file_sha256}{changed}"
        )
    require(dataset_root(case.dataset) == part.merkle_root, "data: another Merkle root than certified")
    require(set(part.splits) == set(SPLITS), "data: a split is not described")
    for split, wanted in part.splits.items():
        root, rows = dataset_root(case.dataset, split), len(case.dataset.select(split))
        require((root, rows) == (wanted.merkle_root, wanted.rows), f"data: split {split} is not the certified one")
    card, described = (each.model_dump(mode="json", by_alias=True) for each in (case.dataset.card, part))
    for field in DESCRIBED:
        require(stated(card[field]) == stated(described[field]), f"data: {field} is not that of the data set's card")
    return established("data", f"{len(case.dataset)} samples with Merkle root {part.merkle_root}")


def certification_evidence(case: Case) -> Finding:
    """The votes are the certified ones, and every radius follows from them."""
    name = "certification evidence"
    if case.files.certification is None:
        return not_established(
            name, "no certification evidence was given; radii and certified rates were not recomputed"
        )
    _require_evidence(case.files.certification, case.predicate.certification.evidence, name)
    rows = case.certification_rows
    _require_root(rows, case.predicate.certification.evidence, name)
    ids = [row["sample"] for row in rows]
    require(ids == sorted(set(ids)), f"{name}: its samples are not in ascending order, each once")
    plans = plans_in_words(case.specification.certification)
    for row in rows:
        require_row(case, row)
    return established(name, f"{len(rows)} rows, every radius recomputed from its counts{plans}")


def evaluation_evidence(case: Case) -> Finding:
    """The outcomes under attack are the certified ones."""
    name = "evaluation evidence"
    if case.files.evaluation is None:
        return not_established(name, "no evaluation evidence was given; rates under attack were not recomputed")
    _require_evidence(case.files.evaluation, case.predicate.evaluation.evidence, name)
    _require_root(case.evaluation_rows, case.predicate.evaluation.evidence, name)
    return established(name, f"{len(case.evaluation_rows)} rows")


def planned_attacks(case: Case) -> Finding:
    """Every registered attack has one row for every sample at every epsilon: none was left out, none is double."""
    name = "planned attacks"
    suite = case.predicate.evaluation.suite
    if case.files.evaluation is None or suite not in suite_names():
        return not_established(name, f"needs the evaluation evidence, and suite {suite} known to this version")
    found = Counter((row["threat"], row["epsilon"], row["attack"], row["sample"]) for row in case.evaluation_rows)
    samples = sorted({row["sample"] for row in case.evaluation_rows})
    wanted = [(*run, sample) for run in _planned_runs(case.specification) for sample in samples]
    for threat, epsilon, attack, sample in [*sorted({*wanted} ^ {*found}), *(key for key in found if found[key] > 1)]:
        where = f"sample {sample} under {threat}, epsilon {epsilon}, attack {attack}"
        require(False, f"evaluation evidence: {found[threat, epsilon, attack, sample]} rows of {where}")
    require(list(found) == wanted, "evaluation evidence: its rows are not in the order of the plan")
    return established(name, f"every one at every epsilon, on each of {len(samples)} samples")


def recomputed_results(case: Case) -> Finding:
    """Every rate, interval and verdict follows from the evidence."""
    if case.files.certification is None or case.files.evaluation is None:
        return not_established("results", "rates and intervals need both evidence tables; they are the issuer's word")
    found = results(
        case.specification, evaluation_rows=case.evaluation_rows, certification_rows=case.certification_rows
    )
    recorded = case.predicate.results
    for field in type(found).model_fields:
        require(
            getattr(found, field) == getattr(recorded, field), f"results: {field} does not follow from the evidence"
        )
    wanted = judge(case.specification, found, valid=case.predicate.evaluation.valid)
    require(wanted == case.predicate.criteria, "criteria: they do not follow from the evidence")
    return established("results", "every rate, interval and verdict recomputed from counts")


def evidence_about_data(case: Case) -> Finding:
    """Evidence rows are about the planned samples of the given data set: ids, digests of inputs, labels."""
    name = "evidence about data"
    if case.files.dataset is None or case.files.certification is None or case.files.evaluation is None:
        return not_established(name, "needs the data set and both evidence tables")
    test, written = case.dataset.select("test"), case.specification
    facts = {
        int(sample): (sample_sha256(x), int(y))
        for sample, x, y in zip(test.sample_ids, test.x_int, test.y, strict=True)
    }
    for rows, samples in (
        (case.certification_rows, written.certification.samples),
        (case.evaluation_rows, written.evaluation.samples),
    ):
        planned = planned_samples(list(facts), samples=samples, seed=written.seed)
        require(sorted({row["sample"] for row in rows}) == planned, "evidence: its samples are not the registered ones")
        for row in rows:
            require(facts[row["sample"]] == (row["input"], row["label"]), _unlike(row))
    return established(name, "every row is about a registered test sample, with its input digest and label")


def _is_described(case: Case, model: Path) -> bool:
    """Whether the certificate repeats the card in the file; an ONNX file has none, and gets the one for the data."""
    data = read_model_bytes(model)
    try:
        told = ModelCard.model_validate_json(canonical_json(case.predicate.model.card))
        if is_safetensors(data):
            return card_in(data, source=model.name) == told
        return _onnx_card(case, grid_rounding=told.preprocessing.grid_rounding) == told
    except ValidationError:
        return False


def _onnx_card(case: Case, *, grid_rounding: str) -> ModelCard:
    """The card of an ONNX file; the sentence about the grid is the issuer's where another version wrote it."""
    data = case.predicate.data
    told = {} if case.of_this_version else {"grid_rounding": grid_rounding}
    return ModelCard(
        format="onnx",
        input_shape=data.shape,
        classes=tuple(map(str, range(len(data.classes)))),
        preprocessing=identity_preprocessing(data.shape).model_copy(update=told),
    )


def _require_evidence(path: Path, part: EvidencePart, name: str) -> None:
    found = sha256_file(path)
    require(found == part.sha256, f"{name}: SHA-256 of {path.name} is {found}, certified is {part.sha256}")


def _require_root(rows: Sequence[Row], part: EvidencePart, name: str) -> None:
    count, root = evidence_root(rows)
    require(count == part.rows, f"{name}: {count} rows, certified are {part.rows}")
    require(root == part.merkle_root, f"{name}: Merkle root {root}, certified is {part.merkle_root}")


def _planned_runs(written: Specification) -> Iterator[tuple[str, str, str]]:
    """(threat, epsilon, attack) of every run that the specification asks for, the clean pass included."""
    suite = load_suite(written.evaluation.suite)
    for threat in written.threat_models:
        yield threat.name, NO_PERTURBATION, CLEAN
        for strength in curve_of(threat, written.evaluation.curve):
            yield from ((threat.name, strength.text, attack.id) for attack in allowed_attacks(suite, threat))


def _changed_sample(case: Case) -> str:
    """Names the first evaluated sample that differs; empty when the file can't be read or evidence is not given."""
    if case.files.evaluation is None:
        return ""
    try:
        dataset: Dataset = case.dataset
    except RobustcertError:
        return "; it can't be read as a data set"
    facts = dict(zip(dataset.sample_ids.tolist(), zip(dataset.x_int, dataset.y, strict=True), strict=True))
    for row in case.evaluation_rows:
        x, y = facts.get(row["sample"], (None, None))
        if x is None or (sample_sha256(x), y) != (row["input"], row["label"]):
            return f"; sample {row['sample']} of split test is changed"
    return "; no evaluated test sample is changed"


def _unlike(row: Row) -> str:
    return f"evidence: sample {row['sample']} has another input or label than the data set"
