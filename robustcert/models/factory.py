"""A user's own model as an importable factory `package.module:function`.

Importing runs code. It is therefore done only for a factory that the user named in the specification or on the command
line, never because a model file names one.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from torch import nn

from robustcert.errors import ModelError, expected
from robustcert.provenance.digests import sha256_file


def call_factory(factory: str) -> nn.Module:
    """Module that `package.module:function` returns when called without arguments; ModelError when it does not."""
    module_name, _, function_name = factory.partition(":")
    function: Callable[[], object] | None = getattr(_import(module_name), function_name, None)
    if not callable(function):
        got = f"no function {function_name!r} in {module_name}"
        raise ModelError(expected(f"the factory {factory}", got=got, remedy="correct the name"))
    try:
        made = function()
    except (Exception, SystemExit) as error:
        got = f"{type(error).__name__}: {error}"
        raise ModelError(
            expected(f"a module from {factory}()", got=got, remedy="run it alone in Python first")
        ) from error
    if not isinstance(made, nn.Module):
        remedy = "return a torch.nn.Module that gives logits for raw inputs"
        raise ModelError(expected(f"a torch.nn.Module from {factory}()", got=type(made).__name__, remedy=remedy))
    return made


def factory_digest(factory: str) -> str:
    """SHA-256 of the source file that defines the factory's module (not of what that file imports in turn)."""
    module_name = factory.partition(":")[0]
    source = getattr(_import(module_name), "__file__", None)
    if source is None:
        remedy = "put the factory into a .py file"
        raise ModelError(expected(f"a source file of {module_name}", got="none", remedy=remedy))
    return sha256_file(Path(source))


def _import(module_name: str) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except ImportError as error:
        remedy = "install it or add its folder to PYTHONPATH"
        raise ModelError(expected(f"the importable module {module_name}", got=error, remedy=remedy)) from error
    except (Exception, SystemExit) as error:
        got, remedy = f"{type(error).__name__}: {error}", "import it alone in Python first"
        raise ModelError(expected(f"the importable module {module_name}", got=got, remedy=remedy)) from error
