"""Checks of the perturbed inputs. Oracles: arrays moved by hand, distances by the definition of the norm."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from robustcert.certificate.adversarial_checks import adversarials_file
from robustcert.certificate.case import Case
from robustcert.certificate.evidence import write_rows
from robustcert.data.dataset import load_dataset
from robustcert.errors import DataError, VerificationError
from robustcert.evaluation.adversarials import Adversarials, load_adversarials, save_adversarials
from tests.certificate.tampering import (
    SCHEMAS,
    Document,
    Rows,
    case_of,
    reason,
    replaced,
    rows_of,
    verified,
    with_rows,
)
from tests.chain import Chain

Sets = dict[str, Adversarials]
Images = NDArray[np.float32]

LINF, L2 = "linf-0.1/pgd@1-bc833688ad0e", "l2-0.5/pgd@1-bc833688ad0e"


@pytest.fixture(scope="module")
def sets(chain: Chain) -> Sets:
    found = load_adversarials(Path(str(chain.files.adversarials)))
    assert min(len(found[LINF].sample_ids), len(found[L2].sample_ids)) >= 2
    return found


def originals(chain: Chain, found: Adversarials) -> NDArray[np.float64]:
    """The inputs before the attack, (R, *shape)."""
    return load_dataset(Path(str(chain.files.dataset))).rows(found.sample_ids).x()


def with_sets(chain: Chain, folder: Path, sets: Sets, change: Callable[[Document], None] | None = None) -> Case:
    """A case in which the file, its digest, and the digests in the evidence rows are all those of `sets`."""
    path, table = folder / "adversarials.safetensors", folder / "evaluation.parquet"
    save_adversarials(sets, path)
    write_rows(named(chain, sets), table, schema=SCHEMAS["evaluation"])

    def signed(statement: Document) -> None:
        replaced("evaluation.adversarialsSha256", hashlib.sha256(path.read_bytes()).hexdigest())(statement)
        if change is not None:
            change(statement)

    return replace(case_of(chain, signed), files=chain.with_files(adversarials=path, evaluation=table))


def named(chain: Chain, sets: Sets) -> Rows:
    """Rows that name the inputs of `sets` and how far they are, at each threat's own epsilon, and no others."""
    x_before = load_dataset(Path(str(chain.files.dataset))).x()
    findings = {
        (*key.split("/"), sample): {
            "perturbed": hashlib.sha256(x.tobytes()).hexdigest(),
            "distance": f"{length(x.flatten() - x_before[sample % len(x_before)].flatten(), key):.12f}",
        }
        for key, found in sets.items()
        for sample, x in zip(found.sample_ids.tolist(), found.x_adv, strict=True)
    }
    own = {("linf-0.1", "0.1"), ("l2-0.5", "0.5")}
    return [
        row | findings.get((row["threat"], row["attack"], row["sample"]), {"perturbed": "", "distance": "0"})
        if (row["threat"], row["epsilon"]) in own
        else row
        for row in rows_of(chain, "evaluation")
    ]


def length(moved: NDArray[np.float64], key: str) -> float:
    return float(np.linalg.norm(moved, ord=np.inf if key.startswith("linf") else 2))


def with_images(sets: Sets, key: str, images: Images) -> Sets:
    return sets | {key: Adversarials(sample_ids=sets[key].sample_ids, x_adv=images.astype(np.float32))}


def test_real_perturbed_inputs_are_named_by_their_rows_and_within_their_budget(chain: Chain, sets: Sets) -> None:
    found = adversarials_file(case_of(chain))
    total = sum(len(each.sample_ids) for each in sets.values())
    assert (found.status, found.message) == (
        "established",
        f"{total} re-measured in float64, all within their budget",
    )
    for key, order, epsilon in ((LINF, np.inf, 0.1), (L2, 2, 0.5)):
        moved = (sets[key].x_adv.astype(np.float64) - originals(chain, sets[key])).reshape(len(sets[key].x_adv), -1)
        assert (np.linalg.norm(moved, ord=order, axis=1) <= epsilon * (1 + 1e-6)).all()


