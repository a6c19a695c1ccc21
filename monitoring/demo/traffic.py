"""Traffic for the demo: rows of the certified test split, as they were certified or as a broken camera gives them.

Shapes: N rows, 64 raw values of an 8 x 8 digit, whole numbers from 0 to 16.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import numpy as np
from numpy.typing import NDArray

from robustcert.certificate import bundle
from robustcert.certificate.certified import find_certificate
from robustcert.data.contract import contract_of
from robustcert.data.dataset import load_dataset
from robustcert.specification_file import recorded_specification
from robustcert.storage.store import Store

Raw = NDArray[np.float64]
Fault = Callable[[Raw, np.random.Generator], Raw]

BRIGHTEST = 16.0
ROWS_PER_REQUEST = 20
REQUESTS_PER_SECOND = 10


def none(raw_N64: Raw, random: np.random.Generator) -> Raw:
    """The rows as they are."""
    return raw_N64


def dimmed(raw_N64: Raw, random: np.random.Generator) -> Raw:
    """A weaker lamp: the model still reads its digits, though they are not like the certified ones."""
    return np.rint(raw_N64 * 0.85)


def inverted(raw_N64: Raw, random: np.random.Generator) -> Raw:
    """Black is white: nothing that the certificate says is about such pictures."""
    return BRIGHTEST - raw_N64


FAULTS: dict[str, Fault] = {"none": none, "dimmed": dimmed, "inverted": inverted}


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The certified test rows, and what they show."""

    raw_N64: Raw
    labels_N: NDArray[np.int64]
    shape: tuple[int, ...]


def certified_rows(store: Store, certificate: str, folder: Path) -> Rows:
    """The test split of a certificate in the store, in the units of its source."""
    record = find_certificate(store, certificate)
    path = folder / bundle.DATASET
    store.fetch(record.files[bundle.DATASET], path)
    test = load_dataset(path).select("test")
    text = store.read_bytes(record.files[bundle.SPECIFICATION]).decode()
    contract = contract_of(recorded_specification(text, name="the certificate's specification").specification.data)
    assert contract.kind == "image", "the demo serves digits"
    raw = np.rint(test.x() * contract.divide_by).reshape(len(test), -1)
    return Rows(raw_N64=raw, labels_N=test.y, shape=test.card.shape)


class Traffic:
    """Sends rows to a served model, again and again, from a thread of its own; `fault` may change at any time."""

    def __init__(self, url: str, rows: Rows, *, seed: int = 0) -> None:
        self.fault: Fault = none
        self.answers: Counter[int] = Counter()  # HTTP status, 0 for no answer -> requests
        self._url, self._rows, self._random = url, rows, np.random.default_rng(seed)
        self._sent: dict[int, Raw] = {}  # row of the split -> as it was last sent
        self._stopped, self._thread = threading.Event(), threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def forget(self) -> None:
        """Drops the rows that were kept, so that those of a window are of one kind."""
        self._sent.clear()

    @property
    def kept(self) -> int:
        """How many different rows with labels are kept."""
        return len(self._sent)

    def write_window(self, path: Path) -> None:
        """Writes the newest rows with their true labels, as people who looked at them would."""
        sent = dict(self._sent)
        raw = np.array(list(sent.values())).reshape(len(sent), *self._rows.shape)
        np.savez(path, x=raw, y=self._rows.labels_N[list(sent)])

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stopped.wait(max(0.0, due - time.monotonic())):
            due = max(due + 1 / REQUESTS_PER_SECOND, time.monotonic() - 1)
            chosen = self._random.choice(len(self._rows.labels_N), ROWS_PER_REQUEST, replace=False)
            raw = self.fault(self._rows.raw_N64[chosen], self._random)
            self.answers[_post(self._url, raw)] += 1
            self._sent.update(zip(chosen.tolist(), raw, strict=True))


def _post(url: str, raw_N64: Raw) -> int:
    tensor = {"name": "x", "shape": list(raw_N64.shape), "datatype": "FP32", "data": raw_N64.ravel().tolist()}
    request = Request(url, json.dumps({"inputs": [tensor]}).encode(), {"Content-Type": "application/json"})
    try:
        with urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code
    except (URLError, ConnectionError, TimeoutError):
        return 0
