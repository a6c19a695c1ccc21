"""What a certified model did on a window of production data: one store document for each run and model.

`windows/<run id>/<model sha256>.json` names the evidence rows and the window itself, both objects of the store. It is
no certificate and is not signed: it says whether the empirical criteria still held when recertification looked.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationError

from robustcert.certificate.schema import CriterionPart, EvidencePart, RatePart, UnderAttackPart, ValidityPart
from robustcert.document import IssuedPart, Sha256, Timestamp
from robustcert.errors import StorageError, expected
from robustcert.storage.store import Store

Count = Annotated[int, Field(ge=0)]


class WindowEvaluation(IssuedPart):
    """`rows` were in the window, `samples` of them evaluated; `holds` where every criterion is met."""

    schema_version: Literal["1"]
    run_id: str
    name: str
    certificate_sha256: Sha256
    model_sha256: Sha256
    specification_sha256: Sha256
    source: str
    source_sha256: Sha256
    window_sha256: Sha256
    rows: Count
    samples: Count
    class_counts: dict[str, Count]
    suite: str
    suite_sha256: Sha256
    validity: tuple[ValidityPart, ...]
    valid: bool
    clean_accuracy: RatePart
    accuracy_under_attack: tuple[UnderAttackPart, ...]
    criteria: tuple[CriterionPart, ...]
    holds: bool
    evidence: EvidencePart
    evaluated_at: Timestamp


def window_folder(run_id: str) -> str:
    """What the names of a run's window documents start with."""
    return f"windows/{run_id}/"


def window_name(found: WindowEvaluation) -> str:
    """Name of the document."""
    return f"{window_folder(found.run_id)}{found.model_sha256}.json"


def write_window(store: Store, found: WindowEvaluation) -> str:
    """Writes the document of a run and model, and returns its name."""
    name = window_name(found)
    store.write_document(name, found.model_dump_json(by_alias=True, indent=2).encode() + b"\n")
    return name


def windows_of(store: Store, run_id: str) -> list[WindowEvaluation]:
    """The window evaluations of a run, in the order of their seconds; StorageError where one is damaged."""
    found = []
    for name in store.list_documents(window_folder(run_id)):
        try:
            item = WindowEvaluation.model_validate_json(store.read_document(name) or b"")
        except ValidationError as error:
            raise _damaged(name) from error
        if window_name(item) != name:
            raise _damaged(name)
        found.append(item)
    return sorted(found, key=lambda item: item.evaluated_at)


def window_summary(found: WindowEvaluation) -> str:
    """One line: whether the criteria hold on the window, and which do not."""
    where = f"on the window of {found.samples} rows"
    unmet = [
        f"{part.metric} {part.observed} is not {part.comparator} {part.threshold}"
        for part in found.criteria
        if not part.met
    ]
    if unmet:
        invalid = "" if found.valid else "; the evaluation failed checks of its own"
        return f"{len(unmet)} criteria not met {where}: {'; '.join(unmet)}{invalid}"
    if not found.criteria:
        return f"no empirical criterion is registered, so nothing was judged {where}"
    return f"all {len(found.criteria)} empirical criteria met {where}"


def _damaged(name: str) -> StorageError:
    what = f"a window evaluation in the store's '{name}'"
    return StorageError(expected(what, got="another document", remedy="restore it, or run again"))
