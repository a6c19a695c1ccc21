"""The sentences of a certificate, against sentences written by hand, and against the words that they may not mix."""

from __future__ import annotations

import re
from typing import Any

import yaml

from robustcert.certificate.claims import UNIT_WORDS, claims, conditions, limits, scope
from robustcert.claim_wording import NEVER
from robustcert.specification import Certification, Specification
from robustcert.specification_file import parse_specification
from tests.chain import Chain, small_specification


def specification(**threat: Any) -> Specification:
    """The small specification; `threat` replaces fields of its first threat model."""
    document = yaml.safe_load(small_specification())
    document["threatModels"][0] |= threat
    return parse_specification(yaml.safe_dump(document)).specification


def written(chain: Chain, **threat: Any) -> tuple[str, ...]:
    return claims(specification(**threat), chain.predicate.results, model_sha256="ab" * 32, data_root="cd" * 32)


def test_a_certified_sentence_says_sample_subject_parameters_rate_radius_and_unit(chain: Chain) -> None:
    part = chain.predicate.results.certified_accuracy[1]
    rate = part.accuracy
    assert written(chain)[1] == (
        f"Of 16 samples, the classifier abababababab on test samples of data set cdcdcdcdcdcd, smoothed with sigma "
        f"0.25 (n 512, alpha 0.001), was certified correct on {rate.count} ({rate.estimate}; population at least "
        f"{rate.lower} at confidence 0.95) against every l2 perturbation of radius 0.1 in units of the model's input; "
        f"at least {part.simultaneous_count} of these certificates hold simultaneously with confidence 0.999; "
        f"abstentions count as not certified."
    )


def test_an_attack_sentence_says_suite_subject_rate_interval_and_budget(chain: Chain) -> None:
    part = chain.predicate.results.accuracy_under_attack[1]
    rate = part.accuracy
    assert (part.threat_model, part.epsilon) == ("linf-0.1", "0.1")
    assert written(chain)[3] == (
        f"Of 24 samples, no attack of suite quick@1 was found that changes the correct prediction of the classifier "
        f"abababababab on test samples of data set cdcdcdcdcdcd on {rate.count} ({rate.estimate}, 0.95 interval "
        f"{rate.lower} to {rate.upper}) within linf perturbations of 0.1 units of the model's input; empirical, an "
        f"upper bound."
    )


def test_there_is_one_sentence_for_each_radius_and_for_each_threat_at_its_own_epsilon(chain: Chain) -> None:
    kinds = ["certified" if "certified correct" in sentence else "empirical" for sentence in written(chain)]
    assert kinds == ["certified"] * 3 + ["empirical"] * 2


def test_certified_and_found_by_attack_never_share_a_sentence(chain: Chain) -> None:
    for sentence in written(chain):
        assert ("certified" in sentence) != ("attack" in sentence)


def test_no_sentence_promises_what_a_claim_may_not(chain: Chain) -> None:
    texts = [*written(chain), scope(specification()), *limits(specification())]
    plain = [re.sub(r"[-\s]+", " ", text.casefold()) for text in texts]
    assert [(phrase, text) for text in plain for phrase in NEVER if re.search(rf"\b{re.escape(phrase)}\b", text)] == []


def test_the_scope_names_every_threat_with_budget_unit_range_goal_and_access() -> None:
    assert scope(specification()) == (
        "Covers perturbations of the raw model input before any preprocessing; attacked empirically: linf up to 0.1 "
        "units of the model's input within the data contract's range (untargeted, access to gradients); l2 up to 0.5 "
        "units of the model's input within the data contract's range (untargeted, access to gradients); certified: l2, "
        "measured in units of the model's input, for the classifier smoothed with sigma 0.25, inputs rounded to the "
        "grid that the data set card declares."
    )


def test_numbers_are_given_in_full_and_never_rounded_up() -> None:
    text = scope(specification(epsilon=0.123456789, bounds=[-0.5, 1.25], goal="targeted"))
    assert "linf up to 0.123456789 units of the model's input within -0.5 to 1.25 (targeted," in text


def test_each_unit_is_said_in_words(chain: Chain) -> None:
    for unit in ("input", "1/255"):
        assert f"within linf perturbations of 0.1 {UNIT_WORDS[unit]};" in written(chain, unit=unit)[3]
    assert set(UNIT_WORDS) == {"input", "1/255", "feature_std"}


def test_the_certificate_of_a_run_holds_these_sentences(chain: Chain) -> None:
    predicate = chain.predicate
    found = claims(
        specification(),
        predicate.results,
        model_sha256=predicate.model.sha256,
        data_root=predicate.data.merkle_root,
    )
    assert (predicate.claims, predicate.scope, predicate.limits) == (
        found,
        scope(specification()),
        limits(specification()),
    )


def with_options(**options: Any) -> Specification:
    document = yaml.safe_load(small_specification())
    document["certification"] |= options
    return parse_specification(yaml.safe_dump(document)).specification


def test_options_that_change_what_was_certified_are_in_the_sentence_and_the_scope(chain: Chain) -> None:
    wanted = with_options(method="group-sequential", noise="laplace", precision="bfloat16", n=5000)
    found = claims(wanted, chain.predicate.results, model_sha256="ab" * 32, data_root="cd" * 32)[1]
    assert (
        "smoothed with Laplace noise of sigma 0.25, voting in bfloat16 (group-sequential, at most 5000 votes" in found
    )
    assert "against every l1 perturbation of radius 0.1" in found
    assert "l2 perturbation" not in found
    assert "certified: l1 at the registered radii, measured in units" in scope(wanted)
    assert "smoothed with Laplace noise of sigma 0.25, voting in bfloat16, inputs rounded" in scope(wanted)


def test_limits_name_the_noise_and_what_the_method_adds() -> None:
    plain = limits(specification())
    assert any("votes over Gaussian noise" in limit for limit in plain)
    added = limits(with_options(method="group-sequential", noise="uniform"))[len(plain) :]
    assert any("votes over uniform noise" in limit for limit in limits(with_options(noise="uniform")))
    assert [" ".join(limit.split()[:5]) for limit in added] == [
        "Certified radii are lengths in",
        "Certified radii are the registered",
    ]
    wanted = Certification(sigma=0.25, unit="input", radii=(0.1,), candidate="label")
    asked = specification().model_copy(update={"certification": wanted})
    assert "the sample counts as an abstention" in limits(asked)[-1]


def test_conditions_state_precision_batch_preprocessing_and_hardware(chain: Chain) -> None:
    predicate = chain.predicate
    votes, preprocessing, hardware = predicate.conditions or ()
    assert "in float32, in batches of 256" in votes
    assert "another precision are another classifier, and out of scope" in votes
    card = predicate.model.card["preprocessing"]
    assert isinstance(card, dict)
    assert f"mean {card['mean'][0]}, std {card['std'][0]};" in preprocessing
    for key in ("platform", "cpuCapability", "device", "gpu"):
        assert str(predicate.environment[key]) in hardware
    assert "fragile ones" in hardware


def test_conditions_of_bfloat16_do_not_promise_repetition_elsewhere_and_long_lists_are_counted(chain: Chain) -> None:
    part = chain.predicate.certification.model_copy(update={"precision": "bfloat16"})
    card = {"preprocessing": {"mean": ["0.1"] * 30}}
    votes, preprocessing, hardware = conditions(part, card=card, environment={"device": "cuda"})
    assert "in bfloat16" in votes
    assert "mean of 30 values" in preprocessing
    assert hardware.startswith("Computed on an unknown platform, processor capability unknown, device cuda, GPU none;")
    assert "only an equal machine repeats them" in hardware
