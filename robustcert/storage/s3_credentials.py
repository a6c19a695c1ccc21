"""Where the credentials for S3 come from, read again for every request, so that a rotated secret is taken at once.

In this order: MINIO_ACCESS_KEY and MINIO_SECRET_KEY; AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN;
the file that AWS_SHARED_CREDENTIALS_FILE names (a Secret mounted as a file), or else ~/.aws/credentials.
"""

from __future__ import annotations

from configparser import Error as FileError

from minio.credentials.credentials import Credentials
from minio.credentials.providers import AWSConfigProvider, EnvAWSProvider, EnvMinioProvider, Provider

from robustcert.errors import StorageError, expected


class UnprintedCredentials(Credentials):
    """Credentials that no log and no traceback shows."""

    def __repr__(self) -> str:
        return "UnprintedCredentials()"


class FreshCredentials(Provider):
    """The first credentials found; StorageError where there are none."""

    def retrieve(self) -> Credentials:
        """Looks into the environment and the credentials file."""
        for source in (EnvMinioProvider, EnvAWSProvider, AWSConfigProvider):
            if found := _from(source()):
                return UnprintedCredentials(found.access_key, found.secret_key, found.session_token)
        remedy = (
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or MINIO_ACCESS_KEY and MINIO_SECRET_KEY,"
            " or name a credentials file in AWS_SHARED_CREDENTIALS_FILE"
        )
        raise StorageError(expected("credentials for S3", got="none that can be read", remedy=remedy))


def _from(source: Provider) -> Credentials | None:
    try:
        return source.retrieve()
    except (ValueError, OSError, FileError):  # whose texts may quote the credentials file
        return None
