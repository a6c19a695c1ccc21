"""Checks that model, training and certification fit together, and that nothing is written that has no effect."""

from __future__ import annotations

from collections.abc import Iterator

from robustcert.errors import expected
from robustcert.specification import Specification
from robustcert.specification_certification import NO_EFFECT
from robustcert.specification_checks.finding import Finding, contract_or_none

IMAGE_ARCHITECTURES = ("small-cnn", "resnet")


def weights_come_from_one_place(specification: Specification) -> Iterator[Finding]:
    """A reference architecture is either trained here or given weights; factories and ONNX files are never trained."""
    model, trained = specification.model, specification.training is not None
    if model.architecture is None:
        if trained:
            own = "factory" if model.factory is not None else "onnx"
            remedy = "remove it: only a reference architecture is trained"
            message = expected(f"no 'training' with model.{own}", got="both", remedy=remedy)
            yield Finding(path=("training",), message=message)
    elif trained and model.weights is not None:
        message = expected("'training' or 'model.weights'", got="both", remedy="remove one")
        yield Finding(path=("training",), message=message)
    elif not trained and model.weights is None:
        message = expected("'training' or 'model.weights' for an architecture", got="neither", remedy="add one")
        yield Finding(path=("model", "architecture"), message=message)


def architecture_fits_the_data(specification: Specification) -> Iterator[Finding]:
    """Convolutions need images."""
    contract, architecture = contract_or_none(specification), specification.model.architecture
    if contract is not None and contract.kind == "tabular" and architecture in IMAGE_ARCHITECTURES:
        message = expected("'mlp' for a table", got=f"'{architecture}'", remedy="change it")
        yield Finding(path=("model", "architecture"), message=message)


def model_keys_have_an_effect(specification: Specification) -> Iterator[Finding]:
    """`hidden` belongs to mlp, `width` to the convolutional architectures, `sha256` to a file of your own."""
    model = specification.model
    own_file = model.weights is not None or model.onnx is not None
    idle = (
        ("hidden", model.architecture != "mlp", "with architecture mlp"),
        ("width", model.architecture not in IMAGE_ARCHITECTURES, "with small-cnn or resnet"),
        ("sha256", not own_file, "with weights or onnx"),
    )
    written = model.model_dump(exclude_unset=True, exclude_none=True)
    for key, has_none, where in idle:
        if has_none and key in written:
            message = expected(f"'{key}' only {where}", got="it elsewhere", remedy=NO_EFFECT)
            yield Finding(path=("model", key), message=message)


def training_method_has_its_keys(specification: Specification) -> Iterator[Finding]:
    """pgd trains against a threat model; standard against none."""
    training = specification.training
    if training is None:
        return
    if training.method == "pgd" and training.threat_model is None:
        message = expected("'threatModel' for method pgd", got="none", remedy="name the threat model to train against")
        yield Finding(path=("training",), message=message)
    written = training.model_dump(by_alias=True, exclude_unset=True, exclude_none=True)
    for key in ("threatModel", "steps"):
        if training.method == "standard" and key in written:
            message = expected(f"no '{key}' for method standard", got="it", remedy="remove it, or take method pgd")
            yield Finding(path=("training", key), message=message)


def training_sees_the_noise(specification: Specification) -> Iterator[Finding]:
    """A network that never saw the smoothing noise is certified almost nowhere."""
    training, sigma = specification.training, specification.certification.sigma
    if training is not None and training.noise_sigma == 0:
        remedy = f"set it to sigma, {sigma:g}: without noise in training little is certified"
        message = expected("noiseSigma above 0 where certification follows", got="0", remedy=remedy)
        yield Finding(path=("training", "noiseSigma"), message=message, severity="warning")


def selection_has_an_effect(specification: Specification) -> Iterator[Finding]:
    """`n0` is for a candidate that is selected: a pilot has sizes of its own, other candidates need no votes."""
    wanted = specification.certification
    selects = wanted.candidate in (None, "selected") and wanted.method != "adaptive-pilot"
    if not selects and "n0" in wanted.model_fields_set:
        what = "'n0' only with a selected candidate, and not with adaptive-pilot"
        message = expected(what, got="it elsewhere", remedy=NO_EFFECT)
        yield Finding(path=("certification", "n0"), message=message)


def retraining_has_its_training(specification: Specification) -> Iterator[Finding]:
    """Only what is trained here can be trained anew."""
    wanted = specification.recertification is not None and specification.recertification.retrain == "allowed"
    if wanted and specification.training is None:
        remedy = "remove it: your own model is never trained here"
        message = expected("'training' where retrain is allowed", got="none", remedy=remedy)
        yield Finding(path=("recertification", "retrain"), message=message)
