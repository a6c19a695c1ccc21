import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
from moto.server import ThreadedMotoServer
from PIL import Image

from robustcert.data import sources
from robustcert.data.sources import load_raw
from robustcert.errors import DataError, StorageError
from robustcert.specification import Data, Splits
from tests.data.examples import image_data, raw_images, raw_table, table_data


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One source of each kind."""
    np.savez(tmp_path / "images.npz", x=raw_images().values, y=raw_images().labels)
    rows = [
        f"{age},{dose},{int(smoker)},{('north', 'south', 'east')[int(site)]},{('ill', 'well')[label]}"
        for (age, dose, smoker, site), label in zip(raw_table().values.tolist(), raw_table().labels, strict=True)
    ]
    (tmp_path / "table.csv").write_text("\n".join(["age,dose,smoker,site,state", *rows]))
    for number, image in enumerate(raw_images(4).values):
        label = tmp_path / "pictures" / ("cat", "dog")[number % 2]
        label.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[0]).save(label / f"{number}.png")
    return tmp_path


def test_a_relative_path_starts_at_the_folder_and_only_its_name_is_kept(folder: Path) -> None:
    (folder / "deep").mkdir()
    shutil.copy(folder / "images.npz", folder / "deep")
    raw = load_raw(image_data(source="deep/images.npz"), folder=folder)
    assert raw.source == "images.npz"
    assert raw.source_sha256 == hashlib.sha256((folder / "images.npz").read_bytes()).hexdigest()
    assert np.array_equal(raw.values, raw_images().values)


def test_an_absolute_path_needs_no_folder(folder: Path) -> None:
    raw = load_raw(table_data(source=str(folder / "table.csv")))
    assert raw.source == "table.csv"
    assert np.array_equal(raw.values, raw_table().values)


def test_a_folder_of_images_is_a_source(folder: Path) -> None:
    raw = load_raw(image_data(source="pictures"), folder=folder)
    assert (len(raw), raw.source) == (4, "pictures")
    lines = [f"{name} {hashlib.sha256((folder / 'pictures' / name).read_bytes()).hexdigest()}\n" for name in
             ("cat/0.png", "cat/2.png", "dog/1.png", "dog/3.png")]  # fmt: skip
    assert raw.source_sha256 == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_embedded_data_need_no_file() -> None:
    raw = load_raw(Data.model_validate({"source": "builtin:digits"}))
    assert (len(raw), raw.source) == (1797, "builtin:digits")


def test_an_s3_object_is_fetched_read_and_named_by_its_uri(folder: Path) -> None:
    asked: list[str] = []

    def fetch(uri: str, target: Path) -> None:
        asked.append(uri)
        shutil.copy(folder / "images.npz", target)

    raw = load_raw(image_data(source="s3://bucket/deep/images.npz"), fetch=fetch)
    assert asked == [raw.source] == ["s3://bucket/deep/images.npz"]
    assert np.array_equal(raw.values, raw_images().values)
    assert raw.source_sha256 == hashlib.sha256((folder / "images.npz").read_bytes()).hexdigest()


@pytest.fixture
def s3_endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server on loopback that speaks S3, and credentials for it in the environment."""
    for name in ("MINIO_ACCESS_KEY", "MINIO_SECRET_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "EXAMPLEKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example-secret")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def test_an_object_of_a_server_is_read_and_a_missing_one_refused(folder: Path, s3_endpoint: str) -> None:
    client = boto3.client("s3", endpoint_url=s3_endpoint, region_name="us-east-1")
    client.create_bucket(Bucket="data-of-tests")
    client.upload_file(str(folder / "images.npz"), "data-of-tests", "deep/images.npz")
    query = f"?endpoint={s3_endpoint}&region=us-east-1"
    raw = load_raw(image_data(source=f"s3://data-of-tests/deep/images.npz{query}"))
    assert raw.source == "s3://data-of-tests/deep/images.npz"
    assert np.array_equal(raw.values, raw_images().values)
    with pytest.raises(StorageError, match=r"^expected s3://data-of-tests/none.npz.*, got no such object; "):
        load_raw(image_data(source=f"s3://data-of-tests/none.npz{query}"))


def test_registered_data_may_lie_elsewhere_and_keep_their_name(folder: Path) -> None:
    here = image_data(source="s3://bucket/deep/images.npz?endpoint=http://gone.example")
    registered = here.model_copy(update={"sha256": hashlib.sha256((folder / "images.npz").read_bytes()).hexdigest()})
    fetched: list[str] = []

    def fetch(uri: str, target: Path) -> None:
        fetched.append(uri)
        shutil.copy(folder / "images.npz", target)

    local = load_raw(registered, folder=folder, uri="images.npz", fetch=pytest.fail)
    remote = load_raw(registered, uri="s3://other/copy.npz?endpoint=http://new.example", fetch=fetch)
    assert fetched == ["s3://other/copy.npz?endpoint=http://new.example"]
    assert local.source == remote.source == "s3://bucket/deep/images.npz"
    assert np.array_equal(local.values, remote.values)
    (folder / "images.npz").write_bytes(b"other bytes")
    with pytest.raises(DataError, match=r"^expected data with SHA-256 "):
        load_raw(registered, folder=folder, uri="images.npz")


@pytest.mark.parametrize(("source", "got"), [("images.npz", "none"), ("builtin:digits", "a builtin source")])
def test_data_without_a_registered_digest_lie_where_the_specification_says(folder: Path, source: str, got: str) -> None:
    data = Data.model_validate({"source": source}) if source.startswith("builtin") else image_data(source=source)
    with pytest.raises(DataError, match=f"^expected 'data.sha256' of the specification with data_uri, got {got}; "):
        load_raw(data, folder=folder, uri="images.npz")


def test_an_address_that_leads_nowhere_is_named(folder: Path) -> None:
    registered = image_data(source="images.npz").model_copy(update={"sha256": "0" * 64})
    with pytest.raises(DataError, match=r"^expected data at 'gone\.npz', got nothing there"):
        load_raw(registered, folder=folder, uri="gone.npz")


def test_an_s3_prefix_is_refused_before_anything_is_fetched() -> None:
    with pytest.raises(
        DataError, match=r"^expected .npz, .csv, .parquet or a folder of images, got 's3://bucket/pictures'"
    ):
        load_raw(image_data(source="s3://bucket/pictures"), fetch=pytest.fail)


@pytest.mark.parametrize("source", ["images.npz", "pictures", "builtin:digits"])
def test_the_digest_that_the_specification_states_is_checked(folder: Path, source: str) -> None:
    data = image_data(source=source) if source != "builtin:digits" else Data.model_validate({"source": source})
    digest = load_raw(data, folder=folder).source_sha256
    load_raw(data.model_copy(update={"sha256": digest}), folder=folder)
    with pytest.raises(
        DataError, match=rf"^expected data with SHA-256 0{{64}}, got {digest}; restore the data, or state"
    ):
        load_raw(data.model_copy(update={"sha256": "0" * 64}), folder=folder)


def test_one_changed_byte_changes_the_digest_before_anything_is_parsed(folder: Path) -> None:
    data = image_data()
    stated = data.model_copy(update={"sha256": load_raw(data, folder=folder).source_sha256})
    content = bytearray((folder / "images.npz").read_bytes())
    content[300] ^= 1
    (folder / "images.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"^expected data with SHA-256"):
        load_raw(stated, folder=folder)


@pytest.mark.parametrize("source", ["none.npz", "none.csv", "none", "none/images.npz"])
def test_a_missing_source_is_refused(folder: Path, source: str) -> None:
    data = image_data(source=source) if "csv" not in source else table_data(source=source)
    with pytest.raises(DataError, match=rf"^expected data at '{source}', got nothing there; correct data.source$"):
        load_raw(data, folder=folder)


def test_a_pipe_is_refused_at_once(folder: Path) -> None:
    os.mkfifo(folder / "pipe.npz")
    with pytest.raises(
        DataError, match=r"^expected a file or a folder, got 'pipe.npz', which is neither; name the data"
    ):
        load_raw(image_data(source="pipe.npz"), folder=folder)


@pytest.mark.parametrize("name", ["images.npz", "table.csv", "table.parquet", "pictures", "pictures/cat/0.png"])
def test_a_source_without_read_permission_is_refused(
    folder: Path, open_folder: Path, ordinary_user: Callable[[], AbstractContextManager[None]], name: str
) -> None:
    (folder / "table.parquet").touch()
    shutil.copytree(folder, open_folder / "data")
    (open_folder / "data").chmod(0o755)
    (open_folder / "data" / name).chmod(0)
    source = name.split("/")[0]
    data = table_data(source=source) if source.startswith("table") else image_data(source=source)
    with (
        ordinary_user(),
        pytest.raises(DataError, match=rf"^expected data at '{source}' that can be read, got Permission denied; check"),
    ):
        load_raw(data, folder=open_folder / "data")
    (open_folder / "data" / name).chmod(0o700)


def test_a_folder_in_a_files_place_is_refused(folder: Path) -> None:
    with pytest.raises(
        DataError, match=r"^expected data of kind tabular, got 'pictures', which holds image data; correct"
    ):
        load_raw(table_data(source="pictures"), folder=folder)
    with pytest.raises(
        DataError, match=r"^expected data of kind image, got 'table.csv', which holds tabular data; correct"
    ):
        load_raw(image_data(source="table.csv", label="state"), folder=folder)


@pytest.mark.parametrize("name", ["x.pkl", "x.pt", "x.PTH", "x.joblib", "x.npy"])
def test_formats_that_can_hold_python_objects_are_refused_with_the_way_out(folder: Path, name: str) -> None:
    (folder / name).touch()
    with pytest.raises(
        DataError, match=rf"^expected data without Python objects, got '{name}'; save it with numpy.savez"
    ):
        load_raw(image_data(source=name), folder=folder)


@pytest.mark.parametrize("name", ["x.xlsx", "x", "x.zip"])
def test_an_unknown_format_is_refused(folder: Path, name: str) -> None:
    (folder / name).touch()
    with pytest.raises(
        DataError, match=rf"^expected .npz, .csv, .parquet or a folder of images, got '{name}'; convert"
    ):
        load_raw(image_data(source=name), folder=folder)


def test_a_split_column_reaches_every_kind_of_source(folder: Path) -> None:
    np.savez(folder / "images.npz", x=raw_images().values, y=raw_images().labels, role=raw_images().labels)
    rows = (folder / "table.csv").read_text().split("\n")
    (folder / "table.csv").write_text("\n".join([rows[0] + ",role", *(f"{row},test" for row in rows[1:])]))
    by_role = {"splits": Splits(column="role")}
    images = load_raw(image_data().model_copy(update=by_role), folder=folder)
    table = load_raw(table_data().model_copy(update=by_role), folder=folder)
    assert images.splits is not None
    assert images.splits.tolist() == [0, 1] * 20
    assert table.splits is not None
    assert table.splits.tolist() == [2] * 40


@pytest.mark.parametrize("source", ["images.npz", "pictures", "builtin:digits"])
def test_splits_that_the_specification_names_are_not_silently_drawn(folder: Path, source: str) -> None:
    data = image_data(source=source) if source != "builtin:digits" else Data.model_validate({"source": source})
    with pytest.raises(
        DataError, match=r"^expected splits in 'role', as data.splits.column says, got data without them"
    ):
        load_raw(data.model_copy(update={"splits": Splits(column="role")}), folder=folder)


def test_data_that_change_between_their_digest_and_their_reading_are_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = sources.read_npz

    def slowly(path: Path, **given: Any) -> Any:
        np.savez(path, x=raw_images().values, y=1 - raw_images().labels)
        return read(path, **given)

    monkeypatch.setattr(sources, "read_npz", slowly)
    with pytest.raises(DataError, match="that stay as they are while they are read, got SHA-256"):
        load_raw(image_data(source="images.npz"), folder=folder)
