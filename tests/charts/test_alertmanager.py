"""The route to the controller: what the operator makes of it, as Alertmanager reads it, and where it leads."""

import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from monitoring.recertification_webhook.limits import MOST_ALERTS
from tests.monitoring.metric_table import ROOT, rules
from tools.chart.render import ci_values, render

BASE: dict[str, Any] = ci_values()["minimal"]
TLS = {"controller": {"tls": {"enabled": True, "issuer": {"name": "platform"}}}}
ALERTS = [rule for _, rule in rules() if "alert" in rule]
WHO = {"model": "digits", "version": "0123456789ab"}
RECEIVER = "robustcert/robustcert-controller/recertification-controller"


def configs(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in objects if one["kind"] == "AlertmanagerConfig"]


def config(**values: Any) -> dict[str, Any]:
    (found,) = configs(render({**BASE, **values}))
    return found


def webhook(**values: Any) -> dict[str, Any]:
    (receiver,) = config(**values)["spec"]["receivers"]
    (found,) = receiver["webhookConfigs"]
    assert found["sendResolved"] is True
    return dict(found)


def by_operator(config: dict[str, Any], *, strategy: str, alertmanager_namespace: str = "monitoring") -> dict[str, Any]:
    """Alertmanager's configuration as the Prometheus operator (0.93, pkg/alertmanager/amcfg.go) makes it.

    Routes of AlertmanagerConfigs go before those of the global configuration and continue; receivers carry namespace
    and name of their object; a matcher on `namespace` is added by all strategies but None.
    """
    namespace, spec = config["metadata"]["namespace"], config["spec"]
    prefix = f"{namespace}/{config['metadata']['name']}/"
    matchers = [f'{one["name"]}{one["matchType"]}"{one["value"]}"' for one in spec["route"]["matchers"]]
    exempt = strategy == "OnNamespaceExceptForAlertmanagerNamespace" and namespace == alertmanager_namespace
    if strategy != "None" and not exempt:
        matchers.append(f'namespace="{namespace}"')
    own = {"receiver": prefix + spec["route"]["receiver"], "matchers": matchers, "continue": True}
    hooks = [{"url": one["url"], "send_resolved": True} for one in spec["receivers"][0]["webhookConfigs"]]
    return {
        "route": {"receiver": "people", "group_by": spec["route"]["groupBy"], "routes": [own]},
        "receivers": [{"name": "people"}, {"name": own["receiver"], "webhook_configs": hooks}],
    }


