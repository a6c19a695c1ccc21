"""The two references of tests/drift/stream/references.py, as fixtures."""

from __future__ import annotations

import pytest

from robustcert.drift.reference import DriftReference, read_reference
from tests.drift.stream.references import as_json, document, table_document


@pytest.fixture
def image_reference() -> DriftReference:
    return read_reference(as_json(document()))


@pytest.fixture
def table_reference() -> DriftReference:
    return read_reference(as_json(table_document()))
