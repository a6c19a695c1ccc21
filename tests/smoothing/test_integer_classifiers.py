"""Torch modules in the place of integer classifiers: the same classes as the module gives itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from robustcert.errors import ModelError
from robustcert.smoothing.integer_classifiers import torch_classifier
from robustcert.smoothing.splitting_noise import FRAGILE, PARTS, splitting, splitting_votes


def small_net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)).eval()


def test_rows_become_the_inputs_that_they_stand_for() -> None:
    rows = np.random.default_rng(0).integers(0, 50, size=(300, 4))
    classify = torch_classifier(small_net(), step=0.05, lower=-1.0, shape=(1, 2, 2), n_classes=3)
    x = torch.tensor(-1 + rows * 0.05, dtype=torch.float32).reshape(-1, 1, 2, 2)
    with torch.no_grad():
        assert classify(rows).tolist() == small_net()(x).argmax(dim=1).tolist()


def test_votes_of_a_net_don_t_depend_on_how_rows_are_batched() -> None:
    classify = torch_classifier(small_net(), step=1 / (PARTS * 15), shape=(4,), n_classes=3)
    noise = splitting(7, coordinates=4, levels=15, width=300)
    counts, fragile = splitting_votes(classify, np.array([0, 4, 15, 9]), splitting=noise, n_classes=3)
    one_by_one = [
        splitting_votes(
            lambda rows: np.concatenate([classify(row[None]) for row in rows]), x, splitting=noise, n_classes=3
        )
        for x in [np.array([0, 4, 15, 9])]
    ]
    assert one_by_one == [(counts, fragile)]
    assert sum(counts) + fragile == 300


def test_a_vote_too_close_to_call_is_fragile() -> None:
    net = nn.Linear(2, 2)
    nn.init.zeros_(net.weight)
    nn.init.zeros_(net.bias)
    classify = torch_classifier(net.eval(), step=1.0, shape=(2,), n_classes=2)
    assert classify(np.array([[1, 2]])).tolist() == [FRAGILE]


def test_other_logits_than_were_declared_are_refused() -> None:
    classify = torch_classifier(small_net(), step=1.0, shape=(4,), n_classes=5)
    with pytest.raises(ModelError, match=r"expected logits \(256, 5\), got \(256, 3\)"):
        classify(np.zeros((1, 4), dtype=np.int64))


def test_a_module_in_training_mode_is_refused() -> None:
    with pytest.raises(ModelError, match="expected a model in eval mode"):
        torch_classifier(small_net().train(), step=1.0, shape=(4,), n_classes=3)
