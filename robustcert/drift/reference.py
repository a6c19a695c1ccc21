"""The drift reference of a certificate: what the certified model does on the certified test split, in bins.

A small document, a pure function of certificate, data set and model. A serving process counts in its bins
(`robustcert.drift.stream`), and the exporter's rules compare the counts with its. Reading it needs no torch; building
it does. Shapes: N rows of the test split, D coordinates of the model's input, F raw columns of a table.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator

from robustcert.document import Decimal, IssuedPart, Sha256
from robustcert.drift.stream.bins import MOST_BINS, counts_in, equal_mass_edges
from robustcert.errors import DataError, expected
from robustcert.provenance.digests import canonical_json

if TYPE_CHECKING:
    from robustcert.certificate.certified import Certified
    from robustcert.data.dataset import Dataset
    from robustcert.specification import Contract
    from robustcert.storage.store import Store

SMALLEST_SCALE = 0.01  # of a coordinate's range: where the training split hardly varies, a change counts as this
DIGITS = 6  # significant ones of centre and scale

Float64 = NDArray[np.float64]
Count = Annotated[int, Field(ge=0)]


class Bins(IssuedPart):
    """Ascending edges, and how many rows of the reference fall into each of the bins between them."""

    edges: Annotated[tuple[Decimal, ...], Field(max_length=MOST_BINS - 1)]
    counts: tuple[Count, ...]

    @model_validator(mode="after")
    def _fits(self) -> Bins:
        edges = self.values()
        if len(self.counts) != len(edges) + 1 or list(edges) != sorted(set(edges)) or not sum(self.counts):
            raise ValueError("expected ascending edges, one count more than edges, and rows to count")
        return self

    def values(self) -> tuple[float, ...]:
        """The edges as numbers."""
        return tuple(map(float, self.edges))


class ColumnPart(IssuedPart):
    """A raw column of a table: its kind and what it may hold; `lower` and `upper` of numbers only."""

    name: str
    kind: Literal["continuous", "integer", "binary", "categorical"]
    lower: Decimal | None = None
    upper: Decimal | None = None
    categories: tuple[str, ...] = ()


class RangePart(IssuedPart):
    """What an image stores: values from `lower` to `upper`; the model's input is value / `divide_by`."""

    lower: Decimal
    upper: Decimal
    divide_by: Decimal


class DriftReference(IssuedPart):
    """What production is compared with; `margin` is of logits, `votes` shares of noisy votes, 0 to 1.

    `shape` is the model's input, `centre` and `scale` per coordinate of it in C order, from the training split.
    `distance` is sqrt(mean(((x - centre) / scale)^2)). `predicted` counts the N rows by class. `abstained` of `of` rows
    of the certification evidence got no answer.
    """

    schema_version: Literal["1"]
    name: str
    certificate_sha256: Sha256
    model_sha256: Sha256
    dataset_sha256: Sha256
    split: Literal["test"]
    rows: Annotated[int, Field(gt=0)]
    classes: Annotated[tuple[str, ...], Field(min_length=2)]
    kind: Literal["image", "table"]
    shape: tuple[Annotated[int, Field(gt=0)], ...]
    image: RangePart | None
    columns: tuple[ColumnPart, ...]
    centre: tuple[Decimal, ...]
    scale: tuple[Decimal, ...]
    margin: Bins
    votes: Bins | None
    distance: Bins
    predicted: dict[str, Count]
    abstained: Count
    of: Count

    @model_validator(mode="after")
    def _fits(self) -> DriftReference:
        coordinates = int(np.prod(self.shape))
        if not len(self.centre) == len(self.scale) == coordinates:
            raise ValueError(f"expected a centre and a scale of each of {coordinates} coordinates")
        if (self.kind == "image") != (self.image is not None) or (self.kind == "table") != bool(self.columns):
            raise ValueError("expected the range of an image or the columns of a table")
        if not all(float(scale) > 0 for scale in self.scale):
            raise ValueError("expected every scale above 0")
        return self

    @property
    def version(self) -> str:
        """The model's version, as metrics name it."""
        return self.model_sha256[:12]

    def to_json(self) -> bytes:
        """The document's bytes; equal references give equal bytes."""
        return canonical_json(self.model_dump(mode="json", by_alias=True)) + b"\n"


def read_reference(data: bytes) -> DriftReference:
    """The reference in a document's bytes; DataError for anything else."""
    try:
        return DriftReference.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        got = f"{'.'.join(map(str, first['loc'])) or 'document'}: {first['msg']}"
        remedy = "write it with `robustcert drift-reference`"
        raise DataError(expected("a drift reference, version 1", got=got, remedy=remedy)) from error


def build_reference(store: Store, certified: Certified, *, factory: str | None = None) -> DriftReference:
    """The reference of a certificate, from the files that it names; `factory` as in `load_model`.

    Raises: ModelError or DataError for files that are not what they should be.
    """
    from robustcert.certificate import bundle
    from robustcert.data.contract import contract_of
    from robustcert.data.dataset import load_dataset
    from robustcert.specification_file import recorded_specification

    text = certified.predicate.specification.text
    written = recorded_specification(text, name="the certificate's specification").specification
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / name for name in (bundle.DATASET, bundle.CERTIFICATION, certified.model)}
        for name, path in paths.items():
            store.fetch(certified.files[name], path)
        dataset = load_dataset(paths[bundle.DATASET])
        logits_NK = _logits(paths[certified.model], dataset.select("test"), factory=factory)
        shares_R, abstained = _votes(paths[bundle.CERTIFICATION], method=written.certification.method)
    return _reference(
        certified,
        dataset,
        contract=contract_of(written.data),
        logits_NK=logits_NK,
        shares_R=shares_R,
        abstained=abstained,
    )


