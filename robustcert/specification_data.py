"""The `data` part of a specification: source, contract, provenance and splits of a data set.

A contract is what the data promise; `robustcert.data.validation` holds them to it. Descriptions are written for a
person who fills in the file: they become the comments of `robustcert init` and the hints of the JSON Schema.
"""

from __future__ import annotations

import datetime
from collections import Counter
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from robustcert.document import Date, Positive, Ratio, Sha256, Text, WrittenPart
from robustcert.errors import expected

TABLE_SUFFIXES = (".csv", ".parquet")
EXAMPLE_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

FeatureKind = Literal["continuous", "integer", "binary", "categorical"]
Side = Annotated[int, Field(gt=0, le=65_536)]


class Feature(WrittenPart):
    """One column of a table: kind, unit and the values it may take, in the column's own unit."""

    name: Text = Field(description="name of the column")
    kind: FeatureKind = Field(default="continuous", description="continuous, integer, binary or categorical")
    unit: str = Field(default="", description="unit of the values, for example mm; empty for none")
    minimum: float | None = Field(default=None, description="smallest allowed value, in the unit", examples=[0])
    maximum: float | None = Field(default=None, description="largest allowed value, in the unit", examples=[100])
    categories: tuple[Text, ...] = Field(
        default=(), description="allowed values of a categorical feature, in one-hot order"
    )
    perturbable: bool = Field(default=True, description="whether an attacker may change it (numeric features only)")

    @model_validator(mode="after")
    def _has_its_values(self) -> Feature:
        if self.kind == "categorical" and not self.categories:
            raise ValueError(expected(f"'categories' for categorical {self.name!r}", got="none", remedy="list them"))
        if self.kind in ("continuous", "integer") and (self.minimum is None or self.maximum is None):
            remedy = "give the range it may take"
            raise ValueError(expected(f"'minimum' and 'maximum' for {self.name!r}", got="less", remedy=remedy))
        if len(set(self.categories)) != len(self.categories):
            raise ValueError(expected(f"distinct categories of {self.name!r}", got="one twice", remedy="drop it"))
        return self

    @model_validator(mode="after")
    def _range_ascends(self) -> Feature:
        if self.minimum is not None and self.maximum is not None and self.minimum >= self.maximum:
            got = f"{self.minimum:g} and {self.maximum:g}"
            raise ValueError(expected(f"minimum < maximum for {self.name!r}", got=got, remedy="swap or correct them"))
        return self


class Contract(WrittenPart):
    """What the data promise: shape, range, classes, feature kinds; `validation` holds the data to it.

    Images: `shape` is (C, H, W), `range` the stored values, and the model sees stored value / `divide_by`.
    Tables: `features` in column order and `label`, the label's column.
    """

    kind: Literal["image", "tabular"] = Field(description="image or tabular")
    classes: tuple[Text, ...] = Field(
        min_length=2, description="names of the classes, in the order of the label numbers"
    )
    shape: tuple[Side, ...] | None = Field(
        default=None, min_length=3, max_length=3, description="images: channels, height, width", examples=[[3, 32, 32]]
    )
    range: tuple[float, ...] | None = Field(
        default=None,
        min_length=2,
        max_length=2,
        description="images: lowest and highest stored value",
        examples=[[0, 255]],
    )
    divide_by: Positive = Field(default=1.0, description="images: the model sees stored value / divideBy")
    features: tuple[Feature, ...] = Field(default=(), description="tables: every column but the label, in order")
    label: Text | None = Field(default=None, description="tables: name of the label's column", examples=["label"])
    minimum_class_fraction: Ratio = Field(
        default=0.01, description="least share of the rows for each class, 0 to 1; fewer fail validation"
    )
    maximum_duplicate_fraction: Ratio = Field(
        default=0.05, description="largest share of repeated rows, 0 to 1; more fail validation"
    )
    maximum_leaked_fraction: Ratio = Field(
        default=0.0, description="largest share of test rows that are also in train or validation, 0 to 1"
    )
    near_duplicate_distance: float = Field(
        default=0.01, ge=0, description="rows closer than this leak: RMS difference, as a share of the range"
    )

    @model_validator(mode="after")
    def _has_its_kind(self) -> Contract:
        if self.kind == "image" and (self.shape is None or self.range is None):
            what = "'shape' [C, H, W] and 'range' [low, high] for kind image"
            raise ValueError(expected(what, got="less", remedy="add them"))
        if self.kind == "tabular" and not self.features:
            remedy = "list every column but the label"
            raise ValueError(expected("'features' for kind tabular", got="none", remedy=remedy))
        return self

    @model_validator(mode="after")
    def _range_ascends(self) -> Contract:
        if self.range is not None and self.range[0] >= self.range[1]:
            got = str(list(self.range))
            raise ValueError(expected("range [low, high] with low < high", got=got, remedy="swap or correct them"))
        return self

    @model_validator(mode="after")
    def _names_each_thing_once(self) -> Contract:
        if len(set(self.classes)) != len(self.classes):
            raise ValueError(expected("distinct 'classes'", got="a class twice", remedy="name each once"))
        columns = [feature.name for feature in self.features] + ([self.label] if self.label is not None else [])
        if len(set(columns)) != len(columns):
            twice = Counter(columns).most_common(1)[0][0]
            raise ValueError(expected("distinct columns", got=f"{twice!r} twice", remedy="name each once"))
        return self


