"""verify as an auditor types it: exit status, last line, and files given one by one."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.chain import Chain
from tests.command_line import CommandLine

BOUNDS = [{"introduced": "0"}, {"fixed": "99.0"}]


def test_a_bundle_verifies_with_exit_0_and_says_what_stays_open(command_line: CommandLine, chain: Chain) -> None:
    found = command_line("verify", chain.bundle, "--key", chain.public_key)
    assert found.status == 0, found
    assert found.out.splitlines()[-1].startswith("VERIFIED: digits, valid until 20")
    assert "unknown revocation" in found.out


def test_a_refusal_has_exit_1_and_ends_with_its_reason(command_line: CommandLine, chain: Chain, tmp_path: Path) -> None:
    other = tmp_path / "model.safetensors"
    other.write_bytes(b"x")
    found = command_line("verify", chain.bundle, "--key", chain.public_key, "--model", other)
    assert found.status == 1
    assert found.out.splitlines()[-1].startswith("REFUSED: model: SHA-256 of model.safetensors")


def test_files_can_be_given_one_by_one(command_line: CommandLine, chain: Chain) -> None:
    bundle = chain.bundle
    found = command_line(
        *("verify", bundle / "certificate.json", "--key", chain.public_key),
        *("--specification", bundle / "specification.yaml", "--model", bundle / "model.safetensors"),
        *("--data", bundle / "dataset.safetensors", "--adversarials", bundle / "adversarials.safetensors"),
        *("--evidence", bundle / "evaluation.parquet", "--evidence", bundle / "certification.parquet"),
        *("--data-report", bundle / "data_report.json"),
    )
    assert (found.status, found.out.count("unknown ")) == (0, 1), found.out


def test_an_expired_certificate_is_refused_at_a_later_time(command_line: CommandLine, chain: Chain) -> None:
    found = command_line("verify", chain.bundle, "--key", chain.public_key, "--at", "2099-01-01T00:00:00Z")
    assert (found.status, "REFUSED: expired" in found.out) == (1, True)


def test_replayed_samples_agree_bit_for_bit_on_the_machine_that_made_them(
    command_line: CommandLine, chain: Chain
) -> None:
    found = command_line("verify", chain.bundle, "--key", chain.public_key, "--replay", 3)
    assert "replay: 3 of 16 samples repeated, votes equal bit for bit" in found.out


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [("--at", "tomorrow", "expected a time such as"), ("--model", "nothing", "expected a file, got nothing")],
)
def test_wrong_usage_is_exit_2(command_line: CommandLine, chain: Chain, option: str, value: str, message: str) -> None:
    found = command_line("verify", chain.bundle, "--key", chain.public_key, option, value)
    assert (found.status, message in found.err) == (2, True), found


def test_the_private_key_is_refused_where_the_public_one_is_wanted(command_line: CommandLine, chain: Chain) -> None:
    assert command_line("verify", chain.bundle, "--key", chain.signing_key).status == 2


def advisory(package: str) -> str:
    affected = {"package": {"ecosystem": "PyPI", "name": package}, "ranges": [{"type": "ECOSYSTEM", "events": BOUNDS}]}
    return json.dumps({"id": f"TEST-{package}", "affected": [affected]})


def test_a_known_bad_component_is_refused_where_advisories_are_given(
    command_line: CommandLine, chain: Chain, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/numpy.json").write_text(advisory("numpy"))
    (tmp_path / "pillow.json").write_text(advisory("pillow"))
    verify = ("verify", chain.bundle, "--key", chain.public_key, "--refuse-components", tmp_path / "pillow.json")
    unnamed = command_line(*verify)
    assert (unnamed.status, "ok      components: none of " in unnamed.out) == (0, True), unnamed
    named = command_line(*verify, "--refuse-components", tmp_path / "folder")
    assert named.status == 1
    assert re.fullmatch(r"REFUSED: numpy [0-9.]+: TEST-numpy \(fixed in 99\.0\)", named.out.splitlines()[-1])


def test_without_advisories_nothing_is_said_of_components(command_line: CommandLine, chain: Chain) -> None:
    assert "components" not in command_line("verify", chain.bundle, "--key", chain.public_key).out


def test_a_malformed_advisory_is_wrong_usage(command_line: CommandLine, chain: Chain, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[]")
    found = command_line("verify", chain.bundle, "--key", chain.public_key, "--refuse-components", tmp_path)
    assert (found.status, found.out, found.err.count("\n")) == (2, "", 1)
    assert "expected an advisory in OSV's format" in found.err


@pytest.mark.parametrize(
    ("level", "line"),
    [
        ("L0", "level   L0: signature, schema, digests and Merkle roots"),
        ("L1", "level   L1: all that follows from the evidence was recomputed"),
        ("L2", "level   L2: chosen rows were repeated by the model"),
        ("L3", "level   L3: chosen rows stood against fresh noise and an attack"),
    ],
)
def test_the_level_asked_for_is_reached_and_printed(
    command_line: CommandLine, chain: Chain, level: str, line: str
) -> None:
    options = ("--undetected-share", 0.5, "--nonce", "auditor", "--fresh-votes", 100)
    found = command_line("verify", chain.bundle, "--key", chain.public_key, "--level", level, *options)
    assert (found.status, found.out.splitlines()[-2]) == (0, line), found
    assert ("5 of 16 samples repeated" in found.out) == (level in ("L2", "L3"))
    assert ("100 votes under a secret key" in found.out) == (level == "L3")


def test_a_random_nonce_is_printed_so_that_the_choice_can_be_repeated(command_line: CommandLine, chain: Chain) -> None:
    options = ("--level", "L2", "--undetected-share", 0.9)
    found = command_line("verify", chain.bundle, "--key", chain.public_key, *options)
    assert re.search(r"replay: 2 of 16 samples .*; chosen by nonce [0-9a-f]{32}$", found.out, re.MULTILINE)


def test_a_level_that_is_not_reached_does_not_pass(command_line: CommandLine, chain: Chain) -> None:
    for level, got in (("L1", "no level"), ("L0", "no level")):
        found = command_line("verify", chain.files.certificate, "--key", chain.public_key, "--level", level)
        assert found.status == 2
        assert f"expected level {level}, got {got}: see what is unknown above" in found.err
    unasked = command_line("verify", chain.files.certificate, "--key", chain.public_key)
    assert (unasked.status, unasked.out.splitlines()[-2]) == (0, "level   none: the signature holds")


def test_another_precision_is_out_of_scope(command_line: CommandLine, chain: Chain) -> None:
    served = ("verify", chain.bundle, "--key", chain.public_key, "--precision")
    assert command_line(*served, "float32").status == 0
    found = command_line(*served, "bfloat16")
    assert found.status == 1
    assert found.out.splitlines()[-1].startswith("REFUSED: out of scope: served in bfloat16, certified in float32")


def test_a_level_and_a_number_of_rows_are_not_both_asked_for(command_line: CommandLine, chain: Chain) -> None:
    found = command_line("verify", chain.bundle, "--key", chain.public_key, "--level", "L2", "--replay", 3)
    assert (found.status, "expected --level L2 or L3, or --replay, got both" in found.err) == (2, True)


def test_a_nonce_that_chooses_no_row_is_wrong_usage(command_line: CommandLine, chain: Chain) -> None:
    found = command_line("verify", chain.bundle, "--key", chain.public_key, "--nonce", "dice 4 1 6")
    assert (found.status, "expected --nonce with --level L2, L3 or --replay" in found.err) == (2, True)
