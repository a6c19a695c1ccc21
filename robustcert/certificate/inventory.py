"""The model inventory: for every model digest in a store, what it is and every run that tested it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from robustcert.certificate.bundle import MODELS, records
from robustcert.models.card import card_in
from robustcert.provenance.run_record import RunRecord
from robustcert.storage.store import Store


def inventory_lines(store: Store, *, model: str = "") -> Iterator[str]:
    """One paragraph per model whose digest starts with `model`, models by digest, runs oldest first."""
    runs: dict[str, list[RunRecord]] = defaultdict(list)
    for record in records(store):
        if record.model_sha256.startswith(model):
            runs[record.model_sha256].append(record)
    for sha256 in sorted(runs):
        yield f"model {sha256}"
        yield f"  {_described(store, runs[sha256][0])}"
        for record in runs[sha256]:
            yield (
                f"  {record.finished_at}  {record.outcome:<8}  {record.name}  data {record.data_merkle_root[:12]}  "
                f"certificate {record.certificate_sha256[:12]}  run {record.run_id}"
            )
    if not runs:
        yield f"no run of a model {model or 'at all'} in the store"


def _described(store: Store, record: RunRecord) -> str:
    name = next(name for name in MODELS if name in record.files)
    if not name.endswith(".safetensors"):
        return f"{name.rpartition('.')[2]} model, described by its own graph"
    card = card_in(store.read_bytes(record.files[name]), source=name)
    what = card.architecture or card.factory
    parameters = ", ".join(f"{key} {_listed(value)}" for key, value in card.parameters.items())
    mean, std = (" ".join(values[:3]) for values in (card.preprocessing.mean, card.preprocessing.std))
    more = " ..." if len(card.preprocessing.mean) > 3 else ""
    return (
        f"{what} ({parameters}), input {list(card.input_shape)}, {len(card.classes)} classes, "
        f"preprocessing mean {mean}{more}, std {std}{more}"
    )


def _listed(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
