"""The drift policy: what counts as drift, written down before a window is looked at; its digest stands in the record.

A person may change any of it in a YAML file (`robustcert drift --policy`). Keys are lowerCamelCase; what is left out
has the value here. Shares are from 0 to 1.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from robustcert.document import Ratio, WrittenPart
from robustcert.errors import InputError, expected
from robustcert.provenance.digests import canonical_json, sha256_bytes
from robustcert.specification_file import decimal
from robustcert.yaml_document import read_yaml

Rows = Annotated[int, Field(gt=0, le=10_000_000)]
Effect = Annotated[float, Field(ge=0, le=16, allow_inf_nan=False)]
Hours = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Chance = Annotated[float, Field(gt=0, le=0.5, allow_inf_nan=False)]
MAX_BYTES = 1 << 20
MOST_SIGNALS = 7  # that share alpha: columns, domain classifier, embedding, outputs, distance, labels, accuracy


class ColumnPolicy(WrittenPart):
    """When columns count as drifted, each and together."""

    correction: Literal["holm", "bh"] = Field(
        default="holm", description="holm: the chance of any false column; bh: the expected share of false columns"
    )
    minimum_effect: Effect = Field(
        default=0.1,
        description="smallest effect that counts, however certain it is: a shift in standard deviations, or Cramer's V",
    )
    most_drifted: Ratio = Field(default=0.0, description="largest share of drifted columns of a clean window")


class SamplePolicy(WrittenPart):
    """How many rows the parts see that do not look at every row; a larger window or reference is sampled."""

    outputs: Rows = Field(default=10_000, description="rows that the certified model answers, for outputs and distance")
    tests: Annotated[int, Field(ge=10, le=5_000)] = Field(
        default=1_000, description="rows for MMD and for the domain classifier, whose cost grows with the cube"
    )
    evidence: Annotated[int, Field(gt=0, le=10_000)] = Field(
        default=10_000, description="rows of Evidently's evidence, at most 10000"
    )
    permutations: Annotated[int, Field(ge=99, le=100_000)] = Field(
        default=999, description="permutations of a test; 1 / (permutations + 1) is its smallest p-value"
    )
    seed: Annotated[int, Field(ge=0, lt=2**63)] = Field(default=0, description="seed of samples and permutations")


class QualityPolicy(WrittenPart):
    """What the rows must be before they can tell anything about drift; shares of a column's rows, or of all rows."""

    minimum_ratio: Ratio = Field(
        default=0.9, description="share of rows without a defect below which the window is broken"
    )
    most_misread: Ratio = Field(default=0.0, description="values that are no number of their column's kind")
    most_nulls: Ratio = Field(default=0.01, description="missing values of a column")
    most_out_of_range: Ratio = Field(default=0.001, description="values outside the contract's range")
    most_new_categories: Ratio = Field(default=0.0, description="values that are no known category")
    most_repeated: Ratio = Field(default=0.001, description="rows that repeat an id")
    most_foreign_labels: Ratio = Field(default=0.0, description="labels that are no class")
    most_skew: Ratio = Field(
        default=0.01, description="logged answers that the certified model does not repeat on the same rows"
    )
    most_scale: Annotated[float, Field(ge=1, allow_inf_nan=False)] = Field(
        default=5.0, description="factor between the spreads of a column in window and reference"
    )
    oldest_hours: Hours = Field(default=48.0, description="age of the newest row, in hours")


class AccuracyPolicy(WrittenPart):
    """When labels that came later count, and how much accuracy may be lost."""

    minimum_coverage: Ratio = Field(
        default=0.05, description="labelled share of rows below which labels are not judged"
    )
    minimum_labels: Rows = Field(default=100, description="labelled rows below which labels are not judged")
    tolerated_loss: Ratio = Field(
        default=0.02, description="accuracy below the certificate's clean accuracy that is still as certified"
    )


class EffectPolicy(WrittenPart):
    """Practical limits of the other signals: smaller differences are no drift, however certain."""

    outputs: Effect = Field(default=0.1, description="of margins in standard deviations, of classes as Cramer's V")
    labels: Effect = Field(default=0.1, description="of labels, as Cramer's V")
    embedding: Effect = Field(default=0.05, description="root of the embedding's squared discrepancy (MMD)")
    auc: Annotated[float, Field(ge=0.5, lt=1)] = Field(
        default=0.6, description="AUC of the domain classifier, and AUROC of the distance"
    )


