"""From a specification to what a run of it is asked for: which pipeline, which parameters, and the key of the run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from robustcert.errors import InputError, expected
from robustcert.kubeflow.compiled import Input
from robustcert.kubeflow.parameters import MOST_BYTES, checked, size_in_bytes
from robustcert.kubeflow.runs import display_name
from robustcert.provenance.digests import canonical_json
from robustcert.specification_file import LoadedSpecification
from robustcert.storage.addresses import object_name
from robustcert.storage.s3_address import parse_uri

TRAINING = "certified-training"
OWN_MODEL = "certify-model"
ON_EVERY_POD = ("builtin:", "s3://")


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """What is wanted of a pipeline: the specification, where everything is kept, and values for other inputs."""

    loaded: LoadedSpecification
    pipeline: str
    store: str
    settings: Mapping[str, Any]
    run_token: str = ""
    version: str = ""

    @property
    def name(self) -> str:
        """The name of the run: equal for equal requests. A version counts where it was named."""
        key = {
            "specification": self.loaded.canonical_sha256,
            "parameters": {name: json.dumps(value, sort_keys=True) for name, value in self.settings.items()},
            "store": self.store,
            "runToken": self.run_token,
            "version": self.version,
        }
        return display_name(pipeline=self.pipeline, subject=self.loaded.specification.name, key=canonical_json(key))


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """A run's parameters, and the text that must lie in the store before it starts; None where none must."""

    values: Mapping[str, Any]
    to_store: bytes | None


def pipeline_of(loaded: LoadedSpecification) -> str:
    """The pipeline that certifies this specification: with training, or with a model of the user's own."""
    return TRAINING if loaded.specification.training is not None else OWN_MODEL


def parameters_of(request: RunRequest, inputs: Mapping[str, Input]) -> Parameters:
    """The parameters, checked; a specification that is too long for one goes as the URI of its text in the store."""
    _require_readable_by_pods(request)
    text = request.loaded.text
    values = {**request.settings, "store": request.store, "specification": text}
    if request.run_token:
        values["run_token"] = request.run_token
    if size_in_bytes(values) <= MOST_BYTES:
        return Parameters(values=checked(values, inputs), to_store=None)
    values["specification"] = stored_at(request)
    return Parameters(values=checked(values, inputs), to_store=text.encode())


def stored_at(request: RunRequest) -> str:
    """Where the specification's text lies in the store once it was put there."""
    place, separator, query = request.store.partition("?")
    return f"{place.rstrip('/')}/{object_name(request.loaded.text_sha256)}{separator}{query}"


def _require_readable_by_pods(request: RunRequest) -> None:
    """InputError where a pod could not read what the specification names, since it lies on this machine."""
    if not request.store.startswith("s3://"):
        got = repr(request.store)
        raise InputError(
            expected("s3://bucket/prefix as --store", got=got, remedy="pods see no folder of this machine")
        )
    for place in (request.store, request.settings.get("data_uri"), request.settings.get("model_uri")):
        if isinstance(place, str) and place.startswith("s3://"):
            parse_uri(place, settings=None)  # refuses credentials: everybody who sees the run reads its parameters
    specification = request.loaded.specification
    model = specification.model.onnx or specification.model.weights
    _require_remote(specification.data.source, given=request.settings.get("data_uri"), name="data_uri")
    _require_remote(model, given=request.settings.get("model_uri"), name="model_uri")


def _require_remote(place: str | None, *, given: object, name: str) -> None:
    if place is None or given or place.startswith(ON_EVERY_POD):
        return
    remedy = f"copy it there and add --set {name}=s3://...; the specification must hold its sha256"
    raise InputError(expected("builtin: or s3://, which pods can read", got=f"'{place}'", remedy=remedy))
