"""Checkpoints of blocks. Oracle: `certify` of the same samples, called by itself, and how often it is called."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from robustcert.data.dataset import Dataset
from robustcert.models.files import load_model
from robustcert.provenance.digests import canonical_json, sha256_bytes
from robustcert.smoothing.certify import Row, certify
from robustcert.steps import certification_block
from robustcert.steps.certification_block import (
    CertificationWork,
    OpenFiles,
    certification_work,
    finished_block,
    own_rows,
)
from robustcert.steps.step import StepInputs, open_inputs
from tests.chain import Chain, small_specification

Calls = list[list[int]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """The samples of every call of `certify` by the module."""
    made: Calls = []

    def counted(model: Any, dataset: Dataset, **given: Any) -> list[Row]:
        made.append(dataset.sample_ids.tolist())
        return certify(model, dataset, **given)

    monkeypatch.setattr(certification_block, "certify", counted)
    return made


@pytest.fixture
def inputs(tmp_path: Path) -> StepInputs:
    return open_inputs(specification=small_specification(), store=str(tmp_path / "store"))


@pytest.fixture
def work(chain: Chain, inputs: StepInputs) -> CertificationWork:
    return certification_work(
        inputs, dataset=chain.bundle / "dataset.safetensors", model=chain.bundle / "model.safetensors"
    )


def block_of(work: CertificationWork, size: int = 3) -> tuple[int, ...]:
    return tuple(OpenFiles(work).dataset.sample_ids[:size].tolist())


def test_the_rows_are_those_of_certify_and_are_made_once(
    work: CertificationWork, inputs: StepInputs, calls: Calls
) -> None:
    files, block = OpenFiles(work), block_of(work)
    samples = files.dataset.rows(block)
    wanted = certify(load_model(work.model), samples, certification=work.certification, key0=work.key0)
    first = finished_block(work, files, inputs.store, block)
    again = finished_block(work, OpenFiles(work), inputs.store, block)
    assert first.rows == again.rows == wanted
    assert (first.reused, again.reused, calls) == (False, True, [list(block)])


def test_the_key_is_all_that_the_rows_depend_on(work: CertificationWork) -> None:
    assert set(work.inputs_of((1, 2))) == {
        *("datasetSha256", "modelSha256", "certification", "seed", "environment"),
        *("samples", "runToken"),
    }
    assert work.document_of((1, 2)) != work.document_of((1, 3))


def test_a_model_is_not_loaded_for_blocks_that_are_finished(
    work: CertificationWork, inputs: StepInputs, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = block_of(work)
    finished_block(work, OpenFiles(work), inputs.store, block)
    monkeypatch.setattr(certification_block, "load_model", None)
    assert finished_block(work, OpenFiles(work), inputs.store, block).reused


@pytest.mark.parametrize("damage", [lambda data: data[:-20], lambda data: b"", lambda data: data.replace(b"3", b"4")])
def test_a_damaged_checkpoint_is_made_again(
    work: CertificationWork, inputs: StepInputs, calls: Calls, damage: Callable[[bytes], bytes]
) -> None:
    block = block_of(work)
    first = finished_block(work, OpenFiles(work), inputs.store, block)
    document = inputs.store.read_document(work.document_of(block))
    assert document is not None
    inputs.store.write_document(work.document_of(block), damage(document))
    again = finished_block(work, OpenFiles(work), inputs.store, block)
    assert (again.rows, again.reused, len(calls)) == (first.rows, False, 2)
    assert finished_block(work, OpenFiles(work), inputs.store, block).reused


def of_the_next_sample(rows: list[Row]) -> None:
    rows[0]["sample"] += 1


def of_another_input(rows: list[Row]) -> None:
    rows[1]["input"] = "ab" * 32


def of_another_label(rows: list[Row]) -> None:
    rows[1]["label"] = (rows[1]["label"] + 1) % 10


def with_a_larger_radius(rows: list[Row]) -> None:
    rows[2] |= {"decision": "certified", "radius": "9.000000"}


def with_fewer_votes(rows: list[Row]) -> None:
    rows[0]["counts"][0][1] -= 1
    rows[0]["n"] -= 1


def with_more_selections(rows: list[Row]) -> None:
    rows[0]["selection"][0][1] += 1
    rows[0]["n0"] += 1


def with_a_class_that_is_none(rows: list[Row]) -> None:
    rows[0]["counts"][0][0] = 10


def with_a_class_below_nought(rows: list[Row]) -> None:
    rows[0]["counts"][-1][0] -= 10


def with_votes_as_text(rows: list[Row]) -> None:
    rows[0]["fragile"] = str(rows[0]["fragile"])


def one_less(rows: list[Row]) -> None:
    rows.pop()


def one_more(rows: list[Row]) -> None:
    rows.append(dict(rows[0]))


def exchanged(rows: list[Row]) -> None:
    rows.reverse()


def with_a_column_more(rows: list[Row]) -> None:
    rows[0]["more"] = 1


TAMPERINGS = (
    of_the_next_sample,
    of_another_input,
    of_another_label,
    with_a_larger_radius,
    with_fewer_votes,
    with_more_selections,
    with_a_class_that_is_none,
    with_a_class_below_nought,
    with_votes_as_text,
    one_less,
    one_more,
    exchanged,
    with_a_column_more,
)


@pytest.mark.parametrize("tamper", TAMPERINGS)
def test_rows_that_do_not_belong_to_the_block_are_made_again_though_their_checksum_is_right(
    work: CertificationWork, inputs: StepInputs, calls: Calls, tamper: Callable[[list[Row]], None]
) -> None:
    block, name = block_of(work), work.document_of(block_of(work))
    first = finished_block(work, OpenFiles(work), inputs.store, block)
    document = json.loads(inputs.store.read_document(name) or b"")
    tamper(document["values"]["rows"])
    document.pop("checksum")
    checked = {**document, "checksum": sha256_bytes(canonical_json(document))}
    inputs.store.write_document(name, canonical_json(checked))
    again = finished_block(work, OpenFiles(work), inputs.store, block)
    assert (again.rows, again.reused, len(calls)) == (first.rows, False, 2)


@pytest.mark.parametrize("values", [{}, {"rows": None}, {"rows": [1, 2, 3]}, {"rows": {}}, {"rows": [[], [], []]}])
def test_what_are_no_rows_belongs_to_no_block(work: CertificationWork, values: dict[str, Any]) -> None:
    samples = OpenFiles(work).dataset.rows(block_of(work))
    assert own_rows(values, samples, certification=work.certification) is None


class Killed(BaseException):
    """Takes the place of a signal."""


def test_a_kill_inside_a_block_costs_no_more_than_the_round_that_was_lost(
    work: CertificationWork, inputs: StepInputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rounds of two batches, each kept; killed in the seventh. Calls are counted in the model itself."""
    monkeypatch.setattr("robustcert.steps.stored_rounds.SECONDS", 0.0)
    monkeypatch.setattr("robustcert.smoothing.rounds.ROUND_BATCHES", 2)
    block, calls = block_of(work, size=12), [0]

    def counted(*, dies_at: int) -> OpenFiles:
        def count(*_: object) -> None:
            calls[0] += 1
            if calls[0] == dies_at:
                raise Killed

        files, calls[0] = OpenFiles(work), 0
        files.model.module.register_forward_pre_hook(count)
        return files

    probes, batches = 5, -(-12 * 544 // 256)
    with pytest.raises(Killed):
        finished_block(work, counted(dies_at=probes + 13), inputs.store, block)
    assert inputs.store.read_document(work.document_of(block)) is None
    assert inputs.store.read_document(work.rounds_of(block)) is not None
    resumed = finished_block(work, counted(dies_at=0), inputs.store, block)
    assert calls[0] == probes + batches - 12
    samples = OpenFiles(work).dataset.rows(block)
    whole = certify(load_model(work.model), samples, certification=work.certification, key0=work.key0)
    assert resumed.rows == whole
