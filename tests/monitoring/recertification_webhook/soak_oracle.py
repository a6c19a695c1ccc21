"""What the soak promises, held against the server's log of runs, what those issued, and the senders' log."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from robustcert.certificate.published import PUBLISHED
from robustcert.certificate.status import read_statuses

if TYPE_CHECKING:
    from tests.controller_soak import Soak


def check(soak: Soak) -> dict[str, int]:
    """The three promises, by the logs of server and senders; figures of what happened."""
    requests, episodes = soak.oracle["requests"], soak.oracle["episodes"]
    for sent, offer in soak.senders.acknowledged:
        if not sent["resolved"]:
            key = (sent["source"], sent["model"], sent["version"], sent["episode"])
            assert offer["request_id"] in requests, f"lost: {sent} was acknowledged as {offer}"
            assert episodes[key] in requests, f"lost: the episode of {sent}"
    _require_no_run_doubled(soak.cluster.created, requests)
    for request_id, certificates in soak.cluster.issued.items():
        assert len(certificates) == 1, f"request {request_id} issued {len(certificates)} certificates"
    for request in requests.values():
        _require_sound_end(soak, request)
    return {
        "acknowledged": len(soak.senders.acknowledged),
        "episodes": len(episodes),
        "requests": len(requests),
        "runs": len(soak.cluster.created),
        "certificates": len(soak.cluster.issued),
        "audit entries": soak.oracle["audit"].entries,
        **{f"requests {state}": count for state, count in Counter(one["state"] for one in requests.values()).items()},
        **{f"met {kind}": count for kind, count in soak.cluster.met.items()},
        **soak.happened,
        **{f"person: {what}": count for what, count in soak.senders.by_person.items()},
        **{f"refused: {what}": count for what, count in soak.senders.refused.items()},
    }


def _require_no_run_doubled(created: list[Any], requests: dict[str, Any]) -> None:
    for name, count in Counter(run.name for run in created).items():
        for earlier in [run for run in created if run.name == name][: count - 1]:
            assert earlier.fate == "collected without result", f"asked for twice: {earlier}"
    for run in created:
        assert run.run_id.rpartition("-")[0] in requests, f"a run of no request: {run}"
    for model in {run.model for run in created}:
        _require_one_at_a_time([run for run in created if run.model == model])


def _require_one_at_a_time(runs: list[Any]) -> None:
    """Of one model version no run began before the one before it had ended."""
    for before, after in pairwise(runs):
        assert before.ended, f"never ended: {before}"
        assert before.ended <= after.born, f"two at once: {before}, {after}"


def _require_sound_end(soak: Soak, request: dict[str, Any]) -> None:
    """A success has its certificate published; a dead one's is suspended, and it has issued none."""
    issued = soak.cluster.issued.get(request["id"], [])
    assert request["state"] in ("succeeded", "dead", "cancelled"), request
    if request["state"] == "succeeded":
        assert issued == [request["certificate"]]
        digest = request["certificate"]
        assert [name for name in soak.small.store.list_documents(PUBLISHED) if name.endswith(f"{digest}.json")]
    elif request["state"] == "dead":
        assert issued == [], f"it issued, and is dead: {request}"
        if request["outcome"] != "unknown-model":
            keys = (soak.small.key.public_key(),)
            (chain,) = (read_statuses(soak.small.store, request["certificate_sha256"], keys=keys),)
            assert chain, f"not suspended: {request}"
            assert chain[-1].status == "suspended"
