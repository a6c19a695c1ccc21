"""Oracle: the digests of released suite files, and hashes by hashlib on JSON written out by hand."""

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from robustcert.errors import SpecificationError
from robustcert.evaluation.suites import allowed_attacks, attack_id, load_suite, suite_names
from robustcert.threat_model import ThreatModel

RELEASED = {"quick@1": "9bf65ad694639864d9c9c33bf97c719ab44a73998dab3a489f84d10965449d30"}


@pytest.mark.parametrize("name", suite_names())
def test_a_released_suite_never_changes(name: str) -> None:
    assert load_suite(name).sha256 == RELEASED[name]


def test_quick_is_fgsm_and_pgd_with_forty_steps_and_five_restarts() -> None:
    fgsm, pgd = load_suite("quick@1").attacks
    assert (fgsm.name, fgsm.parameters, fgsm.needs) == ("fgsm", {}, "gradients")
    assert (pgd.name, pgd.parameters) == ("pgd", {"steps": 40, "restarts": 5, "relativeStep": "2.5"})


def test_attack_id_hashes_the_parameters() -> None:
    written = b'{"relativeStep":"2.5","restarts":5,"steps":40}'
    assert load_suite("quick@1").attacks[1].id == f"pgd@1-{hashlib.sha256(written).hexdigest()[:12]}"
    assert attack_id("pgd", 1, {"steps": 40}) != attack_id("pgd", 1, {"steps": 41})
    assert attack_id("pgd", 1, {"steps": 40}) != attack_id("pgd", 2, {"steps": 40})


def test_an_unknown_suite_is_refused_with_those_that_exist() -> None:
    with pytest.raises(SpecificationError, match="expected one of the suites quick@1, got 'quick@9'; name one"):
        load_suite("quick@9")


def test_an_attack_that_needs_more_access_is_left_out_and_none_left_is_refused(
    make_threat: Callable[..., ThreatModel],
) -> None:
    suite = load_suite("quick@1")
    assert allowed_attacks(suite, make_threat(access="gradients")) == suite.attacks
    with pytest.raises(
        SpecificationError, match=r"works with access 'scores', got attacks that need gradients; choose"
    ):
        allowed_attacks(suite, make_threat(access="scores"))


def test_every_suite_stands_in_the_index(root: Path) -> None:
    index = (root / "robustcert" / "evaluation" / "suites" / "README.md").read_text()
    assert all(f"`{name}`" in index for name in suite_names())


def test_suites_are_read_without_torch() -> None:
    program = "import sys, robustcert.evaluation.suites, robustcert.attacks.budget; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
