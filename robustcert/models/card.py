"""The card of a model file: what the file says of itself. No torch here, so that a verifier can read it.

A model file is a safetensors file (https://github.com/huggingface/safetensors, README section "Format") whose header
holds exactly one metadata key, `robustcert`: the canonical JSON of the card. Its SHA-256 is the subject of a
certificate. An ONNX file (https://onnx.ai/onnx/repo-docs/IR.html) has no card of ours. Pickles are never read.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, StringConstraints, ValidationError, model_validator

from robustcert.document import IssuedPart, Sha256, Text
from robustcert.errors import ModelError, expected
from robustcert.models.file_bytes import read_model_bytes, safetensors_metadata
from robustcert.provenance.digests import canonical_json, sha256_bytes

METADATA_KEY = "robustcert"
FLOAT32_MAX = float(np.finfo(np.float32).max)
GRID_ROUNDING = (
    "each input is rounded to the nearest multiple of its coordinate's unit in the data set card, ties to even"
)

Float32 = Annotated[str, StringConstraints(pattern=r"^-?\d+(\.\d+)?$", max_length=64)]
Parameter = str | int | tuple[int, ...]


class Preprocessing(IssuedPart):
    """What the model does first: (x - mean) / std, per channel (images) or coordinate (tables), as float32 values."""

    mean: tuple[Float32, ...]
    std: tuple[Float32, ...]
    grid_rounding: Text = GRID_ROUNDING

    @model_validator(mode="after")
    def _divisible(self) -> Preprocessing:
        if len(self.mean) != len(self.std):
            raise ValueError(f"expected as many means as stds, got {len(self.mean)} and {len(self.std)}")
        if not all(abs(float(number)) <= FLOAT32_MAX for number in (*self.mean, *self.std)):
            raise ValueError("expected every mean and std finite in float32")
        if not all(self.arrays()[1] > 0):
            raise ValueError("expected every std above 0 in float32")
        return self

    def arrays(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean and std as float32, one number per channel or coordinate."""
        mean, std = (np.array([float(number) for number in numbers]) for numbers in (self.mean, self.std))
        return mean.astype(np.float32), std.astype(np.float32)


class ModelCard(IssuedPart):
    """What a model file says of itself.

    `input_shape` is (C, H, W) or (D,), without the batch. `architecture` and its `parameters` are those of
    `robustcert.models.architectures`; `factory` is the user's `package.module:function`, `factory_sha256` the digest of
    the source file that defines it. An ONNX model has neither.
    """

    version: Literal["robustcert-model/v1"] = "robustcert-model/v1"
    format: Literal["safetensors", "onnx"] = "safetensors"
    architecture: str | None = None
    parameters: dict[str, Parameter] = Field(default_factory=dict)
    factory: str | None = None
    factory_sha256: Sha256 | None = None
    input_shape: Annotated[tuple[Annotated[int, Field(gt=0)], ...], Field(min_length=1, max_length=3)]
    classes: Annotated[tuple[Text, ...], Field(min_length=2)]
    preprocessing: Preprocessing
    trained_by: Text | None = None

    @model_validator(mode="after")
    def _complete(self) -> ModelCard:
        if len(self.preprocessing.mean) != self.input_shape[0]:
            raise ValueError(f"expected {self.input_shape[0]} means and stds, got {len(self.preprocessing.mean)}")
        if (self.format == "safetensors") != ((self.architecture is None) != (self.factory is None)):
            raise ValueError("expected either an architecture or a factory with safetensors, and neither with onnx")
        return self

    def to_json(self) -> bytes:
        """Canonical JSON, as it stands in the file's header."""
        return canonical_json(self.model_dump(mode="json", by_alias=True))


def preprocessing_of(mean: Sequence[float], std: Sequence[float]) -> Preprocessing:
    """Preprocessing with the shortest decimals that give the same float32 back; ModelError where one is unusable.

    >>> preprocessing_of([0.1], [1.0]).mean
    ('0.1',)
    """
    if not (np.isfinite(mean).all() and np.isfinite(std).all() and min(std) > 0):
        got = "a NaN, an infinity or a std not above 0"
        raise ModelError(expected("finite means and positive stds", got=got, remedy="check the training data"))
    return Preprocessing(mean=tuple(map(_decimal, mean)), std=tuple(map(_decimal, std)))


def identity_preprocessing(input_shape: Sequence[int]) -> Preprocessing:
    """Mean 0 and std 1: the model takes raw inputs, and whatever it does to them is inside it.

    >>> identity_preprocessing((3, 8, 8)).std
    ('1', '1', '1')
    """
    return Preprocessing(mean=("0",) * input_shape[0], std=("1",) * input_shape[0])


def read_card(path: Path) -> tuple[ModelCard, str]:
    """Card and SHA-256 of a safetensors model file, without torch; ModelError for anything else."""
    data = read_model_bytes(path)
    return card_in(data, source=str(path)), sha256_bytes(data)


def card_in(data: bytes, *, source: str) -> ModelCard:
    """Card in the bytes of a model file; `source` is named in the ModelError where there is none."""
    metadata = safetensors_metadata(data, source=source)
    if set(metadata) != {METADATA_KEY}:
        what = f"one metadata key '{METADATA_KEY}'"
        remedy = "import your own weights through the specification's model.weights"
        raise ModelError(expected(what, got=f"{sorted(metadata)} in {source}", remedy=remedy))
    try:
        return ModelCard.model_validate_json(metadata[METADATA_KEY])
    except ValidationError as error:
        first = error.errors()[0]
        got = f"{'.'.join(map(str, first['loc'])) or 'card'}: {first['msg']} in {source}"
        raise ModelError(
            expected("a model card, version 1", got=got, remedy="write the file with robustcert")
        ) from error


def _decimal(value: float) -> str:
    return np.format_float_positional(np.float32(value), unique=True, trim="-")
