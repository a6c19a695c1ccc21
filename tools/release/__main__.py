"""Makes a release: its commit in this checkout, and everything that users download in a folder. Pushes nothing.

    python -m tools.release VERSION [--dry-run] [--out dist/release] [--digest NAME=sha256:...] [--key FILE]

All is made in a copy of the checkout first; only then are the files put in place and the checkout moved forward to the
new commit. Called again on that commit it makes the files again, then with the digests of the images that were built
from it. --dry-run stops before anything is put in place, but for --out where that is given. SOURCE_DATE_EPOCH sets the
commit's time. docs/releasing.md tells the whole way. Exit status: 0 made, 1 refused by an advisory, 2 anything else,
and 130 or 143 where it was stopped by a signal.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from robustcert.certificate.keys import SigningKey, load_signing_key
from robustcert.commands.keys import PASSPHRASE_VARIABLE
from robustcert.errors import ClaimError, InputError, RobustcertError, WorldError, expected
from tools.chart import chart_yaml
from tools.release import changelog, versions
from tools.release.arguments import Parser
from tools.release.assembly import UNKNOWN_BUILDER, Order, assemble, run
from tools.release.chart_archive import parsed_digests
from tools.release.checkout import Checkout
from tools.release.next_steps import next_steps, table
from tools.release.preparation import Facts, facts, require, tag

ROOT = Path(__file__).parents[2]
OUT = "dist/release"
IMAGE_BILLS = "dist"
CHART_FILE = "charts/robustcert/Chart.yaml"
URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+")
EARLIEST = 315619200  # 1980-01-02: a zip archive, and so a wheel, knows no time before 1980
LATEST = 4102444800  # 2100-01-01; nor one after 2107


def release(root: Path, order: Order, *, out: Path | None, dry_run: bool) -> list[str]:
    """Makes the release of the checkout at `root`; what there is to say, a line each. All of it is made, or nothing."""
    checkout = Checkout(root=root)
    found = facts(checkout, order.version)
    require(found)
    place = out or (None if dry_run else root / OUT)
    if place and place.exists() and (not place.is_dir() or any(place.iterdir())):
        remedy = "move it away, or name another --out"
        raise InputError(expected("an empty or new folder for the files", got=f"'{place}'", remedy=remedy))
    with tempfile.TemporaryDirectory(prefix="robustcert-release-") as folder:
        copy = checkout.copy(Path(folder, "checkout"))
        changed = prepare(checkout, copy, found)
        files = Path(folder, "files")
        files.mkdir()
        notes = assemble(copy, files, order, bills_of_images=root / IMAGE_BILLS)
        head = _headline(found, copy, dry_run=dry_run)
        lines = [head, *table(files, changed), *notes, *next_steps(order, place, dry_run=dry_run, kind=found.kind)]
        put_in_place(files, place, checkout, None if dry_run else copy)
    return lines


def prepare(checkout: Checkout, copy: Checkout, found: Facts) -> list[str]:
    """Sets the version, dates the changelog, generates and commits, all in the copy; the files that it changed."""
    if found.kind == "again":
        return []
    checkout.require_author()
    epoch = now()
    today = datetime.fromtimestamp(epoch, UTC).date().isoformat()
    for name, text in _written(copy.root, found.version, today=today).items():
        (copy.root / name).write_text(text, encoding="utf-8")
    generate(copy.root, epoch=epoch)
    for name in ("user.name", "user.email"):  # a clone does not take over what is set for one checkout alone
        if known := checkout.git("config", "--default", "", "--get", name):
            copy.git("config", name, known)
    return copy.commit(f"Release {found.version}", epoch=epoch)


def now() -> int:
    """Seconds since 1970, or what SOURCE_DATE_EPOCH says instead; InputError where that is no such number."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if not given:
        return int(time.time())
    if not re.fullmatch(r"[0-9]{1,10}", given) or not EARLIEST <= int(given) <= LATEST:
        remedy = "unset it, or set it to a time as `date +%s` prints it"
        raise InputError(
            expected("SOURCE_DATE_EPOCH in seconds, between 1980 and 2100", got=repr(given), remedy=remedy)
        )
    return int(given)


