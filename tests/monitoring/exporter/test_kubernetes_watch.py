"""The watch against a stand-in API server: nothing is missed, whatever drops, expires, stalls or is refused."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitoring.exporter.kubernetes_connection import connect
from monitoring.exporter.kubernetes_watch import KINDS, KubernetesWatch, Pace
from tests.monitoring.exporter.api_server import ApiServer

SHA256 = "ab" * 32
QUICK = Pace(watch=30, silence=20.0, first_wait=0.01, longest_wait=0.05, absent=0.05)
LONGEST = 20.0


def service(name: str, *, namespace: str = "vision", sha256: str = SHA256) -> dict[str, Any]:
    annotations = {"robustcert.io/model": name, "robustcert.io/model-sha256": sha256}
    return {"metadata": {"name": name, "namespace": namespace, "annotations": annotations}, "spec": {"predictor": {}}}


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with ApiServer() as server:
        yield server


@pytest.fixture
def watch(api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., KubernetesWatch]]:
    """Starts a watch of InferenceServices through the kubernetes package; it is stopped at the end."""
    configure(api, tmp_path, monkeypatch)
    started: list[KubernetesWatch] = []

    def start(*, pace: Pace = QUICK, **options: Any) -> KubernetesWatch:
        started.append(KubernetesWatch(KINDS[0], connect(), pace=pace, **options))
        started[-1].start()
        return started[-1]

    yield start
    for each in started:
        each.stop()


def configure(api: ApiServer, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the stand-in the cluster of a kubeconfig."""
    cluster = {"name": "test", "cluster": {"server": api.url}}
    user = {"name": "test", "user": {"token": "a-token"}}
    context = {"name": "test", "context": {"cluster": "test", "user": "test"}}
    config = {"clusters": [cluster], "users": [user], "contexts": [context], "current-context": "test"}
    (folder / "kubeconfig").write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", **config}))
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(folder / "kubeconfig"))


def until(holds: Callable[[], bool]) -> None:
    """Waits until something holds; fails where that takes too long."""
    end = time.monotonic() + LONGEST
    while not holds():
        assert time.monotonic() < end, "it never held"
        threading.Event().wait(0.005)


def names(watch: KubernetesWatch) -> set[str]:
    return {item.workload for item in watch.found()}


def test_all_pages_are_listed_and_changes_follow(api: ApiServer, watch: Callable[..., KubernetesWatch]) -> None:
    for number in range(5):
        api.put("inferenceservices", service(f"s{number}"))
    watching = watch()
    until(lambda: names(watching) == {f"s{number}" for number in range(5)})
    assert [query.get("continue") for query in api.lists("inferenceservices")] == [None, "2", "4"]
    until(lambda: watching.state == "connected")
    api.put("inferenceservices", service("new"))
    api.delete("inferenceservices", "vision", "s0")
    api.put("inferenceservices", service("s1", sha256="cd" * 32))
    until(lambda: names(watching) == {"s1", "s2", "s3", "s4", "new"})
    until(lambda: {item.version for item in watching.found() if item.workload == "s1"} == {"cd" * 6})
    assert len(api.lists("inferenceservices")) == 3


@pytest.mark.parametrize("break_off", [False, True], ids=["ended", "broken off"])
def test_a_watch_that_ends_goes_on_where_it_was(
    api: ApiServer, watch: Callable[..., KubernetesWatch], break_off: bool
) -> None:
    watching = watch()
    until(lambda: watching.state == "connected")
    api.put("inferenceservices", service("first"))
    until(lambda: names(watching) == {"first"})
    version = api.version
    api.drop_watches(break_off=break_off)
    until(lambda: len(api.watches("inferenceservices")) >= 2)
    assert api.watches("inferenceservices")[1]["resourceVersion"] == str(version)
    api.put("inferenceservices", service("second"))
    until(lambda: names(watching) == {"first", "second"})
    assert len(api.lists("inferenceservices")) == 1


def test_a_bookmark_moves_the_place_to_resume_from(api: ApiServer, watch: Callable[..., KubernetesWatch]) -> None:
    watching = watch()
    until(lambda: watching.state == "connected")
    api.bookmark()
    api.put("inferenceservices", service("seen"))  # what was sent before it has arrived
    until(lambda: names(watching) == {"seen"})
    api.bookmark()
    version = api.version
    api.drop_watches()
    until(lambda: len(api.watches("inferenceservices")) >= 2)
    assert api.watches("inferenceservices")[1]["resourceVersion"] == str(version)


