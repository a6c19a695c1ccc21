"""The controller as the chart installs it: the real program reads what is rendered; another file starts it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from pydantic.alias_generators import to_camel

from monitoring.recertification_webhook.__main__ import main
from monitoring.recertification_webhook.backends.kubeflow import OURS
from monitoring.recertification_webhook.settings import KubeflowSettings, Settings, read_settings
from robustcert.certificate.keys import new_key
from robustcert.errors import InputError
from robustcert.kubeflow.compiled import inputs_of
from robustcert.kubeflow.parameters import checked
from tests.charts.node import ROOT, Node, of_kind, the
from tests.charts.releases import NAMES, merged, release
from tests.monitoring.recertification_webhook.test_server import Authority
from tools.chart.programs import Settings as ChartSettings
from tools.chart.render import ci_values

TOKEN = "0123456789abcdef0123456789abcdef"
PLACES = {"store", "trusted_keys", "status_key", "backend", "database", "audit_log", "listen", "metrics"}
PLACES |= {"bearer_token_file", "grafana_secret_file", "tls"}
# Times that the program wants to be more than nothing.
NEVER_NOTHING = {
    name for name, field in Settings.model_fields.items() if any(hasattr(bound, "gt") for bound in field.metadata)
}


class Signer:
    """A key as the Secret and the ConfigMap hold it."""

    def __init__(self) -> None:
        key = new_key("ed25519")
        self.private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        self.public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def controller_of(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """The one StatefulSet."""
    (found,) = of_kind(objects, "StatefulSet")
    return found


def settings_of(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """controller.yaml, as it is rendered."""
    (found,) = (item for item in of_kind(objects, "ConfigMap") if "controller.yaml" in item["data"])
    text: dict[str, Any] = yaml.safe_load(found["data"]["controller.yaml"])
    return text


def secrets_of(values: Mapping[str, Any], signer: Signer, folder: Path) -> dict[str, dict[str, str]]:
    """What the Secrets and ConfigMaps hold that the values name, for the controller of `folder`."""
    controller, store = values.get("controller", {}), values.get("store", {})
    authority = Authority(folder, "authority")
    certificate, key = authority.issue("server")
    given = {
        store.get("secretName") or "robustcert-store": {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"},
        "robustcert-controller-tokens": {"tokens": f"ann read,operate {TOKEN}\n"},
    }
    for kind, text in {"statusKey": signer.private, "tokens": f"ann read,operate {TOKEN}\n", "grafana": TOKEN}.items():
        if name := controller.get(kind, {}).get("name"):
            given[name] = {
                controller[kind].get("key", {"statusKey": "key", "tokens": "tokens"}.get(kind, "secret")): text
            }
    pem = authority.path.read_text()
    tls = controller.get("tls", {})
    given[tls.get("secretName") or "none"] = {"tls.crt": certificate.read_text(), "tls.key": key.read_text()}
    for place in (tls.get("clientCa", {}), values.get("kubeflow", {}).get("ca", {}), store.get("ca", {})):
        given.setdefault(place.get("name", "none"), {})[place.get("key", "ca.crt")] = pem
    if name := values.get("trustedKeys", {}).get("configMapName"):
        given[name] = {"controller.pub": signer.public}
    return given


@pytest.fixture
def signer() -> Signer:
    return Signer()


@pytest.mark.parametrize("name", NAMES)
def test_the_program_takes_what_each_kind_of_installation_renders(
    name: str, signer: Signer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    values = ci_values()[name]
    if "configMapName" not in values["trustedKeys"]:
        values = merged(values, {"trustedKeys": {"keys": {"controller.pub": signer.public}}})
    objects = release(values, among=name)
    given = secrets_of(values, signer, tmp_path)
    node = Node(tmp_path / "node", objects, controller_of(objects), given=given)
    for variable, text in node.environment().items():
        monkeypatch.setenv(variable, text)
    monkeypatch.setattr(sys, "argv", [*node.command()[2:], "--check"])
    main()
    assert capsys.readouterr().out.endswith("/etc/robustcert/controller/controller.yaml: valid\n")


@pytest.mark.parametrize("name", NAMES)
def test_the_pipeline_takes_what_each_kind_of_installation_gives_its_runs(name: str) -> None:
    spec = next(yaml.safe_load_all((ROOT / "pipelines/recertification.yaml").read_text()))
    objects = release(among=name)
    given = settings_of(objects)["backend"]["kubeflow"]["parameters"]
    taken = checked({**given, **dict.fromkeys(OURS, "")}, inputs_of(spec))
    assert {"store", "image", "shards", "workers", "gpus"} <= set(taken)
    assert not OURS & set(given)


def test_runs_get_the_pool_the_image_with_its_digest_and_the_way_to_the_store() -> None:
    digest = f"sha256:{'3' * 64}"
    runs = {
        "shards": 4,
        "gpus": 2,
        "memory": "16Gi",
        "nodeSelector": {"pool": "gpu"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "tolerationSeconds": 60}],
        "affinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": []}]}
        },
        "parameters": {"cpu": "4", "workers": 3},
    }
    objects = release(
        {
            "store": {"uri": "s3://models/team", "endpoint": "https://minio.example", "region": "eu-1"},
            "images": {"steps": {"digest": digest}, "pullSecrets": ["mirror"], "registry": "registry.example"},
            "kubeflow": {"runs": runs},
        }
    )
    assert settings_of(objects)["backend"]["kubeflow"]["parameters"] == {
        "store": "s3://models/team?endpoint=https://minio.example&region=eu-1",
        "store_secret": "robustcert-store",
        "image": f"registry.example/robustcert/robustcert@{digest}",
        "image_pull_secret": "mirror",
        "shards": 4,
        "workers": 3,
        "gpus": "2",
        "gpu_type": "nvidia.com/gpu",
        "memory": "16Gi",
        "cpu": "4",
        "node_selector": runs["nodeSelector"],
        "tolerations": runs["tolerations"],
        "affinity": runs["affinity"],
    }
    assert settings_of(objects)["store"] == "s3://models/team"


@pytest.mark.parametrize(("gpus", "tag", "image"), [(0, "", ""), (1, "", "-gpu"), (1, "9.9.9", None)])
def test_runs_on_gpus_get_the_release_s_image_with_cuda(gpus: int, tag: str, image: str | None) -> None:
    objects = release({"kubeflow": {"runs": {"gpus": gpus}}, "images": {"steps": {"tag": tag}}})
    release_tag = yaml.safe_load((ROOT / "charts/robustcert/Chart.yaml").read_text())["appVersion"]
    expected = "9.9.9" if image is None else f"{release_tag}{image}"
    given = settings_of(objects)["backend"]["kubeflow"]["parameters"]["image"]
    assert given == f"ghcr.io/robustcert/robustcert:{expected}"


def test_its_defaults_are_the_program_s(tmp_path: Path) -> None:
    """Every setting that is no place: the chart has it, under its name, with the program's own default."""
    least = {
        "store": "s",
        "trustedKeys": "k",
        "database": "d",
        "auditLog": "a",
        "backend": {"kubeflow": {"host": "http://h"}},
    }
    (tmp_path / "least.yaml").write_text(yaml.safe_dump(least))
    (tmp_path / "rendered.yaml").write_text(yaml.safe_dump(settings_of(release())))
    program, chart = (read_settings(tmp_path / name) for name in ("least.yaml", "rendered.yaml"))
    assert chart.model_dump(exclude=PLACES) == program.model_dump(exclude=PLACES)
    assert set(ChartSettings.model_fields) == set(Settings.model_fields) - PLACES
    assert set(ChartSettings().drift.model_dump()) == set(program.drift.model_dump())