def test_without_files_it_is_said_what_was_not_measured(chain: Chain) -> None:
    whole = case_of(chain)
    found = [
        adversarials_file(replace(whole, files=chain.with_files(**{name: None})))
        for name in ("adversarials", "dataset", "evaluation")
    ]
    assert {finding.status for finding in found} == {"not established"}
    assert "budgets were not re-measured" in found[0].message
    assert all("digest checked; budgets need" in finding.message for finding in found[1:])


def test_a_file_of_another_digest_is_refused_before_it_is_read(chain: Chain, tmp_path: Path) -> None:
    (tmp_path / "adversarials.safetensors").write_bytes(b"no safetensors")
    files = chain.with_files(adversarials=tmp_path / "adversarials.safetensors")
    with pytest.raises(VerificationError, match=r"SHA-256 of adversarials.safetensors is .*, certified is"):
        adversarials_file(replace(case_of(chain), files=files))
    digest = hashlib.sha256(b"no safetensors").hexdigest()
    with pytest.raises(DataError, match="expected a file of adversarial inputs"):
        adversarials_file(replace(case_of(chain, replaced("evaluation.adversarialsSha256", digest)), files=files))


@pytest.mark.parametrize("key", [LINF, L2])
def test_an_input_moved_on_to_just_beyond_its_budget_is_refused_though_the_evidence_names_it(
    chain: Chain, tmp_path: Path, sets: Sets, key: str
) -> None:
    x = originals(chain, sets[key])
    direction = np.where(x < 0.5, 1.0, -1.0)
    length = 0.1 if key == LINF else 0.5 / np.sqrt(64)
    assert adversarials_file(with_sets(chain, tmp_path, with_images(sets, key, x + length * direction))).message
    further = with_sets(chain, tmp_path, with_images(sets, key, x + 1.00001 * length * direction))
    sample = sets[key].sample_ids[0]
    message = rf"that of sample \[{sample}\] under {re.escape(key)} is outside budget or bounds"
    with pytest.raises(VerificationError, match=message):
        adversarials_file(further)


@pytest.mark.parametrize("value", [1.01, -0.01, np.nan, np.inf])
def test_a_coordinate_outside_the_datas_range_is_refused(
    chain: Chain, tmp_path: Path, sets: Sets, value: float
) -> None:
    images = originals(chain, sets[LINF])
    edge = images[-1].argmin() if value < 0 else images[-1].argmax()
    assert images[-1].flat[edge] == (0 if value < 0 else 1), "so that only the range can be what is wrong"
    images[-1].flat[edge] = value
    sample = sets[LINF].sample_ids[-1]
    with pytest.raises(VerificationError, match=rf"that of sample \[{sample}\] under .* is outside budget or bounds"):
        adversarials_file(with_sets(chain, tmp_path, with_images(sets, LINF, images)))


def test_a_threat_with_bounds_of_its_own_is_measured_by_these(chain: Chain, tmp_path: Path, sets: Sets) -> None:
    images = originals(chain, sets[LINF]) + 0.09
    assert images.max() > 1

    def wider(statement: Document) -> None:
        part = statement["predicate"]["specification"]
        part["text"] = re.sub(r"bounds: contract", "bounds: [-0.5, 1.5]", part["text"], count=1)

    beyond = with_images(sets, LINF, images)
    with pytest.raises(VerificationError, match="outside budget or bounds"):
        adversarials_file(with_sets(chain, tmp_path, beyond))
    assert adversarials_file(with_sets(chain, tmp_path, beyond, wider)).status == "established"