def generate(root: Path, *, epoch: int) -> None:
    """Generates until nothing is out of date any more: some files are made from others that are generated."""
    command = [sys.executable, "-m", "tools.generate"]
    run(command, root, epoch=epoch)
    try:
        run([*command, "--check"], root, epoch=epoch)
    except WorldError:
        run(command, root, epoch=epoch)
        run([*command, "--check"], root, epoch=epoch)


def put_in_place(files: Path, place: Path | None, checkout: Checkout, copy: Checkout | None) -> None:
    """Moves the checkout forward, then renames the folder of files, whole, to its place.

    In this order a process that is killed between the two leaves a commit from which the next call makes them again.
    """
    draft = place.absolute().with_name(f".{place.name}-draft") if place else None
    try:
        if draft:
            draft.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(draft, ignore_errors=True)
            shutil.copytree(files, draft)
        if copy and copy.head != checkout.head:
            checkout.take(copy)
        if draft and place:
            draft.replace(place)
    finally:
        if draft:
            shutil.rmtree(draft, ignore_errors=True)


def main(arguments: Sequence[str] | None = None, *, root: Path = ROOT) -> int:
    """The command line."""
    given = _parser().parse_args(arguments)
    try:
        order = Order(
            version=given.version,
            digests=parsed_digests(given.digest),
            builder=_builder(given.builder),
            key=_key(given.key),
            databases=tuple(given.database),
        )
        print("\n".join(release(root, order, out=given.out, dry_run=given.dry_run)))
    except RobustcertError as error:
        print(error, file=sys.stderr)
        return 1 if isinstance(error, ClaimError) else 2
    except OSError as error:
        got = f"{error.strerror}: '{error.filename}'"
        print(expected("folders that can be read and written", got=got, remedy="name another --out"), file=sys.stderr)
        return 2
    except KeyboardInterrupt as stopped:
        print("stopped; the next call does what is left", file=sys.stderr)
        return 128 + (stopped.args[0] if stopped.args else signal.SIGINT)
    return 0


def _parser() -> Parser:
    parser = Parser(prog="python -m tools.release", description="Makes a release; pushes nothing.")
    parser.add_argument("version", help="MAJOR.MINOR.PATCH")
    parser.add_argument("--dry-run", action="store_true", help="make everything, change nothing in the checkout")
    parser.add_argument("--out", type=Path, help=f"folder for the files, {OUT} where absent")
    parser.add_argument(
        "--digest", action="append", default=[], help="NAME=sha256:... of a pushed image, once for each"
    )
    parser.add_argument("--key", type=Path, help="private key that signs the statement of provenance")
    parser.add_argument("--builder", default=UNKNOWN_BUILDER, help="URI of who makes the release")
    parser.add_argument("--database", type=Path, action="append", default=[], help="advisories in OSV's format")
    return parser


def _written(root: Path, version: str, *, today: str) -> dict[str, str]:
    """What is not generated; and Chart.yaml, which is, but other generated files are rendered with it."""
    texts = {name: (root / name).read_text(encoding="utf-8") for name in (versions.FILE, changelog.FILE, CHART_FILE)}
    return {
        versions.FILE: versions.with_version(texts[versions.FILE], version),
        changelog.FILE: changelog.released(texts[changelog.FILE], version, date=today),
        CHART_FILE: chart_yaml.with_version(texts[CHART_FILE], version),
    }


def _headline(found: Facts, copy: Checkout, *, dry_run: bool) -> str:
    after = "the first" if found.current == found.version else f"after {found.current}"
    what = "again" if found.kind == "again" else after
    return (
        f"{'dry run of ' if dry_run else ''}release {found.version} ({tag(found.version)}), {what}, commit {copy.head}"
    )


def _stop(number: int, frame: FrameType | None) -> None:
    """Lets a SIGTERM end the program as Ctrl-C does, which removes what is half done."""
    raise KeyboardInterrupt(number)


def _builder(uri: str) -> str:
    if URI.fullmatch(uri) is None:
        remedy = "give --builder https://... of the pipeline, or urn:..."
        raise InputError(expected("a URI of who makes the release", got=repr(uri), remedy=remedy))
    return uri


def _key(path: Path | None) -> SigningKey | None:
    passphrase = os.environ.get(PASSPHRASE_VARIABLE)
    return load_signing_key(path, passphrase=passphrase.encode() if passphrase else None) if path else None


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)
    sys.exit(main())
