"""What a user writes: one specification of what is claimed, against which threat, and when it is accepted.

Every type here is frozen and refuses unknown keys. YAML keys are lowerCamelCase, Python names snake_case. Descriptions
are written for a person who fills in the file: they become the comments of `robustcert init` and the hints of
specification.v1.schema.json, which is made from these types. `robustcert.specification_file` reads a specification
from a file, names path and line of what is wrong, and hashes it.
"""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from robustcert.document import Name, Positive, Ratio, Sha256, Text, WrittenPart
from robustcert.errors import expected
from robustcert.specification_certification import Certification, Radius
from robustcert.specification_data import EXAMPLE_SHA256, Approval, Contract, Data, Feature, Provenance, Splits
from robustcert.threat_model import ThreatModel

__all__ = [
    "API_VERSION",
    "KIND",
    "Approval",
    "Certification",
    "Contract",
    "Criterion",
    "Data",
    "Evaluation",
    "Feature",
    "Model",
    "Owner",
    "Provenance",
    "Recertification",
    "Specification",
    "Splits",
    "Training",
    "Validity",
    "schema_json",
]

API_VERSION = "robustcert/v1"
KIND = "RobustnessSpecification"
SCHEMA_ID = "urn:robustcert:specification:v1:schema"
COMMENT = "Made from robustcert/specification.py by robustcert.specification.schema_json; not edited by hand."

Factory = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
SuiteName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+@\d+$")]
HiddenUnits = Annotated[int, Field(gt=0, le=8192)]


class Owner(WrittenPart):
    """Who answers for the model."""

    name: Text = Field(description="person or team who answers for the model")
    contact: Text = Field(description="where they are reached")


class Model(WrittenPart):
    """A reference architecture to train, or your own: safetensors weights, an importable factory, or ONNX."""

    architecture: Literal["mlp", "small-cnn", "resnet"] | None = Field(
        default=None, description="mlp, small-cnn or resnet (the last two for images)", examples=["mlp"]
    )
    factory: Factory | None = Field(
        default=None, description="your own: importable function that returns it", examples=["package.module:function"]
    )
    onnx: Text | None = Field(default=None, description="your own: path of an ONNX file", examples=["model.onnx"])
    weights: Text | None = Field(
        default=None, description="your own: path of safetensors weights", examples=["model.safetensors"]
    )
    sha256: Sha256 | None = Field(
        default=None, description="SHA-256 that weights or onnx must have", examples=[EXAMPLE_SHA256]
    )
    hidden: tuple[HiddenUnits, ...] = Field(
        default=(64, 64), min_length=1, max_length=32, description="mlp: units of each hidden layer"
    )
    width: int = Field(default=16, gt=0, le=512, description="small-cnn, resnet: channels of the first stage")

    @model_validator(mode="after")
    def _one_of(self) -> Model:
        given = [key for key in ("architecture", "factory", "onnx") if getattr(self, key) is not None]
        if len(given) != 1:
            got = " and ".join(given) or "none"
            raise ValueError(expected("exactly one of architecture, factory, onnx", got=got, remedy="keep one"))
        if self.onnx is not None and self.weights is not None:
            raise ValueError(expected("no 'weights' next to 'onnx'", got="both", remedy="an ONNX file holds its own"))
        return self


class Training(WrittenPart):
    """Adversarial training. The checkpoint is chosen on `validation` by accuracy under attack, never on `test`."""

    method: Literal["pgd", "standard"] = Field(
        default="pgd", description="pgd (adversarial, against threatModel) or standard (clean inputs)"
    )
    threat_model: Name | None = Field(
        default=None, description="pgd: name of the threat model to train against", examples=["linf-0.1"]
    )
    epochs: int = Field(default=40, gt=0, le=10_000, description="passes over the training split")
    batch_size: int = Field(default=128, gt=0, le=65_536, description="samples in one optimizer step")
    learning_rate: Positive = Field(default=0.008, description="learning rate of the optimizer")
    weight_decay: float = Field(default=0.0001, ge=0, description="weight decay of the optimizer")
    steps: int = Field(default=7, gt=0, le=1000, description="pgd: attack steps on each batch")
    noise_sigma: float = Field(
        default=0.0, ge=0, description="Gaussian noise on half of the loss, in certification.unit; 0 for none"
    )


class Evaluation(WrittenPart):
    """Attack suite `name@version`, and the multiples of each epsilon at which the curve is drawn."""

    suite: SuiteName = Field(default="quick@1", description="attack suite, name@version")
    samples: int | None = Field(
        default=None, gt=0, description="how many test samples to attack; all of them when left out", examples=[200]
    )
    curve: tuple[Positive, ...] = Field(
        default=(0.25, 0.5, 1.0, 1.5), max_length=32, description="multiples of each epsilon to attack at; 1 among them"
    )

    @model_validator(mode="after")
    def _ascends_through_one(self) -> Evaluation:
        if list(self.curve) != sorted({*self.curve, 1.0}):
            what = "ascending multiples of epsilon with 1 among them"
            remedy = "sort them and add 1: criteria are judged there"
            raise ValueError(expected(what, got=str(list(self.curve)), remedy=remedy))
        return self


