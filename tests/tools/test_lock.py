"""What turns uv's output into constraints."""

import pytest

from tools.lock import without_markers


def test_markers_go_and_pins_and_hashes_stay() -> None:
    lock = "six==1.17.0 ; sys_platform == 'linux' \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\nidna==3.20 \\\n"
    assert without_markers(lock) == "six==1.17.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\nidna==3.20 \\\n"


def test_a_package_pinned_twice_is_refused() -> None:
    lock = "numpy==2.4.6 ; python_version < '3.12' \\\nnumpy==2.5.0 ; python_version >= '3.12' \\\n"
    with pytest.raises(ValueError, match=r"one version of each package, got several of \['numpy'\]"):
        without_markers(lock)