class GrossPolicy(WrittenPart):
    """From where on drift is gross: the certificate's evidence says nothing about such inputs."""

    columns: Ratio = Field(default=0.5, description="share of columns with an effect of at least `effect`")
    effect: Effect = Field(default=0.8, description="effect of a column that counts as large")
    distance_auroc: Annotated[float, Field(ge=0.5, le=1)] = Field(
        default=0.95, description="AUROC of the distance between reference and window"
    )
    outputs: Ratio = Field(default=0.5, description="total variation distance of the predicted classes")
    accuracy_loss: Ratio = Field(default=0.1, description="accuracy surely lost against the certificate's")


class DriftPolicy(WrittenPart):
    """What is drift. `alpha` is shared among all signals, so that one clean window in 1 / alpha raises an alarm."""

    alpha: Chance = Field(default=0.01, description="chance that a clean window counts as drifted")
    minimum_rows: Rows = Field(default=100, description="rows below which nothing is decided")
    baseline_tolerance: Ratio = Field(
        default=0.01, description="share of reference rows that may be answered otherwise than when they were certified"
    )
    columns: ColumnPolicy = ColumnPolicy()
    samples: SamplePolicy = SamplePolicy()
    quality: QualityPolicy = QualityPolicy()
    accuracy: AccuracyPolicy = AccuracyPolicy()
    minimum_effects: EffectPolicy = EffectPolicy()
    gross: GrossPolicy = GrossPolicy()

    @model_validator(mode="after")
    def _can_decide(self) -> DriftPolicy:
        least = math.ceil(MOST_SIGNALS / self.alpha) - 1
        if self.samples.outputs < self.minimum_rows:
            what, got = f"samples.outputs of at least minimumRows ({self.minimum_rows})", self.samples.outputs
            raise ValueError(expected(what, got=got, remedy="nothing could ever be decided"))
        if self.samples.permutations < least:
            what, got = f"at least {least:.6g} samples.permutations for alpha {self.alpha:g}", self.samples.permutations
            raise ValueError(expected(what, got=got, remedy="give more of them, or a larger alpha"))
        return self

    def document(self) -> dict[str, object]:
        """The whole policy with decimal strings for fractions, as it stands in a record."""
        found = _without_floats(self.model_dump(by_alias=True))
        assert isinstance(found, dict)
        return found

    @property
    def sha256(self) -> str:
        """SHA-256 of the policy's canonical JSON."""
        return sha256_bytes(canonical_json(self.document()))


def read_policy(path: Path) -> DriftPolicy:
    """The policy in a YAML file; InputError names file, line and key of what is wrong."""
    try:
        text = path.read_bytes()[: MAX_BYTES + 1].decode()
    except (OSError, UnicodeDecodeError) as error:
        remedy = "name a YAML file in UTF-8"
        raise InputError(expected("a drift policy", got=f"{str(path)!r}, unreadable", remedy=remedy)) from error
    return parse_policy(text, name=str(path))


def parse_policy(text: str, *, name: str = "policy") -> DriftPolicy:
    """As `read_policy` for a text; `name` stands for the file in errors.

    >>> parse_policy("alpha: 0.05").alpha
    0.05
    """
    if not any(line.partition("#")[0].strip() for line in text.splitlines()):
        return DriftPolicy()
    document = read_yaml(text)
    if document.problems:
        first = document.problems[0]
        raise InputError(f"{name}:{first.line}: {first.message}")
    try:
        return DriftPolicy.model_validate_json(json.dumps(document.value or {}))
    except ValidationError as error:
        found = error.errors()[0]
        where = ".".join(map(str, found["loc"])) or "the document"
        line = document.lines.get(tuple(found["loc"]), 1)
        what = f"a drift policy ({name}:{line})"
        raise InputError(expected(what, got=f"{where}: {found['msg']}", remedy="correct that key")) from error


def _without_floats(value: object) -> object:
    if isinstance(value, float):
        return decimal(value)
    return {key: _without_floats(item) for key, item in value.items()} if isinstance(value, dict) else value
