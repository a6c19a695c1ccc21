"""Checks of the data set's file. Oracle: honest files of every kind of source, and one lie in each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from robustcert.certificate import data_checks as checks
from robustcert.certificate.bundle import BundleFiles
from robustcert.certificate.case import Case, Finding
from robustcert.certificate.registration_checks import registered_data
from robustcert.data.build import build_dataset
from robustcert.data.dataset import Dataset, load_dataset
from robustcert.data.sources import load_raw
from robustcert.errors import VerificationError
from robustcert.specification import Data
from tests.certificate.tampering import Document, case_of, reason, replaced, resigned, verified, with_data
from tests.chain import Chain
from tests.data.examples import FEATURES, IMAGES, image_data, table_data

N = 40
CANCER = Data.model_validate({"source": "builtin:breast-cancer"})
DIGITS = Data.model_validate({"source": "builtin:digits"})
ROLES = np.array(["train", "train", "validation", "test"] * (N // 4))

Check = Callable[[Case], Finding]


def images(kind: str, divide_by: float = 255.0) -> Callable[[Path, NDArray[Any] | None], Data]:
    def write(folder: Path, roles: NDArray[Any] | None) -> Data:
        x = np.random.default_rng(1).integers(0, 256, size=(N, 1, 4, 4)).astype(kind)
        x[0], x[1] = 0, 255
        given = {} if roles is None else {"split": roles}
        np.savez(folder / "images.npz", x=x, y=np.arange(N) % 2, **given)
        return image_data(divideBy=divide_by)

    return write


def table(suffix: str) -> Callable[[Path, NDArray[Any] | None], Data]:
    def write(folder: Path, roles: NDArray[Any] | None) -> Data:
        rng = np.random.default_rng(1)
        columns: dict[str, Any] = {
            "dose": np.r_[0.0, 10.0, rng.uniform(0, 10, N - 2)],
            "site": rng.choice(["north", "south", "east"], N),
            "age": rng.integers(0, 121, N),
            "smoker": rng.integers(0, 2, N),
            "state": np.array(["ill", "well"] * (N // 2)),
        }
        write_table(pa.table(columns | ({} if roles is None else {"role": roles})), folder / f"table{suffix}")
        splits = {} if roles is None else {"splits": {"column": "role"}}
        written = table_data(source=f"table{suffix}").model_dump(mode="json", by_alias=True, exclude_none=True)
        return Data.model_validate_json(json.dumps(written | splits))

    return write


def write_table(rows: pa.Table, path: Path) -> None:
    if path.suffix == ".csv":
        pyarrow.csv.write_csv(rows, path)
    else:
        pq.write_table(rows, path)


def built(folder: Path, data: Data, *, seed: int = 0) -> Dataset:
    return build_dataset(data, load_raw(data, folder=folder), seed=seed)


SOURCES: dict[str, Callable[[Path, NDArray[Any] | None], Data]] = {
    "integers": images("uint8"),
    "integers of 16 bits": images("uint16"),
    "integers on both grids": images("uint8", 256.0),
    "floats": images("float32"),
    "csv": table(".csv"),
    "parquet": table(".parquet"),
    "cancer": lambda folder, roles: CANCER,
    "digits": lambda folder, roles: DIGITS,
    "digits in grey levels": lambda folder, roles: Data.model_validate_json(
        json.dumps(
            {
                "source": "builtin:digits",
                "contract": {**IMAGES, "classes": list("0123456789"), "shape": [1, 8, 8], "range": [0, 16]},
            }
        )
    ),
}


@pytest.mark.parametrize("source", SOURCES)
def test_honest_data_of_every_kind_of_source_are_established(chain: Chain, tmp_path: Path, source: str) -> None:
    data = SOURCES[source](tmp_path, None)
    case = with_data(chain, tmp_path, data, built(tmp_path, data, seed=chain_seed(chain)))
    for check in (registered_data, checks.data_grid, checks.data_splits):
        assert check(case).status == "established", check


@pytest.mark.parametrize(("source", "gave"), [("csv", "role"), ("parquet", "role"), ("integers", "the source gave")])
def test_splits_that_the_source_gave_are_the_issuers_word(chain: Chain, tmp_path: Path, source: str, gave: str) -> None:
    data = SOURCES[source](tmp_path, ROLES)
    case = with_data(chain, tmp_path, data, built(tmp_path, data))
    found = checks.data_splits(case)
    assert (found.status, gave in found.message) == ("not established", True)
    assert checks.data_grid(case).status == "established"


def test_a_constant_feature_and_values_far_from_zero_keep_their_scale(chain: Chain, tmp_path: Path) -> None:
    far = {**FEATURES[1], "minimum": 1e6, "maximum": 1e6 + 10}
    data = table_data(source="table.csv", features=({**FEATURES[0], "maximum": 200.0}, far))
    rows = {"age": np.full(N, 77), "dose": 1e6 + np.linspace(0, 10, N), "state": ["ill", "well"] * (N // 2)}
    write_table(pa.table(rows), tmp_path / "table.csv")
    dataset = built(tmp_path, data)
    assert dataset.scale[0] == 1
    assert checks.data_grid(with_data(chain, tmp_path, data, dataset)).status == "established"


def chain_seed(chain: Chain) -> int:
    return case_of(chain).specification.seed


def changed(dataset: Dataset, field: str, change: Callable[[NDArray[Any]], Any]) -> Dataset:
    array = getattr(dataset, field)
    return replace(dataset, **{field: np.ascontiguousarray(change(array.copy()), dtype=array.dtype)})


def described(dataset: Dataset, **changes: object) -> Dataset:
    return replace(dataset, card=dataset.card.model_copy(update=changes))


@pytest.mark.parametrize(
    ("source", "lie", "message"),
    [
        ("digits", lambda d: changed(d, "unit", lambda u: u / 2), "unit is not that of the contract's grid"),
        (
            "digits",
            lambda d: changed(d, "unit", lambda u: np.full_like(u, 2.0**-12)),
            "samples are not those of the embedded",
        ),
        ("digits", lambda d: changed(d, "upper", lambda u: u + 1), "upper is not that of the contract"),
        ("digits", lambda d: changed(d, "lower", lambda u: u - 1), "lower is not that of the contract"),
        ("digits", lambda d: changed(d, "scale", lambda s: s * 2), "scale is not that of the contract"),
        ("digits", lambda d: changed(d, "perturbable", lambda p: ~p), "a pixel that can't be perturbed"),
        ("digits", lambda d: changed(d, "sample_ids", lambda i: i + 1), "not the numbers of the source's rows"),
        ("digits", lambda d: changed(d, "y", lambda y: np.roll(y, 1)), "not those of the embedded data set"),
        ("digits", lambda d: changed(d, "x_int", lambda x: x // 2), "not those of the embedded data set"),
        ("digits", lambda d: described(d, kind="tabular"), "of another kind than the contract"),
        ("digits", lambda d: described(d, units=("mm",)), "coordinates are not those of the contract"),
        ("cancer", lambda d: described(d, units=("mm",) * 30), "coordinates are not those of the contract"),
        ("cancer", lambda d: described(d, coordinates=d.card.coordinates[::-1]), "coordinates are not those"),
        ("cancer", lambda d: changed(d, "upper", lambda u: u + 1), "upper is not that of the contract"),
        ("cancer", lambda d: changed(d, "lower", lambda u: u - 1), "lower is not that of the contract"),
        ("cancer", lambda d: changed(d, "perturbable", lambda p: ~p), "perturbable is not that of the contract"),
        ("cancer", lambda d: changed(d, "scale", lambda s: s * 1.01), "scale is not .* in mean radius"),
        ("cancer", lambda d: changed(d, "scale", lambda s: s * 0.1), "unit is not that of the scale, in mean radius"),
        ("cancer", lambda d: changed(d, "scale", lambda s: np.full_like(s, 1e300)), "unit is not that of the scale"),
        ("cancer", lambda d: changed(d, "unit", lambda u: u / 2), "unit is not that of the scale, in mean radius"),
        ("cancer", lambda d: changed(d, "split", lambda s: np.full_like(s, 2)), "the training split is empty"),
        ("csv", lambda d: changed(d, "scale", lambda s: s * [1, 1, 2, 1, 1, 1]), "scale is not .* in smoker"),
    ],
)
def test_a_grid_that_does_not_follow_from_contract_and_training_split_is_refused(
    chain: Chain, tmp_path: Path, source: str, lie: Callable[[Dataset], Dataset], message: str
) -> None:
    data = SOURCES[source](tmp_path, None)
    case = with_data(chain, tmp_path, data, lie(built(tmp_path, data)))
    with pytest.raises(VerificationError, match=f"data: .*({message})"):
        checks.data_grid(case)


@pytest.mark.filterwarnings("error")
def test_numbers_that_overflow_are_refused_and_raise_nothing_else(chain: Chain, tmp_path: Path) -> None:
    small, data = (
        table_data(source="table.csv", features=({**FEATURES[1], "minimum": -end, "maximum": end},))
        for end in (10.0, 1e306)
    )
    dose = np.linspace(0, 10, N)
    write_table(pa.table({"dose": dose, "state": ["ill", "well"] * (N // 2)}), tmp_path / "table.csv")
    honest = built(tmp_path, small)
    unit = honest.unit * 0 + 2.0**1000
    steps = np.where(np.arange(N)[:, None] % 2, 90_000, -90_000)
    huge = replace(honest, unit=unit, scale=unit * 4096, x_int=steps.astype(np.int32))
    huge = replace(huge, lower=np.array([-1e306]), upper=np.array([1e306]))
    with pytest.raises(VerificationError, match="scale is not that of the training split, in dose"):
        checks.data_grid(with_data(chain, tmp_path, data, huge))


@pytest.mark.parametrize("source", ["digits", "cancer", "csv", "parquet"])
def test_test_samples_that_were_chosen_and_not_drawn_are_refused(chain: Chain, tmp_path: Path, source: str) -> None:
    data = SOURCES[source](tmp_path, None)
    honest = built(tmp_path, data, seed=chain_seed(chain))
    first, other = np.flatnonzero(honest.split == 2)[0], np.flatnonzero(honest.split == 0)[0]

    def exchanged(split: NDArray[Any]) -> NDArray[Any]:
        split[[first, other]] = split[[other, first]]
        return split

    case = with_data(chain, tmp_path, data, changed(honest, "split", exchanged))
    with pytest.raises(VerificationError, match="splits are not those that the registered seed draws"):
        checks.data_splits(case)
    another = built(tmp_path, data, seed=chain_seed(chain) + 1)
    with pytest.raises(VerificationError, match="splits are not those that the registered seed draws"):
        checks.data_splits(with_data(chain, tmp_path, data, another))


def test_an_empty_split_is_refused_whoever_gave_it(chain: Chain, tmp_path: Path) -> None:
    data = SOURCES["csv"](tmp_path, ROLES)
    dataset = changed(built(tmp_path, data), "split", lambda split: np.where(split == 1, 0, split))
    with pytest.raises(VerificationError, match="data: a split is empty"):
        checks.data_splits(with_data(chain, tmp_path, data, dataset))


@pytest.mark.parametrize("check", [checks.data_grid, checks.data_splits])
def test_what_another_version_did_otherwise_is_not_established_and_not_refused(
    chain: Chain, tmp_path: Path, check: Check
) -> None:
    dataset = changed(built(tmp_path, CANCER), "unit", lambda unit: unit / 2)
    dataset = changed(dataset, "split", lambda split: np.roll(split, 1))
    case = with_data(chain, tmp_path, CANCER, dataset)
    case.predicate.environment["robustcert"] = "9.0.0"
    found = check(case)
    assert (found.check, found.status) == (check.__name__.replace("_", " "), "not established")
    assert found.message.startswith("issued by another version of robustcert; by the rules of this one, data: ")


def test_a_consistent_lie_about_embedded_samples_is_refused_by_the_whole_verification(
    chain: Chain, tmp_path: Path
) -> None:
    """The issuer makes a training sample easier, and signs every digest of the file again."""
    from robustcert.certificate.smoothing_key import smoothing_key
    from robustcert.data.dataset import save_dataset
    from robustcert.data.digests import dataset_root

    honest, path = load_dataset(Path(str(chain.files.dataset))), tmp_path / "dataset.safetensors"
    at = np.flatnonzero(honest.split == 0)[0]
    dataset = changed(honest, "x_int", lambda x: np.where(np.arange(len(x))[:, None, None, None] == at, 0, x))
    save_dataset(dataset, path)
    sha256, root = hashlib.sha256(path.read_bytes()).hexdigest(), dataset_root(dataset)

    def change(statement: Document) -> None:
        predicate = statement["predicate"]
        key = smoothing_key(case_of(chain).loaded, model_sha256=predicate["model"]["sha256"], dataset_sha256=sha256)
        before = predicate["data"]["merkleRoot"]
        predicate["certification"]["key0"] = str(key)
        predicate["data"] |= {"fileSha256": sha256, "merkleRoot": root}
        predicate["data"]["splits"]["train"]["merkleRoot"] = dataset_root(dataset, "train")
        predicate["claims"] = [claim.replace(before[:12], root[:12]) for claim in predicate["claims"]]

    found = verified(chain, replace(resigned(chain, tmp_path, change), dataset=path))
    assert reason(found) == "data: samples are not those of the embedded data set"


def reported(chain: Chain, tmp_path: Path, change: Callable[[Document], None]) -> Case:
    """A changed data report whose digest is signed."""
    path = tmp_path / "data_report.json"
    report = json.loads(Path(str(chain.files.data_report)).read_bytes())
    change(report)
    path.write_text(json.dumps(report))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    signed = case_of(chain, replaced("data.validationReportSha256", digest))
    return replace(signed, files=chain.with_files(data_report=path))


def test_the_runs_own_report_is_established_and_without_it_nothing_is(chain: Chain) -> None:
    whole = case_of(chain)
    bare = replace(whole, files=BundleFiles(certificate=chain.files.certificate))
    assert checks.data_report_file(whole).status == "established"
    assert {check(bare).status for check in (checks.data_grid, checks.data_splits, checks.data_report_file)} == {
        "not established"
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda report: report.update(passed=False), "validation did not pass"),
        (lambda report: report["splitCounts"].update(test=1), "it is about splits of other sizes"),
        (lambda report: report["splitCounts"].clear(), "it is about splits of other sizes"),
        (lambda report: report["findings"].append(finding("warning")), "not the certificate's warnings"),
        (lambda report: report["findings"].append(finding("error")), "validation did not pass"),
        (lambda report: report.pop("findings"), "data_report.json is none"),
        (lambda report: report.update(metrics={"nan_ratio": float("nan")}), "data_report.json is none"),
        (lambda report: report.update(splitCounts={"test": 10**4000}), "is none|of other sizes"),
    ],
)
def test_a_report_that_does_not_fit_the_certificate_is_refused(
    chain: Chain, tmp_path: Path, change: Callable[[Document], None], message: str
) -> None:
    with pytest.raises(VerificationError, match=f"data report: .*({message})"):
        checks.data_report_file(reported(chain, tmp_path, change))


def finding(severity: str) -> Document:
    return {"check": "ranges", "severity": severity, "message": "a value out of range"}


def test_another_report_than_the_certified_one_is_refused_by_its_digest(chain: Chain, tmp_path: Path) -> None:
    path = tmp_path / "data_report.json"
    path.write_text("{}")
    with pytest.raises(VerificationError, match=r"data report: SHA-256 of data_report.json is .*, certified is"):
        checks.data_report_file(replace(case_of(chain), files=chain.with_files(data_report=path)))
