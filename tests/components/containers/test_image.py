"""The image: built by `make image` from this checkout, run with nothing that it does not need."""

import base64
import json
import subprocess
import sys
from pathlib import Path

import docker
import pytest

import robustcert
from tests.components.containers.building import PLANTED, SECRET, Builder, copy_checkout

pytestmark = pytest.mark.containers

ENVIRONMENT = "/opt/robustcert"
SBOM = f"{ENVIRONMENT}/sbom.cdx.json"
REFUSED = 1  # exit status of `robustcert verify`

INSTALLED = """
import importlib.metadata, json, sys
print(json.dumps(sorted([item.name, item.version] for item in importlib.metadata.distributions())))
"""
DIGESTS = """
import hashlib, json, os, pathlib, sys
paths = [pathlib.Path(folder, name) for folder, _, names in os.walk(sys.argv[1]) for name in names]
print(json.dumps({str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths if path.is_file()}))
"""
PRIVILEGED = """
import os, pathlib, stat
paths = (pathlib.Path(folder, name) for folder, _, names in os.walk("/usr") for name in names)
print([str(path) for path in paths if not path.is_symlink() and path.stat().st_mode & (stat.S_ISUID | stat.S_ISGID)])
"""


def digests(run_in_image, image: str) -> dict[str, str]:
    return json.loads(run_in_image(["python3", "-c", DIGESTS, ENVIRONMENT], of=image))


def test_the_labels_say_what_it_is_and_from_which_commit(client: docker.DockerClient, image: str, checkout) -> None:
    labels = client.images.get(image).labels
    names = {name.removeprefix("org.opencontainers.image."): value for name, value in labels.items()}
    assert names["version"] == robustcert.__version__
    assert names["revision"] == checkout[1]
    assert names["licenses"] == "Apache-2.0"
    assert names["title"] == "robustcert"
    assert names["source"].startswith("https://")


def test_a_numeric_user_without_privileges_runs_it(client: docker.DockerClient, image: str, run_in_image) -> None:
    user, group = client.images.get(image).attrs["Config"]["User"].split(":")
    assert int(user) > 0
    assert int(group) > 0
    assert run_in_image(["id", "-u"]).strip() == user


def test_a_read_only_root_is_enough_for_the_command_line(run_in_image) -> None:
    assert "Check a certificate offline" in run_in_image(["robustcert", "verify", "--help"])
    assert run_in_image(["robustcert", "--version"]).strip().endswith(robustcert.__version__)
    assert "Usage: robustcert" in run_in_image(["robustcert", "--help"])
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run_in_image(["python3", "-c", f"open('{ENVIRONMENT}/written', 'w')"], options=("--user", "0:0"))
    assert "Read-only file system" in caught.value.stderr


@pytest.mark.parametrize("user", ["65532:65532", "1000730000:0"])
def test_a_kept_certificate_verifies_offline_whoever_the_user_is(
    root: Path, tmp_path: Path, run_in_image, user
) -> None:
    kept = root / "tests/certificates/v1/0.1.0-ed25519"
    copy = tmp_path / "certificate"
    copy.mkdir()
    for path in kept.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
        (copy / path.name).chmod(0o644)
    payload = json.loads((kept / "certificate.json").read_text())["payload"]
    at = ["--at", json.loads(base64.b64decode(payload))["predicate"]["certifiedAt"]]
    options = ("--volume", f"{copy}:/bundle:ro", "--user", user)
    command = ["robustcert", "verify", "/bundle", "--key", "/bundle/issuer.pub", *at]
    here = subprocess.run(
        [str(Path(sys.executable).with_name("robustcert")), "verify", str(copy), "--key", f"{copy}/issuer.pub", *at],
        capture_output=True,
        text=True,
    )
    assert here.returncode == 0
    assert run_in_image(command, options=options).replace("/bundle", str(copy)) == here.stdout
    (copy / "evaluation.parquet").write_bytes(b"something else")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run_in_image(command, options=options)
    assert caught.value.returncode == REFUSED


