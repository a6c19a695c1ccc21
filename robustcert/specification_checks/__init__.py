"""What a specification must satisfy beyond its types: two ordered tuples of small checks, to be read aloud.

REFERENCES must hold for anything to be computed, and hold for every certificate ever issued. CHOICES refuse or advise
against what a person would regret; a later version may add to them, so that a verifier does not apply them.
"""

from __future__ import annotations

from collections.abc import Iterator

from robustcert.specification import Specification
from robustcert.specification_checks import acceptance, accountability, magnitudes, model_and_training, references
from robustcert.specification_checks.finding import Check, Finding

__all__ = ["CHOICES", "REFERENCES", "Check", "Finding", "findings"]

REFERENCES: tuple[Check, ...] = (
    references.builtin_data_exist,
    references.threat_models_differ_in_name,
    references.training_names_a_threat_model,
    references.criteria_name_threat_models,
    references.criteria_name_certified_radii,
)
CHOICES: tuple[Check, ...] = (
    references.suite_exists,
    magnitudes.numbers_are_of_a_sane_size,
    magnitudes.units_fit_the_data,
    magnitudes.amounts_are_below_the_range,
    magnitudes.amounts_are_noticeable,
    magnitudes.bounds_hold_the_data,
    magnitudes.something_can_be_perturbed,
    model_and_training.weights_come_from_one_place,
    model_and_training.architecture_fits_the_data,
    model_and_training.model_keys_have_an_effect,
    model_and_training.training_method_has_its_keys,
    model_and_training.training_sees_the_noise,
    model_and_training.selection_has_an_effect,
    model_and_training.retraining_has_its_training,
    acceptance.radii_can_be_certified,
    acceptance.thresholds_can_be_met,
    acceptance.thresholds_can_be_missed,
    acceptance.abstentions_are_asked_about,
    accountability.claim_says_what_was_measured,
    accountability.claim_names_the_certified_norm,
    accountability.personal_data_are_declared,
    accountability.approvals_are_named,
    accountability.choices_have_a_rationale,
    accountability.rationale_names_existing_paths,
)


def findings(specification: Specification, *, checks: tuple[Check, ...] = REFERENCES + CHOICES) -> Iterator[Finding]:
    """Everything that `checks` have to say, in their order."""
    for check in checks:
        yield from check(specification)
