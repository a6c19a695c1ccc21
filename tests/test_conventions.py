"""What a machine can check of the architecture and of STYLE, so that it is not prose; each reader is shown to fail."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CODE = ("robustcert", "components", "pipelines", "monitoring", "examples", "tools")
ORCHESTRATORS = {"kfp", "kubernetes", "prometheus_client", "evidently"}

# Folder -> what nothing in it may import, wherever in a file: dependencies point one way.
MAY_NOT_IMPORT = {
    "robustcert": {"components", "pipelines", "monitoring", "tools", "tests"},
    "components": {"pipelines", "monitoring", "tools", "tests"},
    "pipelines": {"monitoring", "tools", "tests"},
    "monitoring": {"components", "pipelines", "tools", "tests", "torch", "sklearn", "pandas", "kfp", "evidently"},
    "examples": {"components", "pipelines", "monitoring", "tools", "tests"},
}

# What may be imported by a reader of certificates: everything on this list stays light.
VERIFY_PATH = ("robustcert.certificate.verify", "robustcert.cli", "robustcert.smoothing.confidence")
HEAVY = {"torch", "sklearn", "pandas", "kfp", "onnx", "PIL", "scipy.stats", "minio"}

# Modules without a test file of their own -> the file under tests/ that tests them through what they are part of.
CONTROLLER = "monitoring/recertification_webhook"
TESTED_THROUGH: dict[str, str] = {
    "monitoring/dashboards/certification_fleet.py": "monitoring/dashboards/test_live.py",
    "monitoring/dashboards/model_detail.py": "monitoring/dashboards/test_live.py",
    "monitoring/dashboards/model_traffic.py": "monitoring/dashboards/test_live.py",
    "monitoring/dashboards/operations.py": "monitoring/dashboards/test_live.py",
    "monitoring/demo/stage.py": "monitoring/demo/test_loop.py",
    "monitoring/demo/watcher.py": "monitoring/demo/test_loop.py",
    f"{CONTROLLER}/audit_match.py": f"{CONTROLLER}/test_audit.py",
    f"{CONTROLLER}/backends/backend.py": f"{CONTROLLER}/backends/test_local.py",
    f"{CONTROLLER}/endings.py": f"{CONTROLLER}/test_running.py",
    f"{CONTROLLER}/figures.py": f"{CONTROLLER}/test_metrics.py",
    f"{CONTROLLER}/fleet.py": f"{CONTROLLER}/test_certificates.py",
    f"{CONTROLLER}/interventions.py": f"{CONTROLLER}/test_controller.py",
    f"{CONTROLLER}/outcome.py": f"{CONTROLLER}/test_running.py",
    f"{CONTROLLER}/requests.py": f"{CONTROLLER}/test_controller.py",
    f"{CONTROLLER}/revival.py": f"{CONTROLLER}/test_offers.py",
    f"{CONTROLLER}/schema.py": f"{CONTROLLER}/test_database.py",
    f"{CONTROLLER}/transaction.py": f"{CONTROLLER}/test_database.py",
}

LONGEST_FILE = 300
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "core", "base", "misc", "manager"}
UNPICKLERS = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
# Written with brackets so that this file does not contain what it forbids.
HOSTS = re.compile(r"p[y]pi\.org|python[h]osted\.org|npm[j]s\.|deb[.]debian[.]org|download\.py[t]orch\.org")
BUILD_PATHS = re.compile(r"(?<![\w.~$}-])/(?:home|Users|root|wor[k])/[\w.]")


def python_files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def tracked_files() -> list[Path]:
    """What git tracks, or would after `git add`."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def imports(node: ast.AST, *, nested: bool) -> Iterator[str]:
    """Names of the modules imported under `node`; with `nested` also those imported inside functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "imports are absolute"
            yield child.module or ""
        elif nested or not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from imports(child, nested=nested)


def packages(source: str, *, nested: bool) -> set[str]:
    return {name.partition(".")[0] for name in imports(ast.parse(source), nested=nested)}


def dangers(source: str) -> list[str]:
    """Whatever in `source` could run code that comes from data."""
    tree = ast.parse(source)
    found = [f"imports {name}" for name in sorted(packages(source, nested=True) & UNPICKLERS)]
    return found + [text for call in ast.walk(tree) if isinstance(call, ast.Call) for text in call_dangers(call)]


def call_dangers(call: ast.Call) -> Iterator[str]:
    name = ast.unparse(call.func)
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    if name in {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "torch.load"}:
        yield f"calls {name}"
    if name in {"yaml.unsafe_load", "yaml.full_load", "yaml.unsafe_load_all", "yaml.full_load_all"}:
        yield f"calls {name}"
    if name in {"yaml.load", "yaml.load_all"} and not re.fullmatch(r"yaml\.C?SafeLoader", given.get("Loader", "")):
        yield f"calls {name} without SafeLoader"
    if name in {"np.load", "numpy.load"} and given.get("allow_pickle") != "False":
        yield f"calls {name} without allow_pickle=False"
    if given.get("shell", "False") != "False":
        yield f"calls {name} through a shell"


@pytest.mark.parametrize(
    ("source", "nested", "expected"),
    [
        ("import kfp.local", False, {"kfp"}),
        ("try:\n    from kfp import dsl\nexcept ImportError:\n    pass", False, {"kfp"}),
        ("class A:\n    import kfp", False, {"kfp"}),
        ("def f():\n    import kfp", False, set()),
        ("def f():\n    import kfp", True, {"kfp"}),
    ],
)
def test_the_reader_of_imports_tells_module_level_from_nested(source: str, nested: bool, expected: set[str]) -> None:
    assert packages(source, nested=nested) == expected


def test_the_library_imports_no_orchestrator_at_module_level() -> None:
    found = {path: packages(path.read_text(), nested=False) & ORCHESTRATORS for path in python_files("robustcert")}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize("folder", MAY_NOT_IMPORT)
def test_dependencies_point_one_way(folder: str) -> None:
    found = {path: packages(path.read_text(), nested=True) & MAY_NOT_IMPORT[folder] for path in python_files(folder)}
    assert {path: names for path, names in found.items() if names} == {}


def loaded_by(statement: str) -> set[str]:
    """Modules that a fresh interpreter has loaded after `statement`."""
    program = f"import json, sys\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)
    return set(json.loads(run.stdout))


def test_importing_robustcert_loads_only_itself_and_the_standard_library() -> None:
    """Names that begin with an underscore are the standard library's and the environment's start-up hooks."""
    before, after = loaded_by("pass"), loaded_by("import robustcert")
    packages = {name.partition(".")[0] for name in after - before if not name.startswith("_")}
    assert packages - sys.stdlib_module_names == {"robustcert"}


@pytest.mark.parametrize("module", VERIFY_PATH)
def test_a_verifier_loads_nothing_heavy(module: str) -> None:
    assert loaded_by(f"import {module}") & (HEAVY | ORCHESTRATORS) == set()


def test_every_module_has_its_mirrored_test() -> None:
    library = [path.relative_to(ROOT / "robustcert") for path in python_files("robustcert")]
    modules = [*library, *(path.relative_to(ROOT) for path in python_files("monitoring"))]
    missing = {
        str(module)
        for module in modules
        if not module.name.startswith("__") and not (ROOT / "tests" / module.parent / f"test_{module.name}").is_file()
    }
    assert missing == set(TESTED_THROUGH), "add tests/<folder>/test_<module>.py, or say in TESTED_THROUGH what tests it"
    assert [path for path in TESTED_THROUGH.values() if not (ROOT / "tests" / path).is_file()] == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import pickle", "imports pickle"),
        ("def f():\n    from joblib import load", "imports joblib"),
        ("eval(text)", "calls eval"),
        ("torch.load(path)", "calls torch.load"),
        ("yaml.load(text)", "calls yaml.load without SafeLoader"),
        ("yaml.load(text, Loader=yaml.Loader)", "calls yaml.load without SafeLoader"),
        ("np.load(path)", "calls np.load without allow_pickle=False"),
        ("subprocess.run(line, shell=True)", "calls subprocess.run through a shell"),
    ],
)
def test_the_reader_of_dangers_finds_a_planted_one(source: str, found: str) -> None:
    assert dangers(source) == [found]


def test_the_reader_of_dangers_leaves_the_safe_forms_alone() -> None:
    assert dangers("yaml.load(text, Loader=yaml.SafeLoader); np.load(f, allow_pickle=False); model.eval()") == []


@pytest.mark.parametrize("folder", CODE)
def test_no_code_can_run_what_comes_from_data(folder: str) -> None:
    found = {path: dangers(path.read_text()) for path in python_files(folder)}
    assert {path: texts for path, texts in found.items() if texts} == {}


def test_every_component_has_its_compiled_yaml() -> None:
    folders = [path for path in (ROOT / "components").iterdir() if path.is_dir() and path.name != "__pycache__"]
    files = {(path.name, name) for path in folders for name in ("component.py", "component.yaml")}
    assert folders
    assert {(folder, name) for folder, name in files if not (ROOT / "components" / folder / name).is_file()} == set()


def test_every_compiled_pipeline_travels_in_the_wheel() -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    included = tools["hatch"]["build"]["targets"]["wheel"]["force-include"]
    names = {"by_uri", *(path.name for path in (ROOT / "pipelines").glob("*.yaml"))}
    assert included == {f"pipelines/{name}": f"robustcert/pipelines/{name}" for name in names}
    assert names


def where_is(readme: str) -> list[str]:
    """Paths in the second column of the "Where is ...?" table."""
    section = readme.lower().partition("where is ...")[2]
    rows = readme[len(readme) - len(section) :].partition("\n#")[0].splitlines()
    cells = [row.split("|")[2] for row in rows if row.strip().startswith("|") and row.count("|") >= 3]
    return [path for cell in cells for path in re.findall(r"`([\w.-]+(?:/[\w.-]*)*)`", cell)]


def test_the_reader_of_the_table_takes_paths_from_the_second_column() -> None:
    readme = "# Where is ...?\n| where is | there |\n|---|---|\n| `x` | `a/b.py`, `c/` |\n\n# Next\n| a | `d.py` |\n"
    assert where_is(readme) == ["a/b.py", "c/"]


def test_every_path_that_the_readme_points_to_exists() -> None:
    paths = where_is((ROOT / "README.md").read_text())
    assert len(paths) >= 5
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("folder", CODE)
def test_no_file_has_more_than_one_subject_worth_of_lines(folder: str) -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in python_files(folder)}
    assert {path: length for path, length in lengths.items() if length > LONGEST_FILE} == {}


@pytest.mark.parametrize("folder", CODE)
def test_no_module_or_folder_is_named_after_nothing(folder: str) -> None:
    paths = [path.relative_to(ROOT) for path in python_files(folder)]
    assert [path for path in paths if {*path.parent.parts, path.stem} & BANNED_NAMES] == []


@pytest.mark.parametrize(
    "text",
    ["https://p" + "ypi.org/simple", "files.python" + "hosted.org", "see /ho" + "me/ann/x", "'/wor" + "k/x'"],
)
def test_the_reader_of_hosts_and_build_paths_finds_a_planted_one(text: str) -> None:
    assert HOSTS.search(text) or BUILD_PATHS.search(text)


def test_no_committed_file_names_a_package_host_or_a_path_of_the_machine_that_built_it() -> None:
    texts = ((path, path.read_bytes().decode("utf-8", errors="replace")) for path in tracked_files())
    found = {path: hit[0] for path, text in texts if (hit := HOSTS.search(text) or BUILD_PATHS.search(text))}
    assert found == {}


def test_every_target_of_the_makefile_explains_itself() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = set(re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[0].split())
    targets = set(re.findall(r"^([a-z0-9-]+):", makefile, re.MULTILINE))
    explained = set(re.findall(r"^([a-z0-9-]+):.*?## \S", makefile, re.MULTILINE))
    assert targets == phony == explained


def test_the_continuous_integration_runs_what_the_readme_names_and_nothing_else() -> None:
    lines = [line for line in (ROOT / ".ci/run").read_text().splitlines() if line and not line.startswith("#")]
    suites = "make check test-manifests test-s3 test-containers test-monitoring"
    assert lines == ["set -euo pipefail", 'cd "$(dirname "$0")/.."', suites]
    assert f"`{lines[-1]}`" in (ROOT / "README.md").read_text()


def test_the_changelog_tells_of_this_version() -> None:
    version = re.search(r'^__version__ = "(.+)"$', (ROOT / "robustcert/__init__.py").read_text(), re.MULTILINE)
    assert version
    assert f"\n## {version[1]}" in (ROOT / "CHANGELOG.md").read_text()
