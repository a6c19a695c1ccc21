"""Every command in the documentation is run.

A fenced block marked `console` holds commands and an excerpt of what they print:

    $ robustcert verify out/digits --key issuer.pub
    verified: ...

- A line that begins with `$ ` is a command; lines right after it that begin with `> ` continue it.
- All commands of one document run in one bash, in an empty folder that holds a copy of examples/. Each must exit 0, or
  with N where `<!-- exit: N -->` stands before its block, which then holds that command alone.
- The other lines must occur in the command's output, in this order; lines in between are free. `...` stands for any
  text. Times, dates, hexadecimal digests (8 digits or more) and numbers may differ, and so may the width of spaces.
- A block after `<!-- not run: reason -->` is left out. `make TARGET` is not run either: the target must exist.
- Commands stand in no other kind of block, and a `console` block is not indented.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("README.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/tutorials/*.md")])
MOST_NOT_RUN = 3
SECONDS = 400

BLOCK = re.compile(r"(?P<notes>(?:^<!--[^\n]*-->\n\s*)*)^```console\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
UNREAD = re.compile(r"^[ \t]*```(?:bash|sh|shell|zsh|shell-session)\b|^[ \t]+```console\b", re.MULTILINE)
NOTE = re.compile(r"<!-- (exit|not run):(.*?)-->")
COMMAND = re.compile(r"^\$ (.*(?:\n> .*)*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
TARGET = re.compile(r"^([a-z0-9-]+):", re.MULTILINE)
MAY_DIFFER = [
    (re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?(?:\.\d+)?Z?)?"), "<time>"),
    (re.compile(r"\b(?=[a-f]*\d)[0-9a-f]{8,64}\b"), "<digest>"),
    (re.compile(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?"), "<number>"),
    (re.compile(r"\s+"), " "),
]


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command of a document, the lines it must print in this order, and the status it must end with."""

    line: str
    excerpt: tuple[str, ...] = ()
    status: int = 0


@dataclass(frozen=True, kw_only=True)
class Document:
    """The commands of a document in their order, and the reasons given for blocks that are not run."""

    commands: tuple[Command, ...]
    not_run: tuple[str, ...]


def read_document(text: str) -> Document:
    """Commands and reasons of one Markdown text; ValueError where commands stand in a block that would not be read."""
    if unread := UNREAD.search(text):
        raise ValueError(f"expected commands in ```console blocks that are not indented, got {unread[0]!r}")
    commands: list[Command] = []
    not_run: list[str] = []
    for block in BLOCK.finditer(text):
        notes = {name: value.strip() for name, value in NOTE.findall(block["notes"])}
        if "not run" in notes:
            not_run.append(notes["not run"])
        else:
            commands += block_commands(block["text"], status=int(notes.get("exit", 0)))
    return Document(commands=tuple(commands), not_run=tuple(not_run))


def block_commands(text: str, *, status: int) -> list[Command]:
    found = [
        Command(line=line.replace("\n> ", "\n"), excerpt=tuple(output.splitlines()), status=status)
        for line, output in COMMAND.findall(text)
    ]
    if not found or (status and len(found) > 1):
        raise ValueError(f"expected one command after an exit note and at least one in any block, got {len(found)}")
    return found


def run_commands(commands: tuple[Command, ...], folder: Path) -> list[str]:
    """Runs the commands in one bash; one line for each that did not do what its document says."""
    notes = folder.with_name(f"{folder.name}-notes")
    notes.mkdir()
    script = "".join(
        f"{{ {command.line}\n}} >{shlex.quote(str(notes / f'{number}.out'))} 2>&1 </dev/null\n"
        f"echo $? >{shlex.quote(str(notes / f'{number}.status'))}\n"
        for number, command in enumerate(commands)
    )
    bash = ["bash", "--noprofile", "--norc", "-c", script]
    subprocess.run(bash, cwd=folder, env=environment(folder), check=False, timeout=SECONDS)
    problems = [problem(command, notes / str(number)) for number, command in enumerate(commands)]
    return [text for text in problems if text]


