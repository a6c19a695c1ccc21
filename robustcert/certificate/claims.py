"""The sentences of a certificate: generated from its numbers, never free text, each with scope and denominator.

"Certified" is said of what was proved up to the stated failure probability; "no attack found" of what was not broken.
The two never share a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping

from robustcert.certificate.schema import CertificationPart, CertifiedPart, ResultsPart, UnderAttackPart
from robustcert.certificate.smoothing_method import drawn_words
from robustcert.smoothing.decisions import GROUP_SEQUENTIAL, method_of, noise_of
from robustcert.specification import Certification, Specification
from robustcert.specification_file import decimal
from robustcert.threat_model import ThreatModel

MOST_LISTED = 4
ELSEWHERE = {
    "float32": "elsewhere votes may differ by the fragile ones that each row counts",
    "bfloat16": "elsewhere bfloat16 gives other votes, so that only an equal machine repeats them",
}
UNIT_WORDS = {
    "input": "units of the model's input",
    "1/255": "grey levels of 1/255",
    "feature_std": "standard deviations of each feature over the training split",
}

LIMITS = (
    "It speaks of the one model file whose SHA-256 is the subject; any change of weights or preprocessing voids it.",
    "It speaks of the threat models named and of no other: other norms, larger perturbations, rotations, patches, "
    "poisoned training data, privacy and availability are outside it.",
    "Certified statements hold for the smoothed classifier that votes over {noise} noise and may abstain; serving the "
    "plain model does not inherit them.",
    "Statements about attacks are empirical: a stronger attack may find more; accuracy under attack is an upper bound.",
    "Statements hold for the test samples evaluated; for new inputs only as far as these represent them, until data "
    "drift.",
    "It ends at notAfter, and earlier where it is suspended or revoked.",
)
NOISE_NAMES = {"gaussian": "Gaussian", "uniform": "uniform", "laplace": "Laplace"}
REGISTERED_RADII = (
    "Certified radii are the registered ones: a sample's radius is the largest of them that was shown, its true one "
    "may be larger; averages and medians count what was shown."
)
LABEL_ASKED = (
    "Votes were counted for the true class of each sample: where it shows no majority, because the classifier is wrong "
    "or undecided, the sample counts as an abstention."
)
L1_NOT_L2 = "Certified radii are lengths in l1, the sum of the changes of all coordinates; they are no l2 radii."


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
    at_radii = " at the registered radii" if method_of(smoothing) == GROUP_SEQUENTIAL else ""
    return (
        f"Covers perturbations of the raw model input before any preprocessing; attacked empirically: {threats}; "
        f"certified: {noise_of(smoothing).norm}{at_radii}, measured in {UNIT_WORDS[smoothing.unit]}, for the "
        f"classifier {_smoothed(smoothing)}, inputs rounded to the grid that the data set card declares."
    )


def limits(specification: Specification) -> tuple[str, ...]:
    """What is outside the certificate: the same for all, and what the smoothing method adds."""
    wanted = specification.certification
    adds = (
        (noise_of(wanted).norm == "l1", L1_NOT_L2),
        (method_of(wanted) == GROUP_SEQUENTIAL, REGISTERED_RADII),
        (wanted.candidate == "label", LABEL_ASKED),
    )
    noise = NOISE_NAMES[noise_of(wanted).name]
    return (*(text.format(noise=noise) for text in LIMITS), *(text for holds, text in adds if holds))


def conditions(
    part: CertificationPart, *, card: Mapping[str, object], environment: Mapping[str, object]
) -> tuple[str, ...]:
    """Under which conditions the results were found: arithmetic and batches, preprocessing, hardware."""
    device, gpu = environment.get("device", "unknown"), environment.get("gpu", "none")
    elsewhere = ELSEWHERE[part.precision]
    return (
        f"Votes were computed in {part.precision}, in batches of {part.batch} that are padded with zeros; the same "
        f"weights in another precision are another classifier, and out of scope.",
        f"Preprocessing is part of the model and of what was certified: {_preprocessing(card)}; perturbations and "
        f"noise are applied to the raw input, before it.",
        f"Computed on {environment.get('platform', 'an unknown platform')}, processor capability "
        f"{environment.get('cpuCapability', 'unknown')}, device {device}, GPU {gpu}; {elsewhere}.",
    )


def _preprocessing(card: Mapping[str, object]) -> str:
    """What the model's card says of it, long lists by their length."""
    found = card.get("preprocessing")
    parts = found if isinstance(found, Mapping) else {}
    shown = (f"{name} {_listed(value)}" for name, value in sorted(parts.items()))
    return ", ".join(shown) or "none that the card names"


def _listed(value: object) -> str:
    if not isinstance(value, list | tuple):
        return str(value)
    return " ".join(map(str, value)) if len(value) <= MOST_LISTED else f"of {len(value)} values"


def _threat_words(threat: ThreatModel) -> str:
    bounds = "the data contract's range" if threat.bounds == "contract" else " to ".join(map(decimal, threat.bounds))
    return (
        f"{threat.norm} up to {decimal(threat.epsilon)} {UNIT_WORDS[threat.unit]} within {bounds} "
        f"({threat.goal}, access to {threat.access})"
    )


def _smoothed(wanted: Certification) -> str:
    """`smoothed with sigma 0.25`; kind of noise and precision where the specification registers them."""
    noise = "" if wanted.noise is None else f"{NOISE_NAMES[wanted.noise]} noise of "
    precision = "" if wanted.precision is None else f", voting in {wanted.precision}"
    return f"smoothed with {noise}sigma {decimal(wanted.sigma)}{precision}"


def _certified_sentence(specification: Specification, part: CertifiedPart, about: str) -> str:
    rate, wanted = part.accuracy, specification.certification
    return (
        f"Of {rate.of} samples, {about}, {_smoothed(wanted)} ({drawn_words(wanted)}, alpha "
        f"{decimal(wanted.alpha)}), was certified correct on {rate.count} ({rate.estimate}; population at least "
        f"{rate.lower} at confidence {rate.confidence}) against every {noise_of(wanted).norm} perturbation of radius "
        f"{part.radius} in {UNIT_WORDS[wanted.unit]}; at least {part.simultaneous_count} of these certificates hold "
        f"simultaneously with confidence 0.999; abstentions count as not certified."
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
