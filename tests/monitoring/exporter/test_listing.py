"""Names alone say what a document is about; what they do not say is counted as a stray."""

from __future__ import annotations

from monitoring.exporter.invalid import Invalid
from monitoring.exporter.listing import list_names
from monitoring.exporter.readers import Readers
from tests.monitoring.exporter.fleet import Unflushed

MODEL, CERTIFICATE = "ab" * 32, "cd" * 32
NAMES = {
    f"published/digits/{MODEL}/{CERTIFICATE}.json": None,
    f"published/digits/{MODEL}/{CERTIFICATE}.txt": "published",
    f"published/Digits/{MODEL}/{CERTIFICATE}.json": "published",
    f"certificates/{CERTIFICATE}.json": None,
    f"statuses/{CERTIFICATE}/000001.json": None,
    f"statuses/{CERTIFICATE}/000002.json": None,
    "statuses/short/000001.json": "status",
    f"drift/digits/{MODEL}/20260102T000000Z-0123456789ab.json": None,
    f"drift/digits/{MODEL}/20260101T000000Z-aaaaaaaaaaaa.json": None,
    f"drift/digits/{MODEL}/20260101T000000Z-bbbbbbbbbbbb.json": None,
    f"drift/digits/{MODEL}/yesterday.json": "drift",
}


def test_names_are_sorted_by_what_they_are_about(store: Unflushed) -> None:
    for name in NAMES:
        store.write_document(name, b"never read")
    found = list_names(Readers(lambda: store, count=1))
    assert found.published == ((f"published/digits/{MODEL}/{CERTIFICATE}.json", f"certificates/{CERTIFICATE}.json"),)
    assert found.certificates == {f"certificates/{CERTIFICATE}.json"}
    assert found.statuses == {CERTIFICATE: tuple(name for name in NAMES if name.startswith(f"statuses/{CERTIFICATE}"))}
    assert [[name[-15:-5] for (name,) in window] for window in found.windows(("digits", MODEL))] == [
        ["23456789ab"],
        ["bbbbbbbbbb", "aaaaaaaaaa"],
    ]
    assert found.stray == {Invalid("published", "form"): 2, Invalid("status", "form"): 1, Invalid("drift", "form"): 1}
    assert found.objects == {"published": 3, "certificate": 1, "status": 3, "drift": 4}
    assert not store.reads


def test_an_empty_store_has_no_names(store: Unflushed) -> None:
    found = list_names(Readers(lambda: store, count=1))
    assert (found.published, found.objects["drift"], list(found.windows(("digits", MODEL)))) == ((), 0, [])
