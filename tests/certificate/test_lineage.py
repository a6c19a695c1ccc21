"""The lineage graph: every edge joins nodes that exist, every node is in the store, and a lost object is said."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from robustcert.certificate.lineage import lineage_json, lineage_of, lineage_svg
from robustcert.errors import StorageError
from robustcert.provenance.digests import sha256_file
from robustcert.storage.store import open_store
from tests.certificate.stored import copied_store, issue, signed
from tests.chain import Chain


def certificate(chain: Chain) -> str:
    return sha256_file(chain.files.certificate)


def test_the_graph_walks_from_certificate_to_data_without_a_dangling_node(chain: Chain) -> None:
    graph = json.loads(lineage_json(lineage_of(open_store(str(chain.store)), certificate(chain)[:10])))
    ids = {node["id"] for node in graph["nodes"]}
    assert {end for edge in graph["edges"] for end in (edge["from"], edge["to"])} == ids
    assert [node["kind"] for node in graph["nodes"]] == ["certificate", "run", "specification", "model", "data"]
    assert f"model:{chain.predicate.model.sha256}" in ids


def test_the_picture_is_well_formed_and_names_every_node(chain: Chain) -> None:
    graph = lineage_of(open_store(str(chain.store)), certificate(chain))
    texts = [element.text or "" for element in ElementTree.fromstring(lineage_svg(graph)).iter()]  # noqa: S314
    assert all(any(node.id == text for text in texts) for node in graph.nodes)


def test_a_lost_object_is_named(chain: Chain, tmp_path: Path) -> None:
    shutil.copytree(chain.store, tmp_path / "store")
    model = chain.predicate.model.sha256
    (tmp_path / "store" / "objects" / "sha256" / model[:2] / model).unlink()
    with pytest.raises(StorageError, match=r"missing or damaged: \['model\.safetensors'\]"):
        lineage_of(open_store(str(tmp_path / "store")), certificate(chain))


def test_what_was_superseded_and_what_supersedes_belongs_to_the_lineage(chain: Chain, tmp_path: Path) -> None:
    store, first = copied_store(chain, tmp_path), certificate(chain)
    second = issue(store, signed(chain, lambda predicate: predicate.update(supersedes=[first])), run_id="second")
    third = issue(store, signed(chain, lambda predicate: predicate.update(supersedes=[second])), run_id="third")
    issue(store, signed(chain, lambda predicate: predicate.update(narrative="another line")), run_id="other")
    elsewhere = signed(chain, lambda predicate: predicate.update(supersedes=["ab" * 32], narrative="moved here"))
    moved = issue(store, elsewhere, run_id="moved")
    for sha256 in (first, second, third):
        graph = lineage_of(store, sha256)
        found = {(start, end) for start, end, meaning in graph.edges if meaning == "supersedes"}
        pairs = ((second, first), (third, second))
        assert found == {(f"certificate:{new}", f"certificate:{old}") for new, old in pairs}
        assert {node.id for node in graph.nodes} == {end for edge in graph.edges for end in edge[:2]}
    assert all(meaning != "supersedes" for _, _, meaning in lineage_of(store, moved).edges)


def test_an_unknown_certificate_is_refused(chain: Chain) -> None:
    with pytest.raises(StorageError, match="expected the digest of a certificate"):
        lineage_of(open_store(str(chain.store)), "0" * 64)
