"""Checks that need nothing but the authenticated statement and the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from robustcert.certificate.case import Case, Finding, established, not_established, require
from robustcert.certificate.claims import claims, conditions, limits, scope
from robustcert.certificate.issue import BATCH, FRAGILE_GAP, REPRODUCIBILITY, subject_name, threat_part
from robustcert.certificate.results import judge
from robustcert.certificate.smoothing_key import smoothing_key
from robustcert.certificate.smoothing_method import LATER, certification_parameters, noise_words, source_words
from robustcert.errors import VerificationError
from robustcert.evaluation.curve import curve_of
from robustcert.evaluation.suites import load_suite, suite_names

CLOCK_SKEW = timedelta(minutes=5)


def subject(case: Case) -> Finding:
    """The subject is the model that the predicate describes."""
    part, described = case.statement.subject[0], case.predicate.model.sha256
    named = part.digest.sha256
    require(named == described, f"subject: digest {named} is not that of the described model {described}")
    require(part.name == subject_name(case.predicate.name), f"subject: {part.name} is not named after the certificate")
    return established("subject", f"the certificate is about the model file with SHA-256 {named}")


def registered_text(case: Case) -> Finding:
    """The specification in the certificate has the digests that were registered."""
    part, loaded = case.predicate.specification, case.loaded
    require(loaded.text_sha256 == part.sha256, "specification: the text in the certificate has another SHA-256")
    same = loaded.canonical_sha256 == part.canonical_sha256
    require(same, "specification: its canonical form has another SHA-256 than was registered")
    return established("registered specification", f"canonical SHA-256 {part.canonical_sha256}")


def registered_description(case: Case) -> Finding:
    """Name, claim, intended use and owner are those of the specification."""
    written, predicate = case.specification, case.predicate
    owner = {"name": written.owner.name, "contact": written.owner.contact}
    require(predicate.name == written.name, f"name: {predicate.name}, the specification says {written.name}")
    require(predicate.narrative == written.claim, "narrative: it is not the claim of the specification")
    require(predicate.intended_use == written.intended_use, "intended use: it is not that of the specification")
    require(predicate.owner == owner, "owner: another one than the specification names")
    return established("description", "name, claim, intended use and owner are those of the specification")


def registered_terms(case: Case) -> Finding:
    """Threats, smoothing parameters, suite and validity period are those of the specification."""
    written, predicate = case.specification, case.predicate
    threats = tuple(threat_part(threat) for threat in written.threat_models)
    require(threats == predicate.threat_models, "threat models: other ones than the specification registers")
    for name, value in certification_parameters(written.certification).items():
        found = getattr(predicate.certification, name)
        same = found == value or (found is None and name in LATER and LATER[name] == value)
        require(same, f"certification: {name} is {found}, the specification registers {value}")
    votes = (predicate.certification.batch, predicate.certification.fragile_gap)
    require(votes == (BATCH, FRAGILE_GAP), "certification: batch and fragileGap are not those of the format")
    require(predicate.evaluation.suite == written.evaluation.suite, "evaluation: another suite than was registered")
    days = _moment(predicate.not_after) - _moment(predicate.certified_at)
    require(days == timedelta(days=written.validity.days), f"validity: {days.days} days, not those registered")
    return established("registered terms", "threats, smoothing, suite and validity are those of the specification")


def registered_attacks(case: Case) -> Finding:
    """The attacks are those of the registered suite, with its parameters."""
    part = case.predicate.evaluation
    if part.suite not in suite_names():
        return not_established("attacks", f"suite {part.suite} is unknown to this version; read its attacks yourself")
    suite = load_suite(part.suite)
    require(part.suite_sha256 == suite.sha256, f"attacks: suite {part.suite} has SHA-256 {suite.sha256}")
    found = [(attack.id, attack.parameters) for attack in part.attacks]
    wanted = [(attack.id, attack.parameters) for attack in suite.attacks]
    require(found == wanted, f"attacks: they are not those of suite {part.suite}")
    return established("attacks", f"the {len(wanted)} of suite {part.suite}, with their parameters")


def registered_results(case: Case) -> Finding:
    """There is a result for every registered threat, epsilon and radius, and no other, over all registered samples."""
    written, found = case.specification, case.predicate.results
    wanted = [
        (threat.name, strength.text, threat.unit)
        for threat in written.threat_models
        for strength in curve_of(threat, written.evaluation.curve)
    ]
    attacked = [(part.threat_model, part.epsilon, part.unit) for part in found.accuracy_under_attack]
    require(attacked == wanted, "results: accuracy_under_attack is not of the registered threats and epsilons")
    radii = tuple(part.radius for part in found.certified_accuracy)
    require(radii == case.predicate.certification.radii, "results: certified_accuracy is not of the registered radii")
    _require_samples(case, written.evaluation.samples, found.clean_accuracy.of)
    _require_samples(case, written.certification.samples, found.smoothed_accuracy.of)
    return established("registered results", f"{len(wanted)} under attack, {len(radii)} certified")


def validity_period(case: Case) -> Finding:
    """The certificate is in force at the time of verification."""
    begin, end = _moment(case.predicate.certified_at), _moment(case.predicate.not_after)
    at = case.now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    require(case.now < end, f"expired: valid until {case.predicate.not_after}, and it is {at}; certify again")
    early = f"not yet valid: certified at {case.predicate.certified_at}, and it is {at}; check the clock"
    require(case.now >= begin - CLOCK_SKEW, early)
    return established("validity period", f"{case.predicate.certified_at} to {case.predicate.not_after}")


def verdicts(case: Case) -> Finding:
    """Criteria and verdict follow from the results, and the evaluation's validity from its checks."""
    evaluation = case.predicate.evaluation
    require(bool(evaluation.validity), "evaluation: it names none of its own checks")
    require(
        evaluation.valid == all(check.passed for check in evaluation.validity),
        "evaluation: 'valid' contradicts its checks",
    )
    wanted = judge(case.specification, case.predicate.results, valid=evaluation.valid)
    require(wanted == case.predicate.criteria, "criteria: they do not follow from the results and the specification")
    verdict = "accepted" if all(criterion.met for criterion in wanted) else "rejected"
    require(verdict == case.predicate.verdict, f"verdict: {case.predicate.verdict}, but the criteria give {verdict}")
    return established("verdicts", f"{len(wanted)} criteria judged on the weak end of their intervals")


