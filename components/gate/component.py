"""Kubeflow component: fails the run, after its reports are stored."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def gate(passed: bool, reason: str) -> None:
    """Fails the run unless a step before it passed; a failed task keeps no report, so no other step fails on purpose.

    Args:
        passed: Outcome of the step before.
        reason: One line that says what was found.
    """
    from robustcert.steps.gate import pass_gate

    pass_gate(passed=passed, reason=reason)
