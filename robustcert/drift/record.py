"""The drift record: what one window of production data showed against a certificate's reference, signed.

A DSSE envelope around an in-toto statement whose subject is the model, written once to
`drift/<name>/<model sha256>/<end of the window>-<first 12 digits of the payload's SHA-256>.json`. Numbers are integers
or decimal strings. Unknown fields are ignored, unknown versions refused. Reading needs neither torch nor scikit-learn.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal as Number
from itertools import groupby
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints, ValidationError, model_validator

from robustcert.certificate.envelope import sign
from robustcert.certificate.keys import SigningKey, VerificationKey
from robustcert.certificate.schema import STATEMENT_TYPE, Digest, Subject
from robustcert.certificate.trust import open_by_any
from robustcert.document import Decimal, IssuedPart, Name, Sha256, Text, Timestamp
from robustcert.errors import VerificationError, expected
from robustcert.provenance.digests import canonical_json, sha256_bytes
from robustcert.storage.store import Store

DRIFT = "drift/"
RECORD_TYPE: Final = "urn:robustcert:drift-record:v1"
SHORT_DIGITS = 12

Count = Annotated[int, Field(ge=0)]
Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
Signal = Literal["features", "embedding", "outputs", "labels", "distance"]
Verdict = Literal["clean", "drifted", "gross", "undecided"]


class ReferencePart(IssuedPart):
    """What the window was compared with: the certified test split, or another window in its place.

    `drift_reference_sha256` is the object with the bins that a serving process counts by, where there is one.
    """

    dataset_sha256: Sha256
    split: Literal["test", "window"]
    rows: Count
    drift_reference_sha256: Sha256 | None = None


class FilePart(IssuedPart):
    """One file of a window that is a folder."""

    name: Text
    sha256: Sha256


class WindowPart(IssuedPart):
    """The window; `sha256` is empty where it is a folder of `files`. Times are None where its rows carry none.

    Of a folder the first files are listed; `files_sha256` is the SHA-256 of the canonical JSON of all [name, digest]
    pairs in their order. `place` is where one file with labels lies, a path or s3:// URI, empty for any other window.
    `served_versions` are the model digests that the rows say they were answered by, cut to 12 digits.
    """

    source: Text
    place: str = ""
    sha256: Sha256 | Literal[""]
    files: tuple[FilePart, ...] = ()
    files_sha256: Sha256 | None = None
    rows: Count
    first_at: Timestamp | None
    last_at: Timestamp | None
    labelled: Count
    served_versions: tuple[str, ...] = ()


class SignalPart(IssuedPart):
    """One signal of drift: `n` reference rows against `m` of the window; drifted just where score > threshold."""

    signal: Signal
    method: Code
    score: Decimal
    threshold: Decimal
    n: Count
    m: Count
    drifted: bool

    @model_validator(mode="after")
    def _drifted_above_its_threshold(self) -> SignalPart:
        if self.drifted != (Number(self.score) > Number(self.threshold)):
            got = f"{self.score} against {self.threshold}"
            raise ValueError(expected("drifted just where score > threshold", got=got, remedy="correct the signal"))
        return self


class DriftTestPart(IssuedPart):
    """The test of one column, or of a sample as a whole; `p_value` is None for methods that give none."""

    signal: Signal
    column: str
    method: Code
    score: Decimal
    threshold: Decimal
    p_value: Decimal | None
    adjusted_p: Decimal | None
    effect: Decimal
    effect_name: str
    n: Count
    m: Count
    drifted: bool
    note: str


class QualityPart(IssuedPart):
    """One check of the data's quality: what was observed, the limit, and a sentence."""

    check: str
    passed: bool
    observed: str
    limit: str
    detail: str


class EstimatePart(IssuedPart):
    """Accuracy estimated without labels, blind to a changed meaning of the labels; `valid` says if it may count."""

    accuracy: Decimal
    lower: Decimal
    upper: Decimal
    valid: bool
    why: str


class RealisedPart(IssuedPart):
    """Accuracy on the labels that came: `correct` of `of`, with interval; `coverage` is the labelled share of answers.

    Where labels came and none belongs to an answer, `of` and `coverage` are 0 and the interval is all of 0 to 1.
    """

    correct: Count
    of: Count
    lower: Decimal
    upper: Decimal
    coverage: Decimal
    median_delay_seconds: int | None


class SegmentPart(IssuedPart):
    """One segment of the window; `correct` and `of` are None without labels."""

    segment: str
    rows: Count
    correct: Count | None
    of: Count | None
    drifted: bool


class DistancePart(IssuedPart):
    """How well the distance to the training data tells window from reference; never an accuracy.

    `auroc`: chance that a row of the window lies farther out than one of the reference; `fpr95`: share of the window's
    rows that pass as known where 95 % of the reference's do.
    """

    auroc: Decimal
    fpr95: Decimal
    n: Count
    m: Count