def environment(folder: Path) -> dict[str, str]:
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    threads = {name: value for name, value in os.environ.items() if name.endswith("_NUM_THREADS")}
    terminal = {"TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "120", "LANG": "C.UTF-8"}
    return {"PATH": programs, "HOME": str(folder), **terminal, **threads}


def problem(command: Command, files: Path) -> str | None:
    status, output = files.with_suffix(".status"), files.with_suffix(".out")
    ended = int(status.read_text()) if status.exists() else None
    printed = output.read_text() if output.exists() else ""
    if ended != command.status:
        return f"{command.line!r}: expected exit {command.status}, got {ended}: {printed[-2000:]}"
    missing = first_missing(command.excerpt, printed)
    return None if missing is None else f"{command.line!r}: printed no line like {missing!r}: {printed[-2000:]}"


def first_missing(excerpt: tuple[str, ...], printed: str) -> str | None:
    """The first line of the excerpt that the output does not hold, after those before it."""
    lines = iter([alike(line) for line in printed.splitlines()])
    for wanted in excerpt:
        pattern = ".*".join(re.escape(alike(part)) for part in wanted.strip().split("..."))
        if wanted.strip() not in ("", "...") and not any(re.fullmatch(pattern, line) for line in lines):
            return wanted
    return None


def alike(text: str) -> str:
    """The text with whatever may differ from run to run replaced by its kind."""
    for pattern, kind in MAY_DIFFER:
        text = pattern.sub(kind, text)
    return text.strip()


SAMPLE = """
Two commands in one shell:

```console
$ name=world
$ echo "hello $name, $((2 + 3)) times at 2026-01-31T10:00:00Z" && echo between && echo deadbeef00
hello ..., 7 times at 2025-12-01T00:00:00Z
cafe0123456
```

<!-- exit: 3 -->
```console
$ (exit \\
> 3)
```

<!-- not run: needs a cluster -->
```console
$ kubectl get nodes
```

```python
assert False
```
"""


def test_a_document_is_read_as_commands_excerpts_states_and_reasons() -> None:
    document = read_document(SAMPLE)
    assert [command.line for command in document.commands][0::2] == ["name=world", "(exit \\\n3)"]
    assert [command.status for command in document.commands] == [0, 0, 3]
    assert document.commands[1].excerpt == ("hello ..., 7 times at 2025-12-01T00:00:00Z", "cafe0123456")
    assert document.not_run == ("needs a cluster",)


def test_a_document_that_tells_the_truth_passes(tmp_path: Path) -> None:
    assert run_commands(read_document(SAMPLE).commands, tmp_path) == []


@pytest.mark.parametrize(
    ("block", "found"),
    [
        ("$ false\n", r"'false': expected exit 0, got 1"),
        ("$ robustcert-of-another-name\n", r"expected exit 0, got 127"),
        ("$ exit 0\n$ echo never\n", r"'exit 0': expected exit 0, got None"),
        ("$ echo accepted\nrefused\n", r"'echo accepted': printed no line like 'refused'"),
        ("$ printf 'a\\nb\\n'\nb\na\n", r"printed no line like 'a'"),
        ("$ echo 5 errors\n5 warnings\n", r"printed no line like '5 warnings'"),
    ],
)
def test_a_planted_lie_is_found(tmp_path: Path, block: str, found: str) -> None:
    problems = run_commands(read_document(f"```console\n{block}```\n").commands, tmp_path)
    assert re.search(found, problems[0])


def test_an_expected_failure_that_succeeds_is_found(tmp_path: Path) -> None:
    document = read_document("<!-- exit: 1 -->\n```console\n$ true\n```\n")
    assert run_commands(document.commands, tmp_path) == ["'true': expected exit 1, got 0: "]


@pytest.mark.parametrize("text", ["```console\nno command\n```\n", "<!-- exit: 1 -->\n```console\n$ a\n$ b\n```\n"])
def test_a_block_that_does_not_fit_its_notes_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected one command after an exit note"):
        read_document(text)


@pytest.mark.parametrize("text", ["```bash\nls\n```\n", "- so:\n  ```console\n  $ ls\n  ```\n"])
def test_commands_in_a_block_that_would_not_be_read_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected commands in ```console blocks that are not indented"):
        read_document(text)


def test_the_readme_holds_the_two_commands() -> None:
    lines = {command.line for command in read_document((ROOT / "README.md").read_text()).commands}
    assert {"make run", "make test"} <= lines


def test_every_make_target_in_the_documentation_exists() -> None:
    targets = set(TARGET.findall((ROOT / "Makefile").read_text()))
    commands = [command for path in DOCUMENTS for command in read_document(path.read_text()).commands]
    assert {word for command in commands if is_make(command) for word in command.line.split()[1:]} <= targets


def test_few_blocks_are_not_run_and_each_says_why() -> None:
    reasons = [reason for path in DOCUMENTS for reason in read_document(path.read_text()).not_run]
    assert all(reasons)
    assert len(reasons) <= MOST_NOT_RUN


def is_make(command: Command) -> bool:
    return command.line.split()[0] == "make"


@pytest.mark.parametrize(
    "path", [path for path in DOCUMENTS if "```console" in path.read_text()], ids=lambda path: path.name
)
def test_a_document_does_what_it_says(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "checkout"
    shutil.copytree(ROOT / "examples", folder / "examples")
    commands = read_document(path.read_text()).commands
    assert run_commands(tuple(command for command in commands if not is_make(command)), folder) == []