def margins(logits_NK: NDArray[Any]) -> Float64:
    """Best logit minus second best of each row."""
    top_N2 = np.partition(np.asarray(logits_NK, dtype=np.float64), -2, axis=1)[:, -2:]
    return np.asarray(top_N2[:, 1] - top_N2[:, 0])


def distances(x_ND: Float64, *, centre_D: Float64, scale_D: Float64) -> Float64:
    """Root mean square standardised distance of each row to the centre."""
    z_ND = (x_ND - centre_D) / scale_D
    return np.asarray(np.sqrt(np.einsum("nd,nd->n", z_ND, z_ND) / z_ND.shape[1]))


def _logits(path: Path, test: Dataset, *, factory: str | None) -> NDArray[np.float64]:
    import torch

    from robustcert.attacks.fixed_batches import logits_of
    from robustcert.models.canonical_execution import canonical_execution
    from robustcert.models.files import load_model

    module = load_model(path, factory=factory).module
    with canonical_execution():
        return np.asarray(logits_of(module, torch.from_numpy(test.x())).double().numpy())


def _votes(path: Path, *, method: str | None) -> tuple[Float64, int]:
    """Share of the noisy votes that the top class got in each row of the evidence, and how many rows abstained."""
    from robustcert.certificate.evidence import certification_schema, read_rows
    from robustcert.smoothing.certified_accuracy import ABSTAIN

    found = [
        (_top_share(row), row["decision"] == ABSTAIN) for row in read_rows(path, schema=certification_schema(method))
    ]
    return np.array([share for share, _ in found]), sum(abstained for _, abstained in found)


def _top_share(row: Mapping[str, Any]) -> float:
    """Of the votes that bound; of the pilot's where it planned none."""
    counts, draws = (row["counts"], row["n"]) if row["n"] else (row["selection"], row["n0"])
    return float(max((count for _, count in counts), default=0) / draws)


def _reference(
    certified: Certified,
    dataset: Dataset,
    *,
    contract: Contract,
    logits_NK: Float64,
    shares_R: Float64,
    abstained: int,
) -> DriftReference:
    predicate, test = certified.predicate, dataset.select("test")
    centre_D, scale_D = _standard(dataset)
    counts_K = np.bincount(logits_NK.argmax(axis=1), minlength=dataset.n_classes)
    x_ND = test.x().reshape(len(test), -1)
    return DriftReference(
        schema_version="1",
        name=predicate.name,
        certificate_sha256=certified.sha256,
        model_sha256=predicate.model.sha256,
        dataset_sha256=predicate.data.file_sha256,
        split="test",
        rows=len(test),
        classes=dataset.card.classes,
        kind="image" if contract.kind == "image" else "table",
        shape=dataset.card.shape,
        image=_image(contract),
        columns=_columns(contract),
        centre=tuple(map(decimal, centre_D)),
        scale=tuple(map(decimal, scale_D)),
        margin=_bins(margins(logits_NK)),
        votes=_bins(shares_R) if len(shares_R) else None,
        distance=_bins(distances(x_ND, centre_D=centre_D, scale_D=scale_D)),
        predicted=dict(zip(dataset.card.classes, counts_K.tolist(), strict=True)),
        abstained=abstained,
        of=len(shares_R),
    )


def _standard(dataset: Dataset) -> tuple[Float64, Float64]:
    """Centre and scale of each coordinate on the training split, of which the test split is independent."""
    train = dataset.select("train")
    x_ND = train.x().reshape(len(train), -1)
    floor_D = SMALLEST_SCALE * (dataset.upper - dataset.lower).ravel()
    return _rounded(x_ND.mean(axis=0)), _rounded(np.maximum(x_ND.std(axis=0), floor_D))


def _rounded(values_D: Float64) -> Float64:
    return np.array([float(f"{value:.{DIGITS - 1}e}") for value in values_D])


def _bins(values_N: Float64) -> Bins:
    edges = equal_mass_edges(values_N)
    return Bins(edges=tuple(map(decimal, edges)), counts=counts_in(values_N, edges))


def _image(contract: Contract) -> RangePart | None:
    if contract.kind != "image":
        return None
    from robustcert.data.coordinates import image_bounds

    lower, upper = image_bounds(contract)
    return RangePart(lower=decimal(lower), upper=decimal(upper), divide_by=decimal(contract.divide_by))


def _columns(contract: Contract) -> tuple[ColumnPart, ...]:
    return tuple(
        ColumnPart(
            name=feature.name,
            kind=feature.kind,
            lower=None if feature.minimum is None else decimal(feature.minimum),
            upper=None if feature.maximum is None else decimal(feature.maximum),
            categories=feature.categories,
        )
        for feature in contract.features
    )


def decimal(value: float) -> str:
    """The shortest decimal, without an exponent, that reads back as the same number.

    >>> decimal(0.1), decimal(16.0)
    ('0.1', '16')
    """
    return np.format_float_positional(np.float64(value), unique=True, trim="-")


def floats(decimals: Sequence[str]) -> Float64:
    """Decimals as numbers."""
    return np.array([float(number) for number in decimals])
