"""Names of releases and texts of users that YAML, Kubernetes or a shell would take for something else."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from robustcert.errors import InputError
from tests.charts.node import of_kind
from tests.charts.releases import release
from tests.charts.test_nulls import without
from tools.chart.render import ci_values, render

SCHEDULE = "15 * * * *"
TEXT = 'a": b\n- --url=http://evil\n{{ .Release }} \u2028 \x07 ü'


def arguments(objects: list[dict[str, Any]], kind: str = "CronJob") -> list[str]:
    """Arguments of the only one."""
    (item,) = of_kind(objects, kind)
    (container,) = item["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    found: list[str] = container["args"]
    return found


def expanded(argument: str) -> str:
    """As the kubelet does it where no variable is known: $$ is $, $(NAME) stays; core/v1 Container.args."""
    return argument.replace("$$", "$")


@pytest.mark.parametrize("word", ["123", "1e3", "true", "null", "on", "0x10", "1.5", "999"])
def test_names_that_look_like_numbers_or_switches_stay_texts(word: str) -> None:
    secret = {"secretName": word, "ca": {"name": word, "key": word}}
    values = {
        "store": secret,
        "images": {"pullSecrets": [word]},
        "fullnameOverride": "r",
        "nameOverride": word.replace(".", "-"),
        "controller": {"tokens": {"name": word, "key": word}, "persistence": {"storageClassName": word}},
        "networkPolicy": {"prometheusNamespaces": [word.replace(".", "-")]},
        "kubeflow": {"namespace": word.replace(".", "-"), "serviceAccount": word},
    }
    found = release(values, name=word, namespace=word)
    assert len(found) > 20
    assert [path for item in found for path in not_texts(item)] == []


def not_texts(value: Any, path: str = "") -> list[str]:
    """Places of names, keys and labels that are no texts."""
    if isinstance(value, list):
        return [place for item in value for place in not_texts(item, path)]
    if not isinstance(value, dict):
        last = path.rpartition(".")[2]
        named = last in ("name", "namespace", "key", "path", "secretName", "claimName", "storageClassName", "instance")
        return [path] if named and not isinstance(value, str) else []
    return [place for key, item in value.items() for place in not_texts(item, f"{path}.{key.rpartition('/')[2]}")]


def test_dots_of_a_release_are_hyphens_in_the_names_of_services() -> None:
    services = of_kind(release(name="my.release"), "Service")
    assert [item["metadata"]["name"] for item in services] == [
        "my-release-robustcert-controller",
        "my-release-robustcert-exporter",
    ]


def test_a_release_that_begins_with_a_digit_is_refused_until_it_has_another_name() -> None:
    with pytest.raises(InputError, match='a release name that begins with a letter, got "1st-robustcert"'):
        release(name="1st")
    assert release({"fullnameOverride": "first"}, name="1st")


@pytest.mark.parametrize("kind", ["StatefulSet", "CronJob"])
def test_long_names_that_differ_at_the_end_stay_different(kind: str) -> None:
    jobs = {"recertification": {"schedules": [{"name": "a" * 20, "model": "a", "schedule": SCHEDULE}]}}
    names = {
        item["metadata"]["name"]
        for where in ("eu", "us")
        for item in of_kind(release(jobs, name=f"robustcert-production-certificates-of-{where}"), kind)
    }
    assert len(names) == 2
    assert max(map(len, names)) <= 52


def test_texts_reach_programs_as_they_are_written() -> None:
    text = f"{TEXT} $(AWS_SECRET_ACCESS_KEY) $$ $"
    asked = arguments(release({"recertification": {"schedules": [schedule(text=text)]}}))
    assert f"--text={text}" in map(expanded, asked)
    assert not any("$(AWS" in one.replace("$$", "") for one in asked)
    window = f"s3://bucket/{TEXT}$(HOME)"
    looked = arguments(release({"drift": {"jobs": [drift_job(window=window)]}}))
    assert f"--window={window}" in map(expanded, looked)


def test_texts_of_users_are_texts_in_the_settings_of_the_controller() -> None:
    values = {"kubeflow": {"experiment": TEXT, "runs": {"parameters": {"note": TEXT}, "memory": 8589934592}}}
    (settings,) = [item for item in of_kind(release(values), "ConfigMap") if "controller.yaml" in item["data"]]
    backend = yaml.safe_load(settings["data"]["controller.yaml"])["backend"]["kubeflow"]
    assert (backend["experiment"], backend["parameters"]["note"]) == (TEXT, TEXT)
    assert backend["parameters"]["memory"] == "8589934592"


def schedule(**changes: Any) -> dict[str, Any]:
    return {"name": "digits", "model": "digits", "schedule": SCHEDULE, **changes}


def drift_job(**changes: Any) -> dict[str, Any]:
    return {"name": "digits", "certificate": "digits", "window": "s3://logs/a", "schedule": SCHEDULE, **changes}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"commonLabels": {"te am": "x"}}, 'expected names in commonLabels, .* got "te am"'),
        ({"commonLabels": {"team": "Platform Team"}}, "/commonLabels/team"),
        ({"commonAnnotations": {"a\nb: c": "x"}}, "expected names in commonAnnotations"),
        ({"exporter": {"podLabels": {"app.kubernetes.io/component": "x"}}}, "own in exporter.podLabels, got app.kub"),
        ({"monitoring": {"rules": {"labels": {"helm.sh/chart": "x"}}}}, "own in monitoring.rules.labels, got helm.sh"),
        ({"exporter": {"extraVolumes": [{"name": "tmp", "emptyDir": {}}]}}, "each name once in extraVolumes.* got tmp"),
        (
            {"exporter": {"extraVolumeMounts": [{"name": "a", "mountPath": "/etc/robustcert/trusted-keys"}]}},
            "mountPath once .* got /etc/robustcert/trusted-keys twice",
        ),
        ({"exporter": {"extraVolumes": [{"emptyDir": {}}]}}, "expected name in every entry of extraVolumes, got none"),
        ({"exporter": {"extraEnv": [{"name": "A"}, {"name": "A"}]}}, "each name once in extraEnv"),
        ({"exporter": {"extraEnv": [{"name": "A", "value": "b", "valueFrom": {"c": "d"}}]}}, "value or valueFrom of A"),
        ({"exporter": {"serviceAccount": {"create": False}}}, "exporter.serviceAccount.name, with create false"),
        (
            {"exporter": {"serviceAccount": {"name": "one"}}, "controller": {"serviceAccount": {"name": "one"}}},
            "a ServiceAccount of its own for exporter, got one, as for controller",
        ),
        ({"controller": {"tls": {"issuer": {"name": "ca"}}}}, "controller.tls.enabled, with controller.tls.issuer"),
        ({"controller": {"tls": {"secretName": "tls"}}}, "controller.tls.enabled, with controller.tls.secretName"),
        ({"drift": {"jobs": [drift_job(policy="a: [")]}}, "names and values in YAML as policy of drift job digits"),
        ({"drift": {"jobs": [drift_job(policy="- a")]}}, "names and values in YAML as policy of drift job digits"),
        ({"drift": {"jobs": [drift_job(policy="a: " + "b" * 600_000)]}}, "at most 500000 bytes of policies"),
        ({"drift": {"jobs": [drift_job(certificate="--help")]}}, "/drift/jobs/0/certificate"),
        ({"recertification": {"schedules": [schedule(model="--url=http://a")]}}, "/recertification/schedules/0/model"),
        ({"extraObjects": [{"kind": "ConfigMap"}]}, "apiVersion, kind and metadata.name in each of extraObjects"),
        ({"store": {"endpoint": "http://fd00::1"}}, "/store/endpoint"),
        ({"store": {"endpoint": "https://minio?a=b"}}, "/store/endpoint"),
        ({"store": {"ca": {"name": "a", "key": ".."}}}, "/store/ca/key"),
        ({"store": {"uri": "file:///store/../etc", "persistentVolumeClaim": "a"}}, "to begin with file:///store"),
        ({"kubeflow": {"host": "https://a:b"}}, "/kubeflow/host"),
        ({"kubeflow": {"namespace": "a.b"}}, "/kubeflow/namespace"),
        ({"images": {"registry": "https://mirror"}}, "/images/registry"),
        ({"images": {"monitoring": {"repository": "ghcr.io/a/b:1.0"}}}, "/images/monitoring/repository"),
        ({"images": {"monitoring": {"tag": "-a"}}}, "/images/monitoring/tag"),
        ({"controller": {"service": {"port": 443}}}, "/controller/service/port"),
        ({"fullnameOverride": "a" * 41}, "/fullnameOverride"),
        ({"enabled": False}, "expected enabled, a subchart's condition, to be true"),
    ],
)
def test_what_would_become_a_broken_object_is_refused_by_its_place(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        release(changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"a\nb: c": {"k": {"key": "x"}}}, "names of Secrets in externalSecrets.secrets"), ({"a": {}}, "keys in ")],
)
def test_secrets_of_the_operator_have_names_and_keys(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        release({"externalSecrets": {"enabled": True, "secretStore": {"name": "one"}, "secrets": changes}})


@pytest.mark.parametrize("host", ["http://[fd00::1]:9000", "https://[fd00::1]", "https://minio_1.storage:9000"])
def test_servers_with_an_address_of_ipv6_are_taken(host: str) -> None:
    assert release({"store": {"endpoint": host}})


def test_values_are_refused_before_any_template_stumbles_over_them() -> None:
    for _ in range(5):  # Helm takes templates of one depth in no order
        with pytest.raises(InputError, match="expected a value as store, got null"):
            render({"trustedKeys": ci_values()["minimal"]["trustedKeys"], "store": None})


def test_the_same_values_give_the_same_text_and_a_subchart_may_have_a_condition() -> None:
    once, again = (render({**without("global"), "enabled": True, "global": {"a": {"b": 1}}}) for _ in range(2))
    assert once == again == render(ci_values()["minimal"])


@pytest.mark.parametrize("endpoint", ["http://minio.storage:9000", "http%3A%2F%2Fminio.storage%3A9000"])
def test_rows_are_at_the_server_of_the_store_wherever_its_address_is_written(endpoint: str) -> None:
    values = {"store": {"uri": f"s3://models/a?endpoint={endpoint}"}, "drift": {"jobs": [drift_job()]}}
    objects = release(values)
    assert f"--window=s3://logs/a?endpoint={endpoint}" in arguments(objects)
    (policy,) = (item for item in of_kind(objects, "NetworkPolicy") if item["metadata"]["name"] == "robustcert-drift")
    assert [port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]] == [9000]


@pytest.mark.parametrize(
    ("repository", "image"),
    [
        ("ghcr.io/team/monitoring", "mirror:5000/a_b/team/monitoring:1"),
        ("team/monitoring", "mirror:5000/a_b/team/monitoring:1"),
        ("harbor.example.org/team/monitoring", "harbor.example.org/team/monitoring:1"),
        ("localhost:5000/monitoring", "localhost:5000/monitoring:1"),
    ],
)
def test_a_mirror_replaces_our_registry_and_no_other(repository: str, image: str) -> None:
    values = {"images": {"registry": "mirror:5000/a_b/", "monitoring": {"repository": repository, "tag": "1"}}}
    (exporter,) = of_kind(release(values), "Deployment")
    assert exporter["spec"]["template"]["spec"]["containers"][0]["image"] == image