def test_the_bill_of_materials_lists_exactly_what_is_installed(run_in_image, checkout) -> None:
    text = run_in_image(["cat", SBOM])
    document = json.loads(text)
    installed = json.loads(run_in_image(["python3", "-c", INSTALLED]))
    assert sorted([part["name"], part["version"]] for part in document["components"]) == installed
    assert {"robustcert", "torch", "kfp", "minio", "onnx"} <= {name for name, _ in installed}
    assert {"pip", "kubernetes", "cyclonedx-bom", "pytest"}.isdisjoint(name for name, _ in installed)
    assert document["bomFormat"] == "CycloneDX"
    assert (checkout[0] / "dist/robustcert-cpu.cdx.json").read_text() == text


@pytest.mark.parametrize("program", ["pip", "pip3", "gcc", "cc", "make", "git", "curl", "wget", "apt-get", "apt"])
def test_no_program_is_there_that_installs_or_compiles_or_fetches(run_in_image, program: str) -> None:
    found = run_in_image(["python3", "-c", f"import shutil; print(shutil.which({program!r}))"])
    assert found.strip() == "None"


def test_neither_interpreter_can_install(run_in_image) -> None:
    code = "import importlib.util; print(importlib.util.find_spec('pip'), importlib.util.find_spec('ensurepip'))"
    assert run_in_image(["python3", "-c", code]).strip() == "None None"
    base = run_in_image(["python3", "-c", "import sys; print(sys._base_executable)"]).strip()
    assert run_in_image([base, "-c", code]).strip() == "None None"


def test_no_program_raises_privileges_and_no_package_list_is_left(run_in_image) -> None:
    assert run_in_image(["python3", "-c", PRIVILEGED]).strip() == "[]"
    assert run_in_image(["ls", "-A", "/var/lib/apt/lists"]).strip() == ""


def test_nothing_of_the_checkout_but_the_package_is_in_it(run_in_image, image: str) -> None:
    names = digests(run_in_image, image)
    ours = [name for name in names if "/site-packages/robustcert/" in name]
    assert any(name.endswith("/robustcert/cli.py") for name in ours)
    assert not [name for name in names if Path(name).name in {Path(planted).name for planted in PLANTED}]
    assert not [name for name in ours if "/tests/" in name or name.endswith((".md", ".toml"))]
    search = ["sh", "-c", f"grep -rl {SECRET} /opt /etc /home /root /srv /tmp /usr/local /var 2>/dev/null; true"]
    assert run_in_image(search, options=("--user", "0:0")).strip() == ""


def test_the_configuration_of_pip_is_in_no_layer(client, builder: Builder, image: str, run_in_image) -> None:
    address = builder.pip_configuration.read_text().split("//")[1].split("/")[0]
    described = json.dumps([client.images.get(image).attrs, client.images.get(image).history()])
    assert "COPY /opt/robustcert" in described
    assert address not in described
    assert (
        run_in_image(
            ["sh", "-c", f"grep -rl '{address}' /opt/robustcert /etc 2>/dev/null; true"], options=("--user", "0:0")
        )
        == ""
    )


def test_the_byte_code_is_there_and_bound_to_no_time(run_in_image) -> None:
    code = "import robustcert.cli as m, pathlib; print(list(pathlib.Path(m.__cached__).read_bytes()[4:8]))"
    assert run_in_image(["python3", "-c", code]).strip() == "[1, 0, 0, 0]"  # PEP 552: a hash, not to be checked


def test_a_second_build_elsewhere_gives_the_same_files(
    builder: Builder, checkout: tuple[Path, str], tmp_path: Path, image: str, run_in_image
) -> None:
    copy_checkout(checkout[0], tmp_path)
    again = f"{image}-again"
    builder.image(tmp_path, tag=again, options="--no-cache")
    first, second = digests(run_in_image, image), digests(run_in_image, again)
    assert len([name for name in first if "/site-packages/robustcert/" in name]) > 100
    assert {name for name in first.keys() | second.keys() if first.get(name) != second.get(name)} == set()
