"""What containers call: programs, options, settings and files that exist."""

from __future__ import annotations

import pytest

from tests.tools.chart.checks.good_release import (
    CONTROLLER,
    DRIFT,
    EXPORTER,
    GONE,
    IN_CONTAINER,
    IN_DRIFT,
    UPLOAD,
    Change,
    changed,
    found,
    put,
)
from tools.chart.checks.programs import arguments_are_known

ARGS = IN_CONTAINER + "args."
DRIFT_ARGS = IN_DRIFT + "containers.0.args."
SETTINGS = """store: s3://bucket/prefix
trustedKeys: /etc/keys
database: /var/lib/robustcert/controller.sqlite
auditLog: /var/lib/robustcert/audit.jsonl
bearerTokenFile: /etc/tokens/tokens
backend: {kubeflow: {host: "http://ml-pipeline:8888"}}
"""


def settings(text: str) -> Change:
    return put("ConfigMap/r-controller", "data", {"controller.yaml": text})


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (put(EXPORTER, ARGS + "4", "--stalenes=900s"), "invalid float value: '900s'"),
        (put(EXPORTER, ARGS + "4", "--watch"), "unrecognized arguments: --watch"),
        (put(EXPORTER, ARGS + "2", "--port=many"), "argument --port: invalid int value: 'many'"),
        (put(CONTROLLER, ARGS + "0", "--check"), "the following arguments are required: --config"),
        (put(EXPORTER, IN_CONTAINER + "command.2", "monitoring.exports"), "the module monitoring.exports"),
        (put(UPLOAD, IN_CONTAINER + "command.1", "uploads"), "the command robustcert uploads"),
        (put(UPLOAD, ARGS + "0", "--server=http://x"), "--server"),
        (put(DRIFT, DRIFT_ARGS + "1", "--key=/etc/drift-key/key"), "nothing as --window"),
        (put(DRIFT, DRIFT_ARGS + "4", "more"), "more left over"),
        (put(UPLOAD, IN_CONTAINER + "command", ["sh", "-c"]), "the command 'sh -c"),
        (put(UPLOAD, IN_CONTAINER + "command", ["python", "-c"]), "line 1: "),
        (put(UPLOAD, IN_CONTAINER + "command", GONE), "the command '--host"),
    ],
)
def test_a_wrong_command_line_is_found_by_the_programs_own_parser(change: Change, problem: str) -> None:
    assert "arguments-are-known" in found(changed(change))
    (wrong,) = arguments_are_known(changed(change))
    assert problem in wrong.message


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (put(DRIFT, DRIFT_ARGS + "3", "--out=/tmp/$(SLOTS)"), "variables-are-set"),
        (settings(SETTINGS + "coolDwn: 6h\n"), "settings-are-known"),
        (settings(SETTINGS + "coolDown: 6 hours\n"), "settings-are-known"),
        (settings(SETTINGS.replace("kubeflow:", "local:")), "settings-are-known"),
        (settings(SETTINGS.replace("/etc/tokens", "/etc/token")), "paths-are-mounted"),
        (settings(SETTINGS.replace("tokens/tokens", "tokens/token")), "paths-are-mounted"),
        (settings(SETTINGS.replace("/var/lib/", "/var/")), "paths-are-mounted"),
        (put(CONTROLLER, ARGS + "0", "--config=/etc/controller/settings.yaml"), "paths-are-mounted"),
        (put(EXPORTER, ARGS + "1", "--trusted-keys=/etc/trusted-keys"), "paths-are-mounted"),
        (put(EXPORTER, ARGS + "0", "--store=file:///store"), "paths-are-mounted"),
        (put(UPLOAD, ARGS + "1", "--token-file=/var/run/secrets/kubeflow/pipelines/tokens"), "paths-are-mounted"),
        (
            put(EXPORTER, IN_CONTAINER + "env.2", {"name": "SSL_CERT_FILE", "value": "/etc/ca/ca.crt"}),
            "paths-are-mounted",
        ),
    ],
)
def test_each_change_is_found_by_its_check(change: Change, check: str) -> None:
    assert found(changed(change)) == {check}


def test_an_escaped_variable_and_one_of_a_whole_configmap_are_not_missed() -> None:
    assert found(changed(put(DRIFT, DRIFT_ARGS + "3", "--out=/tmp/$$(SLOTS)"))) == set()
    whole = put(DRIFT, IN_DRIFT + "containers.0.envFrom", [{"configMapRef": {"name": "r-keys"}}])
    assert found(changed(put(DRIFT, DRIFT_ARGS + "3", "--out=/tmp/$(SLOTS)"), whole)) == set()


def test_a_program_in_an_argument_is_read() -> None:
    program = [
        put(UPLOAD, IN_CONTAINER + "command", ["python", "-c"]),
        put(UPLOAD, IN_CONTAINER + "args", ["import sys"]),
    ]
    assert found(changed(*program)) == set()