def test_replaced_moved_missing_and_added_inputs_are_not_those_of_the_evidence(
    chain: Chain, tmp_path: Path, sets: Sets
) -> None:
    own = sets[LINF]
    images = own.x_adv.copy()
    images[0, 0, 0, 0] = np.float32(0.001)
    moved = Adversarials(sample_ids=own.sample_ids[::-1].copy(), x_adv=own.x_adv)
    shorter = Adversarials(sample_ids=own.sample_ids[1:], x_adv=own.x_adv[1:])
    for changed in (with_images(sets, LINF, images), sets | {LINF: moved}, sets | {LINF: shorter}):
        case = with_sets(chain, tmp_path, changed)
        honest = chain.with_files(adversarials=case.files.adversarials)
        with pytest.raises(VerificationError, match=f"those of {LINF} are not the ones that the evidence names"):
            adversarials_file(replace(case_of(chain), statement=case.statement, files=honest))


def test_a_set_that_the_evidence_names_must_be_there_and_one_that_it_does_not_must_not(
    chain: Chain, tmp_path: Path, sets: Sets
) -> None:
    def checked(changed: Sets) -> None:
        case = with_sets(chain, tmp_path, changed)
        adversarials_file(replace(case, files=chain.with_files(adversarials=case.files.adversarials)))

    with pytest.raises(VerificationError, match="the file lacks some of those that the evidence names"):
        checked({key: found for key, found in sets.items() if key != L2})
    with pytest.raises(VerificationError, match=r"those of l2-0.5/other@1-0 are not the ones"):
        checked(sets | {"l2-0.5/other@1-0": sets[L2]})
    with pytest.raises(VerificationError, match="l1-1/other@1-0 is of no registered threat model"):
        checked(sets | {"l1-1/other@1-0": Adversarials(sample_ids=np.zeros(0, np.int64), x_adv=sets[L2].x_adv[:0])})


def test_inputs_of_another_shape_and_of_unknown_samples_are_refused(chain: Chain, tmp_path: Path, sets: Sets) -> None:
    flat = with_images(sets, LINF, sets[LINF].x_adv.reshape(len(sets[LINF].x_adv), 64))
    with pytest.raises(VerificationError, match=f"those of {LINF} have another shape than the data"):
        adversarials_file(with_sets(chain, tmp_path, flat))
    unknown = sets | {LINF: Adversarials(sample_ids=sets[LINF].sample_ids + 5000, x_adv=sets[LINF].x_adv)}
    with pytest.raises(VerificationError, match=f"those of {LINF} are not the ones that the evidence names"):
        adversarials_file(with_sets(chain, tmp_path, unknown))


def within_budget(rows: Rows) -> Rows:
    """The same rows, none of which says that its input is farther away than epsilon."""
    return [row | {"distance": "0.1"} if row["perturbed"] and row["epsilon"] == "0.1" else row for row in rows]


def test_an_input_is_as_far_away_as_its_row_says(chain: Chain, tmp_path: Path) -> None:
    def nearer(rows: Rows) -> Rows:
        return [row | {"distance": "0.001"} if row["perturbed"] and row["epsilon"] == "0.1" else row for row in rows]

    message = rf"that of sample \[\d+\] under {LINF.partition('/')[0]}/.* is not as far as its row says"
    assert re.search(message, reason(verified(chain, with_rows(chain, tmp_path, "evaluation", nearer))))


def test_an_issuer_who_signs_rows_and_inputs_beyond_the_budget_is_refused(
    chain: Chain, tmp_path: Path, sets: Sets
) -> None:
    further = with_images(sets, LINF, np.clip(originals(chain, sets[LINF]) + 0.2, 0, 1))
    path = tmp_path / "adversarials.safetensors"
    save_adversarials(further, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    files = with_rows(
        chain,
        tmp_path,
        "evaluation",
        lambda rows: within_budget(named(chain, further)),
        also=replaced("evaluation.adversarialsSha256", digest),
    )
    assert "is outside budget or bounds" in reason(verified(chain, replace(files, adversarials=path)))
