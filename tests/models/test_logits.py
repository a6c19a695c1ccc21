"""What is asked of every model on a few rows, each fault planted once."""

import pytest
import torch
from torch import nn

from robustcert.errors import ModelError
from robustcert.models.card import ModelCard, identity_preprocessing
from robustcert.models.logits import check_logits
from robustcert.models.model import classifier_of, frozen

CARD = ModelCard(factory="a:b", input_shape=(4,), classes=("a", "b", "c"), preprocessing=identity_preprocessing((4,)))
LINEAR = nn.Linear(4, 3)


class Answer(nn.Module):
    """A module that is the given function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x_BD):
        return self.function(x_BD)


def _check(body):
    probe_BD = torch.rand(6, 4, generator=torch.Generator().manual_seed(0))
    check_logits(frozen(classifier_of(body, CARD)), probe_BD, n_classes=3)


@pytest.mark.parametrize(
    "body",
    [
        LINEAR,
        nn.Sequential(LINEAR, nn.Dropout(0.5), nn.BatchNorm1d(3)),
        nn.Sequential(LINEAR, nn.LogSoftmax(dim=1)),
        Answer(lambda x: 1e6 * LINEAR(x)),
    ],
)
def test_logits_of_an_honest_model_pass(body):
    _check(body)


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (lambda x: x, r"expected logits \(batch, classes\), got \(6, 4\), not \(6, 3\); give one logit per class"),
        (lambda x: LINEAR(x)[0], r"got \(3,\), not \(6, 3\)"),
        (lambda x: LINEAR(x).sum(), r"got \(\), not \(6, 3\)"),
        (lambda x: LINEAR(x) / 0, "expected finite logits, got NaN or infinity; check weights and preprocessing"),
        (lambda x: LINEAR(x).softmax(1), "expected logits, got rows that sum to 1.*remove the last softmax"),
        (lambda x: LINEAR(x) + torch.rand(3), "the same logits each time, got two answers to the same rows"),
        (lambda x: LINEAR(x - x.mean(0)), "logits that depend on one row only, got a row whose logits change"),
        (lambda x: LINEAR(x.flip(0)), "logits that depend on one row only, got a row whose logits change"),
        (lambda x: LINEAR(x) if len(x) > 1 else LINEAR(x)[0], "logits that depend on one row only"),
        (lambda x: [LINEAR(x)], "expected one tensor of logits, got list; return the logits alone"),
        (lambda x: x @ LINEAR.weight, r"a model for inputs \(6, 4\), got RuntimeError: .*; let it take raw float32"),
    ],
)
def test_a_model_that_cannot_be_certified_is_refused(function, match):
    with pytest.raises(ModelError, match=match):
        _check(Answer(function))


def test_a_model_error_from_inside_the_model_is_passed_on():
    def refuse(_):
        raise ModelError("the model's own words")

    with pytest.raises(ModelError, match=r"^the model's own words$"):
        _check(Answer(refuse))


def test_batch_normalisation_by_the_batch_itself_is_refused():
    by_batch = nn.BatchNorm2d(1, track_running_stats=False)
    body = nn.Sequential(nn.Unflatten(1, (1, 2, 2)), by_batch, nn.Flatten(), LINEAR)
    with pytest.raises(ModelError, match="use no statistics of the batch in eval mode"):
        _check(body)