def test_what_was_missed_while_a_version_was_forgotten_is_listed_again(
    api: ApiServer, watch: Callable[..., KubernetesWatch]
) -> None:
    """410 Gone as an event in a running watch; what was deleted meanwhile is deleted here too."""
    api.put("inferenceservices", service("stays"))
    api.put("inferenceservices", service("goes"))
    watching = watch()
    until(lambda: names(watching) == {"stays", "goes"})
    until(lambda: watching.state == "connected")
    with api.changed:
        api.delete("inferenceservices", "vision", "goes")
        api.events.clear()
        api.compact()
    until(lambda: names(watching) == {"stays"})
    assert len(api.lists("inferenceservices")) == 2


def test_410_as_the_answer_to_a_list_or_watch_ends_in_a_new_list(
    api: ApiServer, watch: Callable[..., KubernetesWatch]
) -> None:
    api.refused["inferenceservices"] = 410
    watching = watch()
    until(lambda: len(api.lists("inferenceservices")) >= 3)
    api.put("inferenceservices", service("found"))
    del api.refused["inferenceservices"]
    until(lambda: names(watching) == {"found"})


def test_without_the_right_it_waits_and_sees_when_it_is_granted(
    api: ApiServer, watch: Callable[..., KubernetesWatch], caplog: pytest.LogCaptureFixture
) -> None:
    api.refused["inferenceservices"] = 403
    api.put("inferenceservices", service("found"))
    watching = watch()
    until(lambda: len(api.asked) >= 3)
    assert (watching.state, names(watching)) == ("disconnected", set())
    assert "watching inferenceservices: HTTP status 403" in caplog.text
    assert "a-token" not in caplog.text
    del api.refused["inferenceservices"]
    until(lambda: names(watching) == {"found"})
    until(lambda: watching.state == "connected")


def test_a_cluster_without_kserve_is_no_failure(api: ApiServer, watch: Callable[..., KubernetesWatch]) -> None:
    api.refused["inferenceservices"] = 404
    watching = watch()
    until(lambda: watching.state == "absent")
    del api.refused["inferenceservices"]
    api.put("inferenceservices", service("installed"))
    until(lambda: names(watching) == {"installed"})


def test_what_was_known_stays_while_the_server_is_silent_and_the_watch_asks_anew(
    api: ApiServer, watch: Callable[..., KubernetesWatch]
) -> None:
    api.put("inferenceservices", service("known"))
    watching = watch(pace=Pace(watch=30, silence=0.1, first_wait=0.01, longest_wait=0.05))
    until(lambda: names(watching) == {"known"})
    until(lambda: len(api.watches("inferenceservices")) >= 3)
    assert len(api.lists("inferenceservices")) == 1
    api.paused.clear()
    until(lambda: watching.state == "disconnected")
    assert names(watching) == {"known"}
    api.paused.set()
    until(lambda: watching.state == "connected")


GARBAGE = {
    "no JSON": b"<html>\n",
    "no event": b"[1,2]\n",
    "no object": b'{"type":"ADDED","object":7}\n',
    "no metadata": b'{"type":"ADDED","object":{}}\n',
    "no name": b'{"type":"ADDED","object":{"metadata":{"resourceVersion":"1"}}}\n',
    "deep": b'{"type":"ADDED","object":' + b"[" * 100_000 + b"\n",
    "endless": b"x" * (5 << 20),
    "a lie about the code": b'{"type":"ERROR","object":{"code":"x"}}\n',
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_no_answer_ends_it(api: ApiServer, watch: Callable[..., KubernetesWatch], garbage: bytes) -> None:
    watching = watch()
    until(lambda: watching.state == "connected")
    with api.changed:
        api.garbage = [garbage]
        api.changed.notify_all()
    until(lambda: len(api.watches("inferenceservices")) >= 2)
    api.put("inferenceservices", service("after"))
    until(lambda: names(watching) == {"after"})


def test_failures_in_a_row_are_further_and_further_apart(
    api: ApiServer, watch: Callable[..., KubernetesWatch], caplog: pytest.LogCaptureFixture
) -> None:
    """With jitter of half a wait at most, every second wait is longer than the one before it."""
    api.refused["inferenceservices"] = 500
    watch(pace=Pace(first_wait=0.01, longest_wait=10.0))
    until(lambda: len(caplog.records) >= 6)
    waits = [float(record.args[2]) for record in caplog.records[:6]]  # type: ignore[index,arg-type]
    assert all(0.01 * 2**turn / 2 <= wait <= 0.01 * 2**turn for turn, wait in enumerate(waits))


def test_one_namespace_is_asked_for_alone(api: ApiServer, watch: Callable[..., KubernetesWatch]) -> None:
    api.put("inferenceservices", service("mine", namespace="vision"))
    api.put("inferenceservices", service("theirs", namespace="speech"))
    watching = watch(namespace="vision")
    until(lambda: names(watching) == {"mine"})
    until(lambda: watching.state == "connected")
    place = "/apis/serving.kserve.io/v1beta1/namespaces/vision/inferenceservices"
    assert {path for path, _ in api.asked} == {place}