def accepted(case: Case) -> Finding:
    """The criteria are met; a signed record of rejection is authentic, but no certificate."""
    unmet = [
        f"{part.metric} {part.observed} is not {part.comparator} {part.threshold}"
        for part in case.predicate.criteria
        if not part.met
    ]
    require(not unmet, f"rejected: {'; '.join(unmet)}; this document records a rejection and certifies nothing")
    return established("acceptance", "every acceptance criterion is met")


def smoothing_seed(case: Case) -> Finding:
    """The noise key is the one derived from model, data and configuration, not one that was searched for."""
    predicate = case.predicate
    key = smoothing_key(case.loaded, model_sha256=predicate.model.sha256, dataset_sha256=predicate.data.file_sha256)
    require(
        str(key) == predicate.certification.key0, "noise: its key is not derived from model, data and configuration"
    )
    return established("noise key", "derived from the digests of model, data and configuration")


def sentences(case: Case) -> Finding:
    """The claims in words are those that this version generates from the numbers."""
    predicate = case.predicate
    if not case.of_this_version:
        issuer = predicate.environment.get("robustcert")
        return not_established("claims in words", f"issued by version {issuer}; read the numbers, not the sentences")
    wanted = claims(
        case.specification,
        predicate.results,
        model_sha256=predicate.model.sha256,
        data_root=predicate.data.merkle_root,
    )
    require(predicate.claims == wanted, "claims: the sentences do not follow from the results")
    require(predicate.scope == scope(case.specification), "scope: it is not that of the specification")
    require(predicate.limits == limits(case.specification), "limits: they are not those of this version")
    _require_method(case)
    return established("claims in words", "generated from the results")


def _require_samples(case: Case, registered: int | None, found: int) -> None:
    """Where no number is registered, it is that of the test split."""
    test = case.predicate.data.splits.get("test")
    wanted = registered or (test.rows if test else 0)
    require(found == wanted, f"results: over {found} samples, registered are {wanted}")


def _require_method(case: Case) -> None:
    predicate, wanted = case.predicate, case.specification.certification
    described = (predicate.certification.noise, predicate.certification.source)
    own = (noise_words(wanted), source_words(wanted))
    require(described == own, "method: it is not described in the words of this version")
    found = conditions(predicate.certification, card=predicate.model.card, environment=predicate.environment)
    require(predicate.conditions in (None, found), "conditions: they do not follow from parameters, card, environment")
    promised = (predicate.reproducibility.level, predicate.reproducibility.statement)
    require(
        promised == ("bit-exact", REPRODUCIBILITY[predicate.certification.precision]),
        "reproducibility: it is not what this version promises",
    )


def _moment(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise VerificationError(f"validity: {text} is no time") from error
