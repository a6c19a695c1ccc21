"""The sentences of a certificate: generated from its numbers, never free text, each with scope and denominator.

"Certified" is said of what was proved up to the stated failure probability; "no attack found" of what was not broken.
The two never share a sentence.
"""

from __future__ import annotations

from robustcert.certificate.schema import CertifiedPart, ResultsPart, UnderAttackPart
from robustcert.specification import Specification
from robustcert.specification_file import decimal
from robustcert.threat_model import ThreatModel

UNIT_WORDS = {
    "input": "units of the model's input",
    "1/255": "grey levels of 1/255",
    "feature_std": "standard deviations of each feature over the training split",
}

LIMITS = (
    "It speaks of the one model file whose SHA-256 is the subject; any change of weights or preprocessing voids it.",
    "It speaks of the threat models named and of no other: other norms, larger perturbations, rotations, patches, "
    "poisoned training data, privacy and availability are outside it.",
    "Certified statements hold for the smoothed classifier that votes over Gaussian noise and may abstain; serving the "
    "plain model does not inherit them.",
    "Statements about attacks are empirical: a stronger attack may find more; accuracy under attack is an upper bound.",
    "Statements hold for the test samples evaluated; for new inputs only as far as these represent them, until data "
    "drift.",
    "It ends at notAfter, and earlier where it is suspended or revoked.",
)


def claims(specification: Specification, found: ResultsPart, *, model_sha256: str, data_root: str) -> tuple[str, ...]:
    """One sentence per result that the specification asks for."""
    about = f"the classifier {model_sha256[:12]} on test samples of data set {data_root[:12]}"
    main = [part for part in found.accuracy_under_attack if _is_main(specification, part)]
    return (
        *(_certified_sentence(specification, part, about) for part in found.certified_accuracy),
        *(_attack_sentence(specification, part, about) for part in main),
    )


def scope(specification: Specification) -> str:
    """One sentence that says what the certificate covers."""
    threats = "; ".join(map(_threat_words, specification.threat_models))
    smoothing = specification.certification
    return (
        f"Covers perturbations of the raw model input before any preprocessing; attacked empirically: {threats}; "
        f"certified: l2, measured in {UNIT_WORDS[smoothing.unit]}, for the classifier smoothed with sigma "
        f"{decimal(smoothing.sigma)}, inputs rounded to the grid that the data set card declares."
    )


def _threat_words(threat: ThreatModel) -> str:
    bounds = "the data contract's range" if threat.bounds == "contract" else " to ".join(map(decimal, threat.bounds))
    return (
        f"{threat.norm} up to {decimal(threat.epsilon)} {UNIT_WORDS[threat.unit]} within {bounds} "
        f"({threat.goal}, access to {threat.access})"
    )


def _certified_sentence(specification: Specification, part: CertifiedPart, about: str) -> str:
    rate, wanted = part.accuracy, specification.certification
    return (
        f"Of {rate.of} samples, {about}, smoothed with sigma {decimal(wanted.sigma)} (n {wanted.n}, alpha "
        f"{decimal(wanted.alpha)}), was certified correct on {rate.count} ({rate.estimate}; population at least "
        f"{rate.lower} at confidence {rate.confidence}) against every l2 perturbation of radius {part.radius} in "
        f"{UNIT_WORDS[wanted.unit]}; at least {part.simultaneous_count} of these certificates hold simultaneously with "
        f"confidence 0.999; abstentions count as not certified."
    )


def _attack_sentence(specification: Specification, part: UnderAttackPart, about: str) -> str:
    rate, threat, suite = part.accuracy, specification.threat(part.threat_model), specification.evaluation.suite
    return (
        f"Of {rate.of} samples, no attack of suite {suite} was found that changes the correct prediction of {about} on "
        f"{rate.count} ({rate.estimate}, {rate.confidence} interval {rate.lower} to {rate.upper}) within {threat.norm} "
        f"perturbations of {part.epsilon} {UNIT_WORDS[threat.unit]}; empirical, an upper bound."
    )


def _is_main(specification: Specification, part: UnderAttackPart) -> bool:
    return float(part.epsilon) == specification.threat(part.threat_model).epsilon