def told(path: Path, labels: dict[str, str]) -> list[str]:
    """Receivers that an alert reaches."""
    command = ["amtool", "config", "routes", "test", f"--config.file={path}"]
    command += [f"{name}={value}" for name, value in labels.items()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip().splitlines()[-1].split(",")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the operator makes of the object by each strategy, as STRATEGY.yml."""
    folder = tmp_path_factory.mktemp("alertmanager")
    for strategy in ("None", "OnNamespace", "OnNamespaceExceptForAlertmanagerNamespace"):
        made = by_operator(config(), strategy=strategy)
        (folder / f"{strategy}.yml").write_text(yaml.safe_dump(made))
    return folder


@pytest.mark.prometheus
def test_amtool_finds_nothing_wrong_with_what_the_operator_makes(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        done = subprocess.run(["amtool", "check-config", str(path)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.mark.prometheus
@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_the_controller_is_told_what_asks_for_an_action_and_people_everything(folder: Path, rule: Any) -> None:
    labels = {"alertname": rule["alert"], **rule["labels"], **WHO}
    wanted = [RECEIVER, "people"] if "action" in labels else ["people"]
    receivers = told(folder / "None.yml", labels)
    assert receivers[: len(wanted) - 1] == wanted[:-1]
    assert (RECEIVER in receivers) == ("action" in labels)


@pytest.mark.prometheus
def test_by_default_the_operator_adds_a_matcher_and_nothing_reaches_the_controller(folder: Path) -> None:
    """The trap that the template, the values and docs/monitoring.md tell of."""
    alert = {"alertname": "RobustcertInputsDrifted", "action": "recertify", **WHO}
    assert RECEIVER in told(folder / "None.yml", alert)
    assert RECEIVER not in told(folder / "OnNamespace.yml", alert)
    assert RECEIVER not in told(folder / "OnNamespaceExceptForAlertmanagerNamespace.yml", alert)
    assert RECEIVER not in told(folder / "OnNamespace.yml", {**alert, "namespace": "serving"})
    assert RECEIVER in told(folder / "OnNamespace.yml", {**alert, "namespace": "robustcert"})


@pytest.mark.prometheus
def test_in_alertmanagers_own_namespace_the_third_strategy_will_do(tmp_path: Path) -> None:
    (found,) = configs(render(BASE, namespace="monitoring"))
    path = tmp_path / "alertmanager.yml"
    path.write_text(yaml.safe_dump(by_operator(found, strategy="OnNamespaceExceptForAlertmanagerNamespace")))
    alert = {"alertname": "RobustcertInputsDrifted", "action": "recertify", **WHO}
    assert told(path, alert)[0] == "monitoring/robustcert-controller/recertification-controller"


def test_all_three_places_tell_of_the_trap() -> None:
    template = ROOT / "charts/robustcert/templates/watching/alertmanager-config.yaml"
    for path in (template, ROOT / "docs/monitoring.md"):
        assert "alertmanagerConfigMatcherStrategy: {type: None}" in path.read_text()
    assert "alertmanagerConfigMatcherStrategy.type None" in (ROOT / "charts/robustcert/values.yaml").read_text()


def test_the_route_is_that_of_the_example_for_a_plain_alertmanager() -> None:
    example = yaml.safe_load((ROOT / "monitoring/alertmanager/alertmanager.yml").read_text())["route"]["routes"][0]
    route = config()["spec"]["route"]
    assert [f'{one["name"]}{one["matchType"]}"{one["value"]}"' for one in route["matchers"]] == example["matchers"]
    times = [(route["groupWait"], route["groupInterval"], route["repeatInterval"])]
    assert times == [(example["group_wait"], example["group_interval"], example["repeat_interval"])]
    assert (route["groupBy"], route["continue"]) == (example["group_by"], example["continue"])
    assert webhook()["maxAlerts"] == MOST_ALERTS


@pytest.mark.parametrize("name", [name for name, one in ci_values().items() if "no-prometheus" not in name])
def test_it_leads_to_the_controllers_service_and_port(name: str) -> None:
    objects = render(ci_values()[name])
    (found,) = configs(objects)
    address = urlsplit(found["spec"]["receivers"][0]["webhookConfigs"][0]["url"])
    services = {
        f"{o['metadata']['name']}.{o['metadata']['namespace']}.svc": o for o in objects if o["kind"] == "Service"
    }
    ports = services[address.hostname or ""]["spec"]["ports"]
    assert [one["port"] for one in ports if one["name"] == "http"] == [address.port]
    assert address.path == "/v1/alertmanager"


def test_the_token_comes_from_a_secret_of_its_own_namespace() -> None:
    wanted = {"type": "Bearer", "credentials": {"name": "robustcert-alertmanager-token", "key": "token"}}
    assert webhook()["httpConfig"] == {"authorization": wanted}
    assert webhook()["url"] == "http://robustcert-controller.robustcert.svc:8090/v1/alertmanager"


def test_with_tls_it_is_asked_who_it_is_by_the_authority_in_its_secret() -> None:
    found = webhook(**TLS)
    assert found["url"] == "https://robustcert-controller.robustcert.svc:8090/v1/alertmanager"
    assert found["httpConfig"]["tlsConfig"] == {
        "ca": {"secret": {"name": "robustcert-controller-tls", "key": "ca.crt"}}
    }


def test_where_clients_must_show_a_certificate_it_shows_one() -> None:
    controller = {"tls": {"enabled": True, "secretName": "own", "clientCa": {"name": "clients"}}}
    chosen = {"alertmanagerConfig": {"clientSecretName": "alertmanager-client"}}
    assert webhook(controller=controller, monitoring=chosen)["httpConfig"]["tlsConfig"] == {
        "ca": {"secret": {"name": "own", "key": "ca.crt"}},
        "cert": {"secret": {"name": "alertmanager-client", "key": "tls.crt"}},
        "keySecret": {"name": "alertmanager-client", "key": "tls.key"},
    }


def test_it_is_optional_and_found_by_labels() -> None:
    off = {"alertmanagerConfig": {"enabled": False}}
    assert configs(render({**BASE, "monitoring": off})) == []
    assert configs(render({**BASE, "monitoring": off, "controller": {"enabled": False}})) == []
    labels = {"alertmanagerConfig": {"labels": {"alertmanager": "main"}}}
    assert config(monitoring=labels)["metadata"]["labels"]["alertmanager"] == "main"