class Approval(WrittenPart):
    """Ethical or organisational approval to use the data."""

    id: Text = Field(description="number or name of the approval")
    authority: Text = Field(description="who gave it")
    expires: Date = Field(description="last day on which it holds, YYYY-MM-DD")

    @field_validator("expires", mode="after")
    @classmethod
    def _is_a_day(cls, value: str) -> str:
        try:
            datetime.date.fromisoformat(value)
        except ValueError:
            what = "a day of the calendar such as 2030-12-31"
            raise ValueError(expected(what, got=value, remedy="correct it")) from None
        return value


class Provenance(WrittenPart):
    """Where the data come from and on which terms they may be used."""

    source: Text = Field(description="where the data come from")
    licence: Text = Field(description="terms of use, for example CC BY 4.0")
    collected_at: Text = Field(description="when the data were collected: a date, a year or a period")
    transforms: tuple[Text, ...] = Field(default=(), description="what was done to the data since, in order")
    personal_data: Literal["none", "anonymised", "pseudonymised", "identifiable"] | None = Field(
        default=None, description="none, anonymised, pseudonymised or identifiable", examples=["none"]
    )
    approvals: tuple[Approval, ...] = Field(default=(), description="approvals to use the data; high-stakes needs one")


class Splits(WrittenPart):
    """Roles of the splits. Training sees `train`, choices are made on `validation`, claims on `test` only."""

    train: Ratio = Field(default=0.6, description="share of the rows that training sees")
    validation: Ratio = Field(default=0.15, description="share of the rows on which choices are made")
    test: Ratio = Field(default=0.25, description="share of the rows on which claims are made, and nothing else")
    column: Text | None = Field(
        default=None, description="column that holds train, validation or test, instead of shares", examples=["split"]
    )

    @model_validator(mode="after")
    def _sum_to_one(self) -> Splits:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(expected("train + validation + test = 1", got=f"{total:g}", remedy="correct the shares"))
        if min(self.train, self.validation, self.test) <= 0:
            remedy = "a claim needs train, validation and test of its own"
            raise ValueError(expected("every split above 0", got="a split of 0", remedy=remedy))
        return self


class Data(WrittenPart):
    """The data set: `source` is builtin:digits, builtin:breast-cancer, a path, or an s3:// URI."""

    source: Text = Field(
        description="builtin:digits, builtin:breast-cancer, a .npz, .csv or .parquet file, an image folder, or s3://..."
    )
    sha256: Sha256 | None = Field(
        default=None, description="SHA-256 that the source must have", examples=[EXAMPLE_SHA256]
    )
    contract: Contract | None = Field(default=None, description="what the data promise; builtin sources bring theirs")
    provenance: Provenance | None = Field(
        default=None, description="where the data come from; builtin sources bring theirs"
    )
    splits: Splits = Field(default=Splits(), description="roles of the rows; assigned by seed, class by class")

    @model_validator(mode="after")
    def _described(self) -> Data:
        if not self.source.startswith("builtin:") and (self.contract is None or self.provenance is None):
            remedy = "add them; only builtin: sources bring theirs"
            raise ValueError(expected("'contract' and 'provenance' for your own data", got="less", remedy=remedy))
        return self

    @model_validator(mode="after")
    def _table_has_its_label(self) -> Data:
        table = self.source.lower().endswith(TABLE_SUFFIXES)
        if table and self.contract is not None and self.contract.label is None:
            raise ValueError(expected("'label' in the contract of a table", got="none", remedy="name its column"))
        return self
