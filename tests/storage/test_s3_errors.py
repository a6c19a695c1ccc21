import subprocess
import sys

from robustcert.errors import StorageError
from robustcert.storage import s3_errors


def test_every_kind_is_a_storage_error_and_the_names_need_no_client() -> None:
    kinds = [kind for kind in vars(s3_errors).values() if isinstance(kind, type) and kind is not StorageError]
    assert len(kinds) == 6
    assert all(issubclass(kind, StorageError) for kind in kinds)
    program = "import sys, robustcert.storage.s3_errors; print('minio' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert run.stdout == "False\n"