class DriftRecord(IssuedPart):
    """Everything that is claimed about one window; the reports are objects of the store."""

    schema_version: Literal["1"]
    name: Name
    model_sha256: Sha256
    certificate_sha256: Sha256
    reference: ReferencePart
    window: WindowPart
    policy_sha256: Sha256
    policy: dict[str, object]
    signals: tuple[SignalPart, ...]
    tests: tuple[DriftTestPart, ...]
    features_tested: Count
    features_drifted: Count
    quality: tuple[QualityPart, ...]
    quality_ratio: Decimal
    estimate: EstimatePart | None
    realised: RealisedPart | None
    distance: DistancePart | None = None
    segments: tuple[SegmentPart, ...]
    hints: tuple[str, ...]
    verdict: Verdict
    summary: Text
    report_sha256: Sha256
    evidently_sha256: Sha256 | None
    evaluated_at: Timestamp


class DriftStatement(IssuedPart):
    """in-toto Statement v1 about a model."""

    type_: Annotated[Literal["https://in-toto.io/Statement/v1"], Field(alias="_type")]
    subject: Annotated[tuple[Subject, ...], Field(min_length=1, max_length=1)]
    predicate_type: Literal["urn:robustcert:drift-record:v1"]
    predicate: DriftRecord


def write_record(store: Store, record: DriftRecord, *, key: SigningKey) -> str:
    """Signs the record, writes it once, and returns the document's name; a record that is there already stays."""
    payload = _payload(record)
    name = record_name(record, payload)
    if read_record(store, name, keys=(key.public_key(),)) is None:  # ECDSA signs the same bytes anew each time
        store.write_document_once(name, sign(payload, key))
    return name


def signed_record(record: DriftRecord, *, key: SigningKey) -> bytes:
    """The signed record as it would be written."""
    return sign(_payload(record), key)


def parse_record(data: bytes, *, keys: Sequence[VerificationKey]) -> DriftRecord:
    """The record in an envelope that one of `keys` signed; VerificationError for anything else."""
    return _opened(data, keys=keys)[0]


def read_record(store: Store, name: str, *, keys: Sequence[VerificationKey]) -> DriftRecord | None:
    """The record in a document, None where there is none; VerificationError where it is not what its name says."""
    data = store.read_document(name)
    if data is None:
        return None
    record, payload = _opened(data, keys=keys)
    if record_name(record, payload) != name:
        raise VerificationError(expected(f"the drift record {name!r}", got="another's bytes", remedy="ignore it"))
    return record


def newest_record(store: Store, name: str, model_sha256: str, *, keys: Sequence[VerificationKey]) -> DriftRecord | None:
    """The verified record of a model's newest window (of one window, of its newest evaluation); None without one.

    What is no record of a trusted key is passed over: whoever can write to the store can't hide what was signed.
    """
    names = sorted(store.list_documents(record_folder(name, model_sha256)), reverse=True)
    for _, documents in groupby(names, key=lambda document: document.rpartition("-")[0]):
        found = [record for document in documents if (record := _verified(store, document, keys)) is not None]
        if found:
            return max(found, key=lambda record: record.evaluated_at)
    return None


def record_folder(name: str, model_sha256: str) -> str:
    """What the names of a model's drift records start with."""
    return f"{DRIFT}{name}/{model_sha256}/"


def record_name(record: DriftRecord, payload: bytes) -> str:
    """Name of the record's document: names of a model sort by the end of the window."""
    stamp = window_end(record).replace("-", "").replace(":", "")
    folder = record_folder(record.name, record.model_sha256)
    return f"{folder}{stamp}-{sha256_bytes(payload)[:SHORT_DIGITS]}.json"


def window_end(record: DriftRecord) -> str:
    """When the window ended, never later than it was evaluated: a wrong clock in a row hides no later window."""
    return min(record.window.last_at or record.evaluated_at, record.evaluated_at)


def _payload(record: DriftRecord) -> bytes:
    subject = Subject(name=f"{record.name}/model", digest=Digest(sha256=record.model_sha256))
    statement = DriftStatement(type_=STATEMENT_TYPE, subject=(subject,), predicate_type=RECORD_TYPE, predicate=record)
    return canonical_json(statement.model_dump(mode="json", by_alias=True))


def _opened(data: bytes, *, keys: Sequence[VerificationKey]) -> tuple[DriftRecord, bytes]:
    payload = open_by_any(data, keys)
    try:
        statement = DriftStatement.model_validate_json(payload)
    except ValidationError as error:
        first = error.errors()[0]
        got = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"[:200]
        raise VerificationError(expected("a drift record", got=got, remedy="name one")) from error
    if statement.subject[0].digest.sha256 != statement.predicate.model_sha256:
        got, remedy = "a statement about another model than its content", "use it as it was written"
        raise VerificationError(expected("a drift record of its subject", got=got, remedy=remedy))
    return statement.predicate, payload


def _verified(store: Store, document: str, keys: Sequence[VerificationKey]) -> DriftRecord | None:
    try:
        return read_record(store, document, keys=keys)
    except VerificationError:
        return None
