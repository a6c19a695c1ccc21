"""The lineage of a certificate: certificate -> run -> model -> data, as a graph without dangling nodes.

The certificates that it replaced and those that replaced it belong to it, as far as the store holds them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape

from robustcert.certificate.bundle import DATASET, MODELS, SPECIFICATION, certificate_name, find_record, records
from robustcert.certificate.published import unverified_statement
from robustcert.errors import StorageError, expected
from robustcert.provenance.run_record import RunRecord
from robustcert.storage.store import Store

BOX_WIDTH, BOX_HEIGHT, GAP, MARGIN = 620, 56, 44, 20


@dataclass(frozen=True, kw_only=True)
class Node:
    """One thing in the graph; `id` is kind and digest (or run id)."""

    id: str
    kind: str
    label: str


@dataclass(frozen=True, kw_only=True)
class Related:
    """Records of other certificates in the same line, oldest first, and pairs (new, superseded) of their digests."""

    records: tuple[RunRecord, ...]
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """Nodes, and edges as (from, to, what the edge means)."""

    nodes: tuple[Node, ...]
    edges: tuple[tuple[str, str, str], ...]


def lineage_of(store: Store, certificate_sha256: str) -> Lineage:
    """The lineage of a certificate; StorageError where a node is not in the store."""
    record = find_record(store, certificate_sha256)
    _require_held(store, record)
    model = next(name for name in MODELS if name in record.files)
    related = _related(store, record)
    nodes = (
        _certificate(record),
        Node(id=f"run:{record.run_id}", kind="run", label=f"finished {record.finished_at}"),
        Node(id=f"specification:{record.files[SPECIFICATION]}", kind="specification", label=record.name),
        Node(id=f"model:{record.files[model]}", kind="model", label=model),
        Node(id=f"data:{record.files[DATASET]}", kind="data", label=f"Merkle root {record.data_merkle_root[:12]}"),
    )
    certificate, run, specification, subject, data = (node.id for node in nodes)
    edges = (
        (certificate, run, "issued by"),
        (run, specification, "carried out"),
        (run, subject, "tested"),
        (subject, data, "trained or tested on"),
    )
    others = tuple(_certificate(other) for other in related.records)
    superseding = tuple((f"certificate:{new}", f"certificate:{old}", "supersedes") for new, old in related.pairs)
    return Lineage(nodes=nodes + others, edges=edges + superseding)


def lineage_json(graph: Lineage) -> str:
    """The graph as JSON: nodes and edges."""
    nodes = [{"id": node.id, "kind": node.kind, "label": node.label} for node in graph.nodes]
    edges = [{"from": start, "to": end, "relation": relation} for start, end, relation in graph.edges]
    return json.dumps({"schemaVersion": "1", "nodes": nodes, "edges": edges}, indent=2) + "\n"


def lineage_svg(graph: Lineage) -> str:
    """The graph as a picture: boxes from top to bottom, edges with their meaning."""
    tops = {node.id: MARGIN + index * (BOX_HEIGHT + GAP) for index, node in enumerate(graph.nodes)}
    height = MARGIN * 2 + len(tops) * (BOX_HEIGHT + GAP) - GAP
    width = BOX_WIDTH + 2 * MARGIN + 180
    boxes = "".join(_box(node, tops[node.id]) for node in graph.nodes)
    lines = "".join(_edge(tops[start], tops[end], text, lane) for lane, (start, end, text) in enumerate(graph.edges))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
        f'font-size="13"><title>Lineage</title><rect width="100%" height="100%" fill="white"/>{lines}{boxes}</svg>\n'
    )


def _certificate(record: RunRecord) -> Node:
    sha256 = record.certificate_sha256
    return Node(id=f"certificate:{sha256}", kind="certificate", label=f"{record.name}, {record.outcome}")


def _related(store: Store, record: RunRecord) -> Related:
    """Everything that leads to the certificate or from it by `supersedes`, in certificates of its name."""
    held = {other.certificate_sha256: other for other in records(store) if other.name == record.name}
    pairs = [(new, old) for new in held for old in _superseded(store, new) if old in held]
    line, before = {record.certificate_sha256}, 0
    while before != len(line):
        before = len(line)
        line |= {sha256 for pair in pairs if line & set(pair) for sha256 in pair}
    others = tuple(other for sha256, other in held.items() if sha256 in line - {record.certificate_sha256})
    return Related(records=others, pairs=tuple(pair for pair in pairs if pair[0] in line))


def _superseded(store: Store, certificate_sha256: str) -> tuple[str, ...]:
    data = store.read_document(certificate_name(certificate_sha256))
    return () if data is None else unverified_statement(data).predicate.supersedes


def _box(node: Node, top: int) -> str:
    return (
        f'<rect x="{MARGIN}" y="{top}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6" fill="#f3f6fa" stroke="#345"/>'
        f'<text x="{MARGIN + 12}" y="{top + 23}" font-weight="bold">{escape(node.kind)}: {escape(node.label)}</text>'
        f'<text x="{MARGIN + 12}" y="{top + 43}" font-family="monospace" font-size="11">{escape(node.id)}</text>'
    )


def _edge(start: int, end: int, text: str, lane: int) -> str:
    right, out = MARGIN + BOX_WIDTH, MARGIN + BOX_WIDTH + 24 + 12 * lane
    y0, y1 = start + BOX_HEIGHT // 2 + 6, end + BOX_HEIGHT // 2 - 6
    return (
        f'<path d="M{right} {y0}H{out}V{y1}H{right + 4}" fill="none" stroke="#345"/>'
        f'<path d="M{right} {y1}l8 -4v8z" fill="#345"/><text x="{out + 6}" y="{y1 - 8}">{escape(text)}</text>'
    )


def _require_held(store: Store, record: RunRecord) -> None:
    lost = [name for name, sha256 in record.files.items() if not store.intact(sha256)]
    if store.read_document(certificate_name(record.certificate_sha256)) is None:
        lost.append(certificate_name(record.certificate_sha256))
    if lost:
        raise StorageError(expected("every node in the store", got=f"missing or damaged: {lost}", remedy="restore it"))
