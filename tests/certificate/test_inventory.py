"""The inventory lists a model with architecture, data, preprocessing and every run that tested it."""

from __future__ import annotations

from robustcert.certificate.inventory import inventory_lines
from robustcert.storage.store import open_store
from tests.chain import Chain


def test_a_model_is_listed_with_what_it_is_and_the_run_that_tested_it(chain: Chain) -> None:
    text = "\n".join(inventory_lines(open_store(str(chain.store))))
    predicate = chain.predicate
    assert f"model {predicate.model.sha256}" in text
    assert "mlp (hidden [32]), input [1, 8, 8], 10 classes, preprocessing mean" in text
    assert predicate.data.merkle_root[:12] in text
    assert predicate.run.id in text


def test_an_unknown_model_is_said_to_be_unknown(chain: Chain) -> None:
    assert list(inventory_lines(open_store(str(chain.store)), model="ffff")) == ["no run of a model ffff in the store"]
