"""A few kills of the soak, one of each kind; `make soak` does fifty."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rados_gateway import RadosGateway
from tests.soak import KINDS, soak

pytestmark = pytest.mark.real_s3


def test_a_kill_of_each_kind_ends_in_the_same_certificate(rados_gateway: RadosGateway, tmp_path: Path) -> None:
    found = list(soak(rados_gateway, tmp_path, kills=len(KINDS), seed=3))
    assert [kill.kind for kill in found] == list(KINDS)
    assert any(kill.hit and kill.attempts > 1 for kill in found)
