"""robustcert verify: what an auditor runs, offline, with the public key."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from robustcert.errors import InputError, expected

if TYPE_CHECKING:
    from collections.abc import Callable

    from robustcert.certificate.bundle import BundleFiles
    from robustcert.certificate.case import Case, Finding
    from robustcert.certificate.keys import VerificationKey
    from robustcert.certificate.levels import Level
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
        str | None, typer.Option(help="package.module:function of a model that has one, for --replay and L2, L3.")
    ] = None,
    level: Annotated[
        Literal["L0", "L1", "L2", "L3"] | None,
        typer.Option(help="What must be established: digests, all that files tell (default), replay, fresh noise."),
    ] = None,
    undetected_share: Annotated[
        float, typer.Option(help="L2, L3: share of wrong rows missed with 5 % probability: 0.05: 59 rows, 0.01: 299.")
    ] = 0.05,
    nonce: Annotated[str, typer.Option(help="L2, L3: text that chooses the rows; a random one if absent.")] = "",
    fresh_votes: Annotated[int, typer.Option(min=1, help="L3: votes under fresh noise for each chosen row.")] = 1000,
    precision: Annotated[
        Literal["float32", "bfloat16"] | None,
        typer.Option(help="What the model is served in; another is out of scope."),
    ] = None,
) -> None:
    """Check a certificate offline: 0 verified, 1 refused with the first reason, 2 wrong usage or level not reached.

    Every radius, rate, interval and verdict is recomputed from the evidence's counts; what could not be established is
    listed. Files given as options take the place of the bundle's own.
    """
    from robustcert.certificate.keys import load_verification_key
    from robustcert.certificate.levels import Level, checks_of
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
    wanted = Level(level or Level.L1)
    if nonce and level is None and not replay:
        remedy = "add --level L2, or leave it out"
        raise InputError(expected("--nonce with --level L2, L3 or --replay", got="no row to choose", remedy=remedy))
    more = (
        *_component_check(refuse_components or []),
        *_scope_check(precision),
        *_model_checks(
            wanted,
            replay=replay,
            rows=Rows(undetected_share=undetected_share, nonce=nonce, fresh_votes=fresh_votes, factory=factory),
        ),
    )
    issuer = load_verification_key(key)
    revocation = _revocation(statuses, status_key, issuer)
    found = verify_files(files, key=issuer, now=_now(at), checks=checks_of(wanted), revocation=revocation, more=more)
    for finding in found.findings:
        typer.echo(f"{MARKS[finding.status]}{finding.check}: {finding.message}")
    _conclude(found, wanted=None if level is None else wanted)


def _conclude(found: Verification, *, wanted: Level | None) -> None:
    from robustcert.certificate.levels import MEANING, reached

    if found.refused is not None:
        typer.echo(f"REFUSED: {found.refused.message}")
        raise typer.Exit(1)
    assert found.statement is not None
    predicate = found.statement.predicate
    unknown = sum(finding.status == "not established" for finding in found.findings)
    level = reached(found.findings)
    if wanted is not None and (level is None or level < wanted):
        got = "no level" if level is None else level
        remedy = "give the files, or ask for a lower level"
        raise InputError(expected(f"level {wanted}", got=f"{got}: see what is unknown above", remedy=remedy))
    typer.echo("level   none: the signature holds" if level is None else f"level   {level}: {MEANING[level]}")
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


def _scope_check(precision: str | None) -> tuple[Callable[[Case], Finding], ...]:
    from robustcert.certificate.levels import scope_check

    return () if precision is None else (scope_check(precision),)


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Which rows the levels with a model ask about, and how; a `nonce` is made where none is given."""

    undetected_share: float
    nonce: str
    fresh_votes: int
    factory: str | None


def _model_checks(level: Level, *, replay: int, rows: Rows) -> tuple[Callable[[Case], Finding], ...]:
    """Replay and fresh noise, as far as the level or --replay asks for them; the former needs torch."""
    from robustcert.certificate.fresh_noise import FreshNoise, fresh_noise_check
    from robustcert.certificate.replay import replay_check, rows_for
    from robustcert.extras import require_modules

    if level >= "L2" and replay:
        remedy = "leave --replay out, or set --undetected-share"
        raise InputError(expected("--level L2 or L3, or --replay", got="both", remedy=remedy))
    samples, nonce = rows_for(rows.undetected_share), rows.nonce or secrets.token_hex(16)
    if level >= "L2" or replay:
        require_modules("torch")
    if level < "L2":
        return (replay_check(replay, factory=rows.factory, nonce=rows.nonce or None),) if replay else ()
    repeated = replay_check(samples, factory=rows.factory, nonce=nonce)
    if level < "L3":
        return (repeated,)
    plan = FreshNoise(samples=samples, nonce=nonce, draws=rows.fresh_votes, factory=rows.factory)
    return (repeated, fresh_noise_check(plan))


def _now(at: str | None) -> datetime:
    if at is None:
        return datetime.now(UTC)
    try:
        return datetime.strptime(at, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        remedy = "write it in UTC with a Z"
        raise InputError(expected("a time such as 2027-01-31T00:00:00Z", got=repr(at), remedy=remedy)) from error
