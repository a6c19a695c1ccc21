"""robustcert verify: what an auditor runs, offline, with the public key."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from robustcert.errors import InputError, expected

if TYPE_CHECKING:
    from collections.abc import Callable

    from robustcert.certificate.bundle import BundleFiles
    from robustcert.certificate.case import Case, Finding
    from robustcert.certificate.keys import VerificationKey
    from robustcert.certificate.verify import Verification

MARKS = {"established": "ok      ", "refused": "REFUSED ", "not established": "unknown "}


def register(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command(short_help="Check a certificate offline.")(verify)


def verify(
    bundle: Annotated[Path, typer.Argument(help="The bundle's folder, or a certificate file alone.")],
    key: Annotated[Path, typer.Option(help="Public key of the issuer, obtained from the issuer by another channel.")],
    specification: Annotated[Path | None, typer.Option(help="Specification to compare.")] = None,
    model: Annotated[Path | None, typer.Option(help="Model file to compare.")] = None,
    data: Annotated[Path | None, typer.Option(help="Data set file to compare.")] = None,
    evidence: Annotated[list[Path] | None, typer.Option(help="Evidence table; give it once for each.")] = None,
    adversarials: Annotated[Path | None, typer.Option(help="Perturbed inputs to re-measure.")] = None,
    data_report: Annotated[Path | None, typer.Option(help="Report of data validation to compare.")] = None,
    statuses: Annotated[
        str, typer.Option(help="Store (folder or s3://) to ask whether it is suspended or revoked; unasked if absent.")
    ] = "",
    status_key: Annotated[
        Path | None, typer.Option(help="Public key, or folder of them, of who may suspend; the issuer's if absent.")
    ] = None,
    refuse_components: Annotated[
        list[Path] | None,
        typer.Option(help="Advisories (OSV JSON: file, folder or zip); a recorded component they name is refused."),
    ] = None,
    at: Annotated[str | None, typer.Option(help="Verify as of this UTC time, such as 2027-01-31T00:00:00Z.")] = None,
    replay: Annotated[int, typer.Option(min=0, help="Repeat this many samples and compare votes (needs torch).")] = 0,
    factory: Annotated[
        str | None, typer.Option(help="package.module:function of a model that has one, for --replay.")
    ] = None,
) -> None:
    """Check a certificate offline: 0 verified, 1 refused with the first reason, 2 wrong usage.

    Every radius, rate, interval and verdict is recomputed from the evidence's counts; what could not be established is
    listed. Files given as options take the place of the bundle's own.
    """
    from robustcert.certificate.keys import load_verification_key
    from robustcert.certificate.verify import verify as verify_files

    files = _files(
        bundle,
        specification=specification,
        model=model,
        data=data,
        evidence=evidence or [],
        adversarials=adversarials,
        data_report=data_report,
    )
    more = _component_check(refuse_components or []) + (_replay_check(replay, factory) if replay else ())
    issuer = load_verification_key(key)
    revocation = _revocation(statuses, status_key, issuer)
    found = verify_files(files, key=issuer, now=_now(at), revocation=revocation, more=more)
    for finding in found.findings:
        typer.echo(f"{MARKS[finding.status]}{finding.check}: {finding.message}")
    _conclude(found)


def _conclude(found: Verification) -> None:
    if found.refused is not None:
        typer.echo(f"REFUSED: {found.refused.message}")
        raise typer.Exit(1)
    assert found.statement is not None
    predicate = found.statement.predicate
    unknown = sum(finding.status == "not established" for finding in found.findings)
    typer.echo(f"VERIFIED: {predicate.name}, valid until {predicate.not_after}; {unknown} point(s) not established")


def _files(
    bundle: Path,
    *,
    specification: Path | None,
    model: Path | None,
    data: Path | None,
    evidence: list[Path],
    adversarials: Path | None,
    data_report: Path | None,
) -> BundleFiles:
    from robustcert.certificate.bundle import BundleFiles, files_in

    for path in (specification, model, data, adversarials, data_report, *evidence):
        if path is not None and not path.is_file():
            raise InputError(expected("a file", got=f"{path}, which is none", remedy="check the name"))
    own = files_in(bundle) if bundle.is_dir() else BundleFiles(certificate=bundle)
    return BundleFiles(
        certificate=own.certificate,
        specification=specification or own.specification,
        model=model or own.model,
        dataset=data or own.dataset,
        certification=_table(evidence, column="radius") or own.certification,
        evaluation=_table(evidence, column="attack") or own.evaluation,
        adversarials=adversarials or own.adversarials,
        data_report=data_report or own.data_report,
    )


def _table(evidence: list[Path], *, column: str) -> Path | None:
    """The evidence file that has `column`."""
    from robustcert.certificate.evidence import column_names

    return next((path for path in evidence if column in column_names(path)), None)


def _revocation(statuses: str, status_key: Path | None, issuer: VerificationKey) -> Callable[[Case], Finding]:
    from robustcert.certificate import status_checks
    from robustcert.certificate.trust import load_trusted_keys
    from robustcert.storage.store import open_store

    keys = (issuer,) if status_key is None else load_trusted_keys(status_key)
    return status_checks.asked(open_store(statuses), keys) if statuses else status_checks.not_asked


def _component_check(advisories: list[Path]) -> tuple[Callable[[Case], Finding], ...]:
    if not advisories:
        return ()
    from robustcert.certificate.component_checks import none_of
    from robustcert.provenance.advisories import load_advisories

    return (none_of(load_advisories(advisories)),)


def _replay_check(samples: int, factory: str | None) -> tuple[Callable[[Case], Finding], ...]:
    from robustcert.certificate.replay import replay_check
    from robustcert.extras import require_modules

    require_modules("torch")

    return (replay_check(samples, factory=factory),)


def _now(at: str | None) -> datetime:
    if at is None:
        return datetime.now(UTC)
    try:
        return datetime.strptime(at, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        remedy = "write it in UTC with a Z"
        raise InputError(expected("a time such as 2027-01-31T00:00:00Z", got=repr(at), remedy=remedy)) from error
