"""What containers call: the program is ours, knows its options, is given its settings, and finds its files.

Options are asked of the programs' own parsers, settings of the controller's own model.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import io
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

import typer
import yaml

from robustcert.errors import RobustcertError
from tools.chart.checks.release import Check, Object, Pod, Release, Wrong, look, name_of, wrong

VARIABLE = re.compile(r"(?<!\$)\$\(([A-Za-z_][A-Za-z0-9_]*)\)")
PATH = re.compile(r"(?:^|=|file://)(/[A-Za-z0-9._/-]+)$")
SETTINGS = "controller.yaml"
IN_IMAGES = ("/usr", "/bin", "/opt", "/app", "/dev")
MODULES = ("monitoring.exporter", "monitoring.recertification_webhook")


def arguments_are_known(release: Release) -> Iterator[Wrong]:
    """Every container calls a program of ours with options that it has, and with all that it requires."""
    for pod, path, container in _containers(release):
        line = tuple(str(word) for key in ("command", "args") for word in container.get(key) or ())
        if (problem := _unknown(line)) is not None:
            what = "a program and options that it has"
            yield wrong(pod.owner, f"{path}.args", what, got=problem, remedy="see its --help")


def variables_are_set(release: Release) -> Iterator[Wrong]:
    """Every $(NAME) in an argument is a variable of its container."""
    for pod, path, container in _containers(release):
        names = [entry["name"] for entry in container.get("env") or ()]
        words = [str(word) for key in ("command", "args") for word in container.get(key) or ()]
        for name in (name for word in words for name in VARIABLE.findall(word)):
            if name not in names and not container.get("envFrom"):
                yield wrong(pod.owner, f"{path}.args", "a variable that is set", got=name, remedy="add it to env")


def settings_are_known(release: Release) -> Iterator[Wrong]:
    """The controller's settings are those that it reads."""
    from monitoring.recertification_webhook.settings import read_settings

    for item, text in _settings(release):
        with TemporaryDirectory() as folder:
            path = Path(folder) / SETTINGS
            path.write_text(text, encoding="utf-8")
            try:
                read_settings(path)
            except RobustcertError as error:
                message = str(error).replace(f"{folder}/", "")
                yield Wrong(item=item, path=f"data[{SETTINGS}]", message=message)


def paths_are_mounted(release: Release) -> Iterator[Wrong]:
    """Every path in arguments, variables and the controller's settings lies in a volume, where a file has that name."""
    for pod, path, container in _containers(release):
        for place, text in _paths(release, pod, path, container):
            if not text.startswith(IN_IMAGES) and (problem := _absent(release, pod, container, text)) is not None:
                yield wrong(pod.owner, place, f"{text} in a volume", got=problem, remedy="mount it, or mend the path")


def _containers(release: Release) -> Iterator[tuple[Pod, str, Object]]:
    for pod in release.pods:
        for path, container in pod.containers():
            yield pod, path, container


@cache
def _unknown(line: tuple[str, ...]) -> str | None:
    """What is wrong with a command line; None where nothing is."""
    if line[:2] == ("python", "-m") and len(line) > 2:
        return _unknown_to_module(line[2], line[3:])
    if line[:1] == ("robustcert",):
        return _unknown_to_command(line[1:])
    if line[:2] == ("python", "-c") and len(line) > 2:
        return _unreadable(line[2])
    return f"the command {' '.join(line[:3]) or '(none)'!r}"


def _unreadable(program: str) -> str | None:
    try:
        ast.parse(program)
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}"
    return None


def _unknown_to_module(module: str, arguments: tuple[str, ...]) -> str | None:
    if module not in MODULES:
        return f"the module {module}"
    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told):
            _parser(module).parse_args(arguments)
    except SystemExit:
        return told.getvalue().strip().rpartition("error: ")[2]
    return None


def _parser(module: str) -> argparse.ArgumentParser:
    from monitoring.exporter.__main__ import _parser as exporter
    from monitoring.recertification_webhook.__main__ import parser as controller

    return {"monitoring.exporter": exporter, "monitoring.recertification_webhook": controller}[module]()


@cache
def _command() -> Any:
    from robustcert.cli import application

    return typer.main.get_command(application())


def _unknown_to_command(words: tuple[str, ...]) -> str | None:
    """What `robustcert` would say of these words; values are not looked at."""
    command, rest = _command(), list(words)
    while hasattr(command, "commands"):
        name = rest.pop(0) if rest else ""
        if name not in command.commands:
            return f"the command robustcert {name}"
        command = command.commands[name]
    context = command.context_class(command, info_name=command.name)
    try:
        given, left, _ = command.make_parser(context).parse_args(rest)
    except typer.TyperException as error:
        return str(error)
    missing = [item.opts[0] for item in command.params if item.required and given.get(item.name) is None]
    if left or missing:
        return f"{' '.join(left)} left over" if left else f"nothing as {', '.join(missing)}"
    return None


def _settings(release: Release) -> Iterator[tuple[Object, str]]:
    for item in release.of("ConfigMap"):
        if (text := look(item, "data").get(SETTINGS)) is not None:
            yield item, str(text)


def _paths(release: Release, pod: Pod, path: str, container: Object) -> Iterator[tuple[str, str]]:
    """Place and path of every absolute path that a container is given."""
    words = [(f"{path}.args", str(word)) for key in ("command", "args") for word in container.get(key) or ()]
    words += [(f"{path}.env[{item['name']}]", str(item.get("value") or "")) for item in container.get("env") or ()]
    if pod.component == "controller" and pod.long_running:
        for item, text in _settings(release):
            place = f"ConfigMap/{name_of(item)} data[{SETTINGS}]"
            words += [(place, word) for word in _words(yaml.load(text, Loader=yaml.CSafeLoader))]
    for place, word in words:
        if found := PATH.search(word):
            yield place, found[1]


def _words(part: Any) -> Iterator[str]:
    if isinstance(part, str):
        yield part
    elif isinstance(part, dict | list):
        yield from (word for value in (part.values() if isinstance(part, dict) else part) for word in _words(value))


def _absent(release: Release, pod: Pod, container: Object, text: str) -> str | None:
    """Why a path is not there; None where it is, as far as rendered objects tell."""
    mounts = {PurePosixPath(item["mountPath"]): item["name"] for item in container.get("volumeMounts") or ()}
    above = [place for place in (PurePosixPath(text), *PurePosixPath(text).parents) if place in mounts]
    if not above:
        return "no mount there"
    volume = next((item for _, item in pod.volumes() if item.get("name") == mounts[above[0]]), {})
    inner, files = str(PurePosixPath(text).relative_to(above[0])), _files(release, pod, volume)
    return None if inner == "." or files is None or inner in files else f"only {', '.join(files)} there"


def _files(release: Release, pod: Pod, volume: Object) -> list[str] | None:
    """Names of the files in a volume; None where that is not known."""
    found: list[str] = []
    for source in look(volume, "projected.sources") or (volume,):
        part = look(source, "configMap") or look(source, "secret")
        rendered = release.find("ConfigMap", str(part.get("name")), namespace=release.namespace_of(pod.owner))
        if source.get("serviceAccountToken"):
            found.append(source["serviceAccountToken"]["path"])
        elif part.get("items") or source.get("downwardAPI"):
            found += [item["path"] for item in (part or source["downwardAPI"])["items"]]
        elif rendered is not None:
            found += look(rendered, "data")
        else:
            return None
    return found


PROGRAMS: tuple[Check, ...] = (arguments_are_known, variables_are_set, settings_are_known, paths_are_mounted)