def test_every_setting_reaches_the_program(tmp_path: Path) -> None:
    numbers = {name: value for name, value in ChartSettings().model_dump(by_alias=True).items() if type(value) is int}
    times = {name: "17h" for name, value in ChartSettings().model_dump(by_alias=True).items() if isinstance(value, str)}
    given = {**times, **{name: value + 1 for name, value in numbers.items()}, "suspendOnFailure": False}
    drift = {"suspendOnGross": False, "labelsWait": "3d"}
    objects = release({"controller": {"settings": {**given, "drift": drift}}})
    (tmp_path / "controller.yaml").write_text(yaml.safe_dump(settings_of(objects)))
    taken = read_settings(tmp_path / "controller.yaml").model_dump(by_alias=True)
    assert {name: taken[name] for name in times} == dict.fromkeys(times, timedelta(hours=17))
    assert {name: taken[name] for name in numbers} == {name: value + 1 for name, value in numbers.items()}
    assert taken["drift"] == {"suspendOnGross": False, "labelsWait": timedelta(days=3)}
    assert taken["suspendOnFailure"] is False


def edges(name: str, field: Any) -> tuple[object, object]:
    """The least and the most that the values allow; of a time nothing at all, where the program takes that."""
    if field.annotation is bool:
        return False, True
    bounds = [getattr(bound, which) for bound in field.metadata for which in ("ge", "le") if hasattr(bound, which)]
    return (bounds[0], bounds[1]) if bounds else ("1ms" if name in NEVER_NOTHING else "0s", "3650d")


@pytest.mark.parametrize("which", [0, 1], ids=["least", "most"])
def test_the_least_and_the_most_that_the_values_allow_the_program_takes(which: int, tmp_path: Path) -> None:
    fields = {name: field for name, field in ChartSettings.model_fields.items() if name != "drift"}
    given = {str(field.alias): edges(name, field)[which] for name, field in fields.items()}
    (tmp_path / "controller.yaml").write_text(yaml.safe_dump(settings_of(release({"controller": {"settings": given}}))))
    assert read_settings(tmp_path / "controller.yaml").budget_per_day == given["budgetPerDay"]


