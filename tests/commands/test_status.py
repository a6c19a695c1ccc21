"""suspend, reinstate, revoke and status as a person types them, and what verify then says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.certificate.stored import copied_store, expired, issue, signed
from tests.chain import Chain
from tests.command_line import CommandLine, Done


@pytest.fixture
def sha256(chain: Chain, tmp_path: Path) -> str:
    store = copied_store(chain, tmp_path)
    return store.list_documents("certificates/")[0].removeprefix("certificates/").removesuffix(".json")


def verify(command_line: CommandLine, chain: Chain, folder: Path) -> Done:
    return command_line("verify", chain.bundle, "--key", chain.public_key, "--statuses", folder / "store")


def test_the_life_of_a_certificate(command_line: CommandLine, chain: Chain, tmp_path: Path, sha256: str) -> None:
    options = ("--store", tmp_path / "store", "--key", chain.signing_key, "--cause", "the sensor was off by 10 %")
    shown = ("status", sha256[:10], "--store", tmp_path / "store", "--trusted-keys", chain.public_key)
    assert verify(command_line, chain, tmp_path).status == 0
    assert command_line("suspend", sha256[:8], *options).status == 0
    refused = verify(command_line, chain, tmp_path)
    assert (refused.status, refused.out.splitlines()[-1].startswith("REFUSED: suspended since ")) == (1, True)
    assert command_line(*shown).status == 1
    assert command_line("reinstate", sha256[:8], *options).status == 0
    assert verify(command_line, chain, tmp_path).status == 0
    found = command_line(*shown)
    assert (found.status, len(found.out.splitlines())) == (0, 3)
    assert found.out.splitlines()[-1] == f"{sha256}: active"
    assert command_line("revoke", sha256[:8], *options, "--reason", "key-compromise").status == 0
    final = command_line("reinstate", sha256[:8], *options)
    assert (final.status, "revocation is final" in final.err) == (2, True)


def test_a_status_by_another_key_counts_where_it_is_trusted(
    command_line: CommandLine, chain: Chain, tmp_path: Path, sha256: str
) -> None:
    assert command_line("keys", "new", tmp_path / "controller").status == 0
    said = command_line(
        *("suspend", sha256, "--store", tmp_path / "store", "--key", tmp_path / "controller", "--cause", "drift"),
        *("--trusted-keys", chain.public_key),
    )
    assert said.status == 0, said
    stranger = verify(command_line, chain, tmp_path)
    assert (stranger.status, "trusted keys" in stranger.out.splitlines()[-1]) == (1, True)
    found = command_line(
        *("verify", chain.bundle, "--key", chain.public_key),
        *("--statuses", tmp_path / "store", "--status-key", tmp_path / "controller.pub"),
    )
    assert (found.status, "REFUSED: suspended since" in found.out) == (1, True)


def test_a_second_cause_is_not_silently_dropped_and_none_writes_a_line_of_its_own(
    command_line: CommandLine, chain: Chain, tmp_path: Path, sha256: str
) -> None:
    options = ("suspend", sha256, "--store", tmp_path / "store", "--key", chain.signing_key)
    first = command_line(*options, "--cause", f"drift\n{sha256}: active\x1b[1A")
    assert (first.status, first.err, len(first.out.splitlines())) == (0, "", 1)
    assert f"drift {sha256}: active" in first.out
    again = command_line(*options, "--cause", "the key was stolen", "--reason", "key-compromise")
    assert (again.status, again.err.strip()) == (0, "it was suspended already: nothing was written")
    assert again.out == first.out


def test_an_expired_certificate_does_not_count_whatever_was_said_of_it(
    command_line: CommandLine, chain: Chain, tmp_path: Path
) -> None:
    old = issue(copied_store(chain, tmp_path), signed(chain, expired), run_id="20260102T000000Z-00000002")
    shown = ("status", old, "--store", tmp_path / "store", "--trusted-keys", chain.public_key)
    found = command_line(*shown)
    assert (found.status, found.out) == (1, f"{old}: expired at 2020-03-31T00:00:00Z\n")
    options = ("--store", tmp_path / "store", "--key", chain.signing_key, "--cause", "a test")
    assert command_line("revoke", old, *options).status == 0
    assert command_line(*shown).out.splitlines()[-1] == f"{old}: revoked"
