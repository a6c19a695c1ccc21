"""Which optional dependencies belong to which extra, so that a missing one is answered by how to install it."""

from __future__ import annotations

from importlib.util import find_spec

from robustcert.errors import InputError, expected

EXTRA_OF = {
    "torch": "torch",
    "sklearn": "torch",
    "PIL": "torch",
    "jinja2": "torch",
    "kfp": "kfp",
    "minio": "s3",
    "onnx": "onnx",
    "maraboupy": "marabou",
    "cvxpy": "sdp",
    "httpx": "cluster",
    "evidently": "drift",
    "pandas": "drift",
    "prometheus_client": "monitoring",
    "fastapi": "monitoring",
    "uvicorn": "monitoring",
}


def require_modules(*modules: str) -> None:
    """InputError that names the extra of the first module that is not installed."""
    for module in modules:
        if find_spec(module) is None:
            raise missing(module)


def missing(module: str) -> InputError:
    """The error for a module that is not installed; its parts (`onnx.helper`) count as the module.

    >>> str(missing("torch.nn"))
    "expected the package 'torch', got none; install it with: pip install 'robustcert[torch]'"
    """
    root = module.partition(".")[0]
    extra = EXTRA_OF.get(root)
    remedy = f"install it with: pip install '{f'robustcert[{extra}]' if extra else root}'"
    return InputError(expected(f"the package '{root}'", got="none", remedy=remedy))