@pytest.mark.parametrize("name", sorted(NEVER_NOTHING))
def test_a_time_of_nothing_is_refused_where_the_program_would_not_take_it(name: str) -> None:
    key = to_camel(name)
    with pytest.raises(InputError, match=f"expected more than nothing as controller.settings.{key}, got 0s"):
        release({"controller": {"settings": {key: "0s"}}})


def test_everything_about_kubeflow_reaches_the_program() -> None:
    kubeflow = {
        "host": "https://kubeflow.example/pipeline",
        "namespace": "team",
        "experiment": "ours",
        "serviceAccount": "pipeline-runner",
        "ui": "https://kubeflow.example/_/pipeline",
        "ca": {"name": "authorities", "key": "platform.crt"},
    }
    given = settings_of(release({"kubeflow": kubeflow}))["backend"]["kubeflow"]
    del given["parameters"]
    assert given == {
        **{key: kubeflow[key] for key in ("host", "namespace", "experiment", "serviceAccount", "ui")},
        "tokenFile": "/var/run/secrets/kubeflow/pipelines/token",
        "caFile": "/etc/robustcert/kubeflow-ca/platform.crt",
    }
    known = {name for field, info in KubeflowSettings.model_fields.items() for name in (field, info.alias or field)}
    assert set(given) <= known


def test_its_state_is_on_the_claim_that_outlives_the_release() -> None:
    objects = release()
    claim = the(objects, "PersistentVolumeClaim", "robustcert-controller")
    assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    pod = controller_of(objects)["spec"]["template"]["spec"]
    (mount,) = (m for m in pod["containers"][0]["volumeMounts"] if not m.get("readOnly") and m["name"] != "tmp")
    settings = settings_of(objects)
    assert {str(Path(settings[key]).parent) for key in ("database", "auditLog")} == {mount["mountPath"]}
    (volume,) = (volume for volume in pod["volumes"] if volume["name"] == mount["name"])
    assert volume["persistentVolumeClaim"] == {"claimName": "robustcert-controller"}
    named = release({"controller": {"persistence": {"existingClaim": "mine"}}})
    assert of_kind(named, "PersistentVolumeClaim") == []
    assert {"name": "state", "persistentVolumeClaim": {"claimName": "mine"}} in controller_of(named)["spec"][
        "template"
    ]["spec"]["volumes"]


def test_there_is_one_of_it_and_a_drain_may_move_it() -> None:
    objects = release()
    controller = controller_of(objects)
    assert controller["spec"]["replicas"] == 1
    budget = the(objects, "PodDisruptionBudget", "robustcert-controller")["spec"]
    assert budget == {"maxUnavailable": 1, "selector": controller["spec"]["selector"]}
    assert (
        the(objects, "Service", controller["spec"]["serviceName"])["spec"]["selector"]
        == budget["selector"]["matchLabels"]
    )


@pytest.mark.parametrize(
    ("change", "restarted"),
    [
        ({"controller": {"settings": {"coolDown": "7h"}}}, True),
        ({"kubeflow": {"experiment": "other"}}, True),
        ({"trustedKeys": {"keys": {"more.pub": Signer().public}}}, True),
        ({"exporter": {"interval": 31}}, False),
        ({"commonAnnotations": {"a": "b"}}, False),
    ],
)
def test_its_pod_is_replaced_where_what_it_reads_at_its_start_changes(change: dict[str, Any], restarted: bool) -> None:
    before, after = (controller_of(release(values))["spec"]["template"] for values in ({}, change))
    assert (before != after) is restarted


def test_its_certificate_is_for_the_names_of_its_service() -> None:
    tls = {"enabled": True, "issuer": {"name": "platform"}}
    objects = release({"controller": {"tls": tls}}, name="certs", namespace="team")
    (certificate,) = of_kind(objects, "Certificate")
    names = certificate["spec"]["dnsNames"]
    (service,) = (
        item["metadata"]["name"] for item in of_kind(objects, "Service") if "controller" in item["metadata"]["name"]
    )
    assert names == [service, *(f"{service}.team{end}" for end in ("", ".svc", ".svc.cluster.local"))]
    secret = certificate["spec"]["secretName"]
    volumes = controller_of(objects)["spec"]["template"]["spec"]["volumes"]
    assert [volume["secret"]["secretName"] for volume in volumes if volume["name"] == "tls"] == [secret]
    assert certificate["spec"]["issuerRef"] == {"group": "cert-manager.io", "kind": "ClusterIssuer", "name": "platform"}
    assert of_kind(release({"controller": {"tls": {"enabled": True, "secretName": "mine"}}}), "Certificate") == []


def test_without_it_nothing_of_it_is_left() -> None:
    objects = release({"controller": {"enabled": False}, "monitoring": {"alertmanagerConfig": {"enabled": False}}})
    left = {item["kind"] for item in objects if item["metadata"]["name"].startswith("robustcert-controller")}
    assert left == set()
