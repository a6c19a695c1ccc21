"""A factory is imported by its name and must return a torch module."""

import hashlib
import importlib
import sys

import pytest
from torch import nn

from robustcert.errors import ModelError
from robustcert.models.factory import call_factory, factory_digest

SOURCE = """
from torch import nn

NUMBER = 3


def model():
    return nn.Linear(4, 2)


def needs_an_argument(width):
    return nn.Linear(width, 2)


def fails():
    raise ValueError("no weights here")


def number():
    return NUMBER


def leaves():
    raise SystemExit(0)
"""


@pytest.fixture
def own_models(tmp_path, monkeypatch):
    """An importable package `own_package` with a module `own_models`; its source file."""
    (tmp_path / "own_package").mkdir()
    (tmp_path / "own_package" / "__init__.py").touch()
    path = tmp_path / "own_package" / "own_models.py"
    path.write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield path
    for name in ("own_package.own_models", "own_package"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("own_models")
def test_a_factory_is_called_without_arguments():
    module = call_factory("own_package.own_models:model")
    assert isinstance(module, nn.Linear)
    assert module.in_features == 4


def test_a_factorys_digest_is_that_of_its_source_file(own_models):
    assert factory_digest("own_package.own_models:model") == hashlib.sha256(own_models.read_bytes()).hexdigest()


@pytest.mark.usefixtures("own_models")
@pytest.mark.parametrize(
    ("factory", "match"),
    [
        ("own_package.absent:model", "the importable module own_package.absent, got No module named .*PYTHONPATH"),
        ("own_package.own_models:absent", "got no function 'absent' in own_package.own_models; correct the name"),
        ("own_package.own_models:NUMBER", "got no function 'NUMBER' in own_package.own_models"),
        ("own_package.own_models:needs_an_argument", "got TypeError: .*width.*; run it alone in Python first"),
        ("own_package.own_models:fails", "got ValueError: no weights here; run it alone in Python first"),
        ("own_package.own_models:leaves", "got SystemExit: 0; run it alone in Python first"),
        ("own_package.own_models:number", r"a torch.nn.Module from .*number\(\), got int; return a torch.nn.Module"),
    ],
)
def test_what_is_no_factory_is_refused(factory, match):
    with pytest.raises(ModelError, match=match):
        call_factory(factory)


@pytest.mark.parametrize(
    ("source", "got"),
    [
        ("def (:", "SyntaxError: invalid syntax"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(0)", "SystemExit: 0"),
    ],
)
def test_a_module_that_fails_on_import_is_refused(own_models, source, got):
    own_models.write_text(source)
    with pytest.raises(ModelError, match=rf"module own_package.own_models, got {got}.*; import it alone in Python"):
        call_factory("own_package.own_models:model")


def test_a_module_without_a_source_file_has_no_digest():
    with pytest.raises(ModelError, match=r"a source file of sys, got none; put the factory into a .py file"):
        factory_digest("sys:intern")
