"""The baseline: the certified model answers the certified samples again, and must answer as its evidence says.

A drift statistic compares two samples; it means something only while the first one is what was certified. Where model,
data and this machine answer otherwise than the certificate's evidence, nothing that follows could be trusted.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robustcert.certificate import bundle
from robustcert.certificate.certified import Certified
from robustcert.certificate.evidence import EVALUATION_SCHEMA, read_batches
from robustcert.data.dataset import Dataset, load_dataset
from robustcert.drift.model_outputs import model_outputs
from robustcert.errors import StepError, expected
from robustcert.evaluation.curve import CLEAN
from robustcert.models.files import load_model
from robustcert.models.model import LoadedModel
from robustcert.specification import Specification
from robustcert.specification_file import recorded_specification
from robustcert.storage.store import Store


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """Specification, data and model as they were certified; `agreed` of `of` certified answers were given again."""

    specification: Specification
    dataset: Dataset
    model: LoadedModel
    agreed: int
    of: int

    @property
    def test(self) -> Dataset:
        """The certified test split."""
        return self.dataset.select("test")


def open_baseline(store: Store, certified: Certified, *, tolerance: float) -> Baseline:
    """Opens what was certified and checks it; StepError where more than `tolerance` (0 to 1) of the answers differ."""
    text = certified.predicate.specification.text
    specification = recorded_specification(text, name="the certificate's specification").specification
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / name for name in (bundle.DATASET, certified.model, bundle.EVALUATION)}
        for name, path in paths.items():
            store.fetch(certified.files[name], path)
        dataset = load_dataset(paths[bundle.DATASET])
        model = load_model(paths[certified.model], factory=specification.model.factory)
        answers = _certified_answers(paths[bundle.EVALUATION])
    agreed = _agreed(model, dataset, answers)
    if len(answers) - agreed > tolerance * len(answers):
        raise _unstable(agreed, len(answers), certified)
    return Baseline(specification=specification, dataset=dataset, model=model, agreed=agreed, of=len(answers))


def _certified_answers(evidence: Path) -> dict[int, int]:
    """Sample -> the class that the model gave it before any attack, as the certificate's evidence says."""
    found: dict[int, int] = {}
    for batch in read_batches(evidence, schema=EVALUATION_SCHEMA, columns=["attack", "sample", "prediction"]):
        rows = zip(*(batch.column(name).to_pylist() for name in ("attack", "sample", "prediction")), strict=True)
        found |= {sample: prediction for attack, sample, prediction in rows if attack == CLEAN}
    return found


def _agreed(model: LoadedModel, dataset: Dataset, answers: dict[int, int]) -> int:
    again = model_outputs(model, dataset.rows(list(answers)).x()).predictions
    return int(np.sum(again == np.array(list(answers.values()), dtype=np.int64)))


def _unstable(agreed: int, of: int, certified: Certified) -> StepError:
    what = f"the answers that certificate {certified.sha256[:12]} recorded for its {of} samples"
    got = f"{agreed} of them again"
    remedy = "run where the certificate's environment is installed; drift is not measured against a moved baseline"
    return StepError(expected(what, got=got, remedy=remedy))
