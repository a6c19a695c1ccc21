"""audit as an auditor types it: exit status, findings, tables, JSON, and one line for what is no log."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.audit.conftest import Log, clean_log  # noqa: F401 (a fixture)
from tests.chain import Chain
from tests.command_line import CommandLine

CLAIM = ("--sigma", 0.5, "--alpha", 0.001, "--n", 100_000, "--claimed-samples", 60, "--ids", "0:1200:20")


def test_an_honest_log_exits_0_with_findings_and_tables(
    command_line: CommandLine,
    clean_log: Callable[..., Log],  # noqa: F811
) -> None:
    found = command_line("audit", clean_log(60).write(), *CLAIM, "--radii", "0.25,0.5")
    lines = found.out.splitlines()
    assert (found.status, "WRONG" in found.out) == (0, False), found
    assert "ok      sample ids: all 60 claimed ids and no other" in lines
    assert any(line.startswith("unknown base classifier: ") for line in lines)
    assert [line.split()[0] for line in lines[-6:]] == ["radius", "0.25", "0.5", "abstention", "average", "median"]


def test_a_planted_fault_exits_1_and_counts_it(
    command_line: CommandLine,
    clean_log: Callable[..., Log],  # noqa: F811
) -> None:
    log = clean_log(60)
    log.lines[0][3] = "2.5"
    log.lines[0][2] = log.lines[0][1]
    log.lines[0][4] = 1
    found = command_line("audit", log.write(), *CLAIM)
    assert (found.status, found.err) == (1, "robustcert: 1 of 16 checks found something wrong\n")
    assert "WRONG   radius cap: 1 of 60 rows; the first: sample 0 (line 2): radius 2.5" in found.out


def test_json_holds_findings_and_tables(
    command_line: CommandLine,
    clean_log: Callable[..., Log],  # noqa: F811
) -> None:
    found = command_line("audit", clean_log(60).write(), *CLAIM, "--json")
    document = json.loads(found.out)
    assert (found.status, document["wrong"]) == (0, 0)
    assert {finding["status"] for finding in document["findings"]} == {"ok", "cannot tell"}
    assert document["logs"][0]["rows"] == 60
    assert document["logs"][0]["curve"][0]["rate"]["of"] == 60


def test_a_bundle_is_audited_by_its_own_parameters(command_line: CommandLine, chain: Chain) -> None:
    found = command_line("audit", chain.bundle)
    assert found.status == 0
    assert "ok      votes: every decision and radius follows from its counts" in found.out
    assert f"average radius (ACR)   {chain.predicate.results.average_certified_radius} [" in found.out


def test_several_logs_are_told_apart(
    command_line: CommandLine,
    clean_log: Callable[..., Log],  # noqa: F811
) -> None:
    paths = [clean_log(60, seed=seed, sigma=sigma).write(f"{seed}.tsv") for seed, sigma in ((1, 0.5), (2, 1.0))]
    options = ("--sigma", 0.5, "--sigma", 1.0, *CLAIM[2:])
    found = command_line("audit", *paths, *options)
    assert found.status == 0, found
    assert f"ok      duplicated rows ({paths[1]}): every sample once" in found.out
    assert command_line("audit", *paths, "--sigma", 1, "--sigma", 1, "--sigma", 1).status == 2


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("", (), "expected a first line with the columns"),
        ("\0" * 150_000, (), "expected lines of a log"),
        ("idx,label,predict,radius\n1,2,3,1e-400\n", (), "expected a radius in line 2"),
        ("idx,label,predict,radius\n1,2,3,1\n", ("--alpha", "1e-400"), "expected 0 < alpha < 1/2"),
        ("idx,label,predict,radius\n1,2,3,1\n", ("--columns", "x=y"), "expected a map of"),
        ("idx,label,predict,radius\n1,2,3,1\n", ("--curve", "1=50"), "not percentages"),
    ],
)
def test_what_is_no_log_or_no_claim_is_one_line(
    command_line: CommandLine,
    clean_log: Callable[..., Log],  # noqa: F811
    content: str,
    options: tuple[str, ...],
    message: str,
) -> None:
    path = clean_log(1).write()
    path.write_text(content)
    found = command_line("audit", path, *options)
    assert (found.status, found.out, found.err.count("\n")) == (2, "", 1)
    assert message in found.err
