import pytest

from robustcert.errors import InputError
from robustcert.storage.s3_address import AWS_ENDPOINT, S3Settings, parse_uri

KEY_ID, SECRET = "AKIAEXAMPLE", "aSecretThatNoMessageMayHold"


def test_a_uri_is_taken_apart_and_put_together_again() -> None:
    address = parse_uri(
        "s3://models/a/b c.npz?region=eu-1&endpoint=http://127.0.0.1:9000&ca=/etc/ca.pem", settings=None
    )
    assert (address.bucket, address.key) == ("models", "a/b c.npz")
    assert address.settings == S3Settings(endpoint="http://127.0.0.1:9000", region="eu-1", ca="/etc/ca.pem")
    assert address.uri("x") == "s3://models/x?ca=/etc/ca.pem&endpoint=http://127.0.0.1:9000&region=eu-1"
    assert parse_uri(address.uri(address.key), settings=None) == address


def test_what_the_uri_leaves_out_comes_from_the_settings_and_else_from_aws() -> None:
    settings = S3Settings(endpoint="https://minio.example:9000", region="eu-1")
    assert parse_uri("s3://models/a/", settings=settings).settings == settings
    assert parse_uri("s3://models?region=us-2", settings=settings).settings.region == "us-2"
    assert parse_uri("s3://models?region=us-2", settings=settings).settings.endpoint == settings.endpoint
    assert parse_uri("s3://models/a/", settings=None).settings == S3Settings(endpoint=AWS_ENDPOINT, region=None)
    assert parse_uri("s3://models/a/", settings=settings).uri("a") == "s3://models/a"


def test_tls_is_the_default_and_plain_http_must_be_said() -> None:
    assert S3Settings().endpoint.startswith("https://")
    assert S3Settings.from_environment({"AWS_ENDPOINT_URL": "http://minio:9000"}).endpoint == "http://minio:9000"
    with pytest.raises(InputError, match=r"expected an S3 endpoint http\(s\)://host"):
        S3Settings.from_environment({"AWS_ENDPOINT_URL": "minio:9000"})


@pytest.mark.parametrize(
    ("environment", "endpoint", "region"),
    [
        ({}, AWS_ENDPOINT, None),
        ({"AWS_ENDPOINT_URL": "https://a", "AWS_DEFAULT_REGION": "r"}, "https://a", "r"),
        ({"AWS_ENDPOINT_URL": "https://a", "AWS_ENDPOINT_URL_S3": "https://b"}, "https://b", None),
        ({"AWS_REGION": "r", "AWS_DEFAULT_REGION": "s", "AWS_ENDPOINT_URL_S3": ""}, AWS_ENDPOINT, "r"),
    ],
)
def test_the_variables_of_other_tools_name_endpoint_and_region(
    environment: dict[str, str], endpoint: str, region: str | None
) -> None:
    assert S3Settings.from_environment(environment) == S3Settings(endpoint=endpoint, region=region)


@pytest.mark.parametrize(
    "uri", ["s3://", "s3:///key", "s3://UPPER/x", "s3://a/x", "s3://models/x#y", "s3://models/a\nb"]
)
def test_a_uri_of_another_form_is_refused(uri: str) -> None:
    with pytest.raises(InputError, match="expected s3://bucket/prefix, got 's3://"):
        parse_uri(uri, settings=None)


@pytest.mark.parametrize(
    "uri",
    [f"s3://{KEY_ID}:{SECRET}@models/x", f"s3://models/x?secret={SECRET}", f"s3://models?endpoint=http://u:{SECRET}@h"],
)
def test_a_secret_in_a_uri_is_refused_and_not_repeated(uri: str) -> None:
    with pytest.raises(InputError, match="credentials belong into the environment") as caught:
        parse_uri(uri, settings=None)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "endpoint",
    ["", "127.0.0.1:9000", "ftp://host", "http://host/path", "http://host:port", "http://h?x", "http://h:99999"],
)
def test_an_endpoint_of_another_form_is_refused(endpoint: str) -> None:
    with pytest.raises(InputError, match=r"expected an S3 endpoint http\(s\)://host\[:port\], got '"):
        S3Settings(endpoint=endpoint)


@pytest.mark.parametrize("region", ["", "a b", "eu\n", "-", "x" * 100])
def test_a_region_of_another_form_is_refused_before_the_client_stumbles_over_it(region: str) -> None:
    with pytest.raises(InputError, match="expected the name of a region"):
        S3Settings(region=region)
    assert S3Settings(region="eu-central-1").region == "eu-central-1"