class Criterion(WrittenPart):
    """One acceptance criterion, judged on the weak end of the metric's interval."""

    metric: Literal["clean_accuracy", "accuracy_under_attack", "certified_accuracy", "abstention_rate"] = Field(
        description="clean_accuracy, accuracy_under_attack, certified_accuracy or abstention_rate"
    )
    comparator: Literal[">=", "<="] = Field(description="'>=' for accuracies, '<=' for abstention_rate")
    threshold: Ratio = Field(description="share of the test samples, 0 to 1, held against the interval's weak end")
    threat_model: Name | None = Field(
        default=None, description="accuracy_under_attack: name of the threat model", examples=["linf-0.1"]
    )
    radius: Radius | None = Field(
        default=None,
        description="certified_accuracy: radius of certification.radii, in certification.unit",
        examples=[0.25],
    )

    @model_validator(mode="after")
    def _complete(self) -> Criterion:
        needs = "with {metric}, and with no other metric"
        if (self.metric == "accuracy_under_attack") != (self.threat_model is not None):
            what = f"'threatModel' {needs.format(metric='accuracy_under_attack')}"
            raise ValueError(expected(what, got=self.metric, remedy="add or remove threatModel"))
        if (self.metric == "certified_accuracy") != (self.radius is not None):
            what = f"'radius' {needs.format(metric='certified_accuracy')}"
            raise ValueError(expected(what, got=self.metric, remedy="add or remove radius"))
        if (self.metric == "abstention_rate") != (self.comparator == "<="):
            what, got = "'>=' for accuracies and '<=' for abstention_rate", f"'{self.comparator}' for {self.metric}"
            raise ValueError(expected(what, got=got, remedy="turn the comparator"))
        return self


class Validity(WrittenPart):
    """How long the certificate may be relied on, in days from its issue."""

    days: int = Field(default=90, gt=0, le=3660, description="days from its issue during which the certificate holds")


class Recertification(WrittenPart):
    """What a recertification may do where the model no longer meets the criteria on a window of production data.

    `allowed` trains a new model as `training` says, on the registered data, with a seed drawn anew; the window only
    evaluates. Nothing is ever deployed by it.
    """

    retrain: Literal["never", "allowed"] = Field(
        default="never", description="never, or allowed: a model that fails on drifted data may be trained anew"
    )


class Specification(WrittenPart):
    """The whole specification, robustcert/v1.

    A field that is added within v1 is optional and absent by default, so that it leaves the canonical form, and with
    it the digest, of every earlier specification unchanged.
    """

    api_version: Literal["robustcert/v1"] = Field(description="version of this format")
    kind: Literal["RobustnessSpecification"] = Field(description="what this file is")
    name: Name = Field(description="short name: lower-case letters, digits, '.' and '-'")
    profile: Literal["standard", "high-stakes"] = Field(
        default="standard", description="standard, or high-stakes: personal data, approvals and rationale are mandatory"
    )
    owner: Owner = Field(description="who answers for the model")
    intended_use: Text = Field(description="what the model is for, and what it is not for")
    claim: Text = Field(description="what is claimed: on which data, against what, and what is not claimed")
    seed: int = Field(default=0, ge=0, lt=2**63, description="seed of splits, training and attacks")
    data: Data = Field(description="the data set")
    model: Model = Field(description="the model: exactly one of architecture, factory, onnx")
    training: Training | None = Field(
        default=None, description="how the architecture is trained; leave out with your own weights"
    )
    threat_models: tuple[ThreatModel, ...] = Field(
        min_length=1, max_length=16, description="what an attacker may do, measured before the model's preprocessing"
    )
    evaluation: Evaluation = Field(default=Evaluation(), description="attacks: what they find is an upper bound only")
    certification: Certification = Field(description="proofs by randomized smoothing, against l2 or l1 perturbations")
    acceptance: tuple[Criterion, ...] = Field(
        min_length=1, max_length=64, description="the certificate is accepted when every criterion is met"
    )
    validity: Validity = Field(default=Validity(), description="how long the certificate may be relied on")
    recertification: Recertification | None = Field(
        default=None,
        description="what a recertification may do; left out, it never trains a new model",
        examples=[{"retrain": "never"}],
    )
    rationale: dict[str, Text] = Field(
        default={},
        max_length=256,
        description="path of a value or section that is not the default: why",
    )

    def threat(self, name: str) -> ThreatModel:
        """The threat model of that name; KeyError when there is none (`specification_checks` excludes it)."""
        return {threat.name: threat for threat in self.threat_models}[name]


def schema_json() -> str:
    """JSON Schema 2020-12 of a specification, as committed in specification.v1.schema.json."""
    schema = Specification.model_json_schema(by_alias=True)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, "$comment": COMMENT}
    return json.dumps({**head, **schema, "title": "Robustcert specification, robustcert/v1"}, indent=2) + "\n"
