"""The traps of smoothing that an engine can fall into, each planted: the assertion that catches it must say so.

Numbers are those of the list that the engine was built from: 1 selection votes reused, 4 pilot votes reused, 6 noise in
floating point, 7 noise after normalisation, 8 clipping, 9 training mode, 10 rows that see each other, 11 sigma chosen
per sample, 12 samples that choices were made on, 13 the base classifier served in place of the smoothed one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from robustcert.data.dataset import Dataset
from robustcert.errors import DataError, InputError, ModelError, ValidityError
from robustcert.smoothing.certify import certify, grid_noise
from robustcert.smoothing.decisions import ADAPTIVE_PILOT, Counts, finished_row
from robustcert.smoothing.noise import Stream, integer_noise
from robustcert.smoothing.noisy_inputs import NoisyInputs
from robustcert.smoothing.predict import PredictSettings, predict
from robustcert.smoothing.sample_runs import SampleFacts, new_run
from robustcert.smoothing.tallies import Piece
from robustcert.specification import Certification

MakeDataset = Callable[..., Dataset]
MakeCertification = Callable[..., Certification]
KEY0 = 0x0123456789ABCDEF
FACTS = SampleFacts(sample=3, input_sha256="0" * 64, label=0)


def row(certification: Certification, selection: Sequence[int], estimation: Sequence[int]) -> Any:
    selected, estimated = (Counts(counts=tuple(votes), draws=sum(votes)) for votes in (selection, estimation))
    return finished_row(
        sample=3, input_sha256="0" * 64, label=0, selection=selected, estimation=estimated,
        certification=certification, n_classes=2,
    )  # fmt: skip


def test_trap_1_votes_that_selected_do_not_bound(make_certification: MakeCertification) -> None:
    """Each stream is drawn from its own draw 0, is told once, and counts in its own tally only."""
    certification = make_certification(n0=100, n=1000)
    run = new_run(FACTS, certification=certification, n_classes=2)
    selecting = run.wanted()
    assert selecting is not None
    run.tell(selecting, [100, 0], 0)
    assert run.estimation.draws == 0
    assert run.wanted() == Piece(stream=Stream.ESTIMATION, first=0, draws=1000)
    for reused in (selecting, Piece(stream=Stream.ESTIMATION, first=100, draws=900)):
        with pytest.raises(ValidityError, match="draw each once, in the order wanted"):
            run.tell(reused, [reused.draws, 0], 0)
    for counts in ([900, 0], [1100, 0]):
        with pytest.raises(ValidityError, match="expected 1000 votes, got"):
            row(certification, [100, 0], counts)
    with pytest.raises(ValidityError, match="expected 100 votes that select the candidate, got 0"):
        row(certification, [0, 0], [1000, 0])


def test_trap_1_streams_share_no_noise(make_certification: MakeCertification) -> None:
    """Of 1000 draws of each stream in 4 coordinates, none equals one of another."""
    steps = np.full(4, 2048.0)
    drawn = [
        integer_noise(KEY0, sample_id=7, stream=stream, first_draw=0, draws=1000, sigma_steps=steps)
        for stream in Stream
    ]
    assert len({tuple(draw) for noise in drawn for draw in noise.tolist()}) == 1000 * len(Stream)


def test_trap_4_votes_of_the_pilot_do_not_bound(make_certification: MakeCertification) -> None:
    """After a pilot of 100 the main sample starts from its draw 0, at the planned size, which no look can extend."""
    certification = make_certification(n=1000, method=ADAPTIVE_PILOT)
    run = new_run(FACTS, certification=certification, n_classes=2)
    pilot = run.wanted()
    assert pilot == Piece(stream=Stream.PILOT, first=0, draws=100)
    run.tell(pilot, [90, 10], 0)
    main = run.wanted()
    assert main is not None
    assert (main.stream, main.first, run.estimation.draws) == (Stream.ESTIMATION, 0, 0)
    run.tell(main, [main.draws, 0], 0)
    for more in (Piece(stream=Stream.ESTIMATION, first=main.draws, draws=32), pilot):
        with pytest.raises(ValidityError, match="expected votes of None"):
            run.tell(more, [more.draws, 0], 0)
    for draws in (main.draws - 1, main.draws + 100):
        with pytest.raises(ValidityError, match=f"expected {main.draws} votes, as the pilot planned"):
            row(certification, [90, 10], [draws, 0])


class ReadsBits(nn.Module):
    """Knows x0 and says class 0 where its input can be x0 + noise in float32, else class 1."""

    def __init__(self, origin: Tensor) -> None:
        super().__init__()
        self.origin = origin
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        can = ((x - self.origin) + self.origin == x).all(dim=1).float()
        return torch.stack([can, 1 - can], dim=1)


def test_trap_6_the_float_attack_certifies_nothing_false(
    make_dataset: MakeDataset, make_certification: MakeCertification
) -> None:
    """T7: naive float32 smoothing certifies x0 beyond a neighbour that it answers otherwise; on the grid nobody does.

    Naive: Algorithm 1 of Cohen et al. with float32 noise and 5000 votes at each of the two points.
    """
    from robustcert.smoothing.confidence import certified_radius

    sigma, n, dimension = 0.25, 5000, 128
    start = np.rint(np.full(dimension, 0.1) * 4096) / 4096
    origin = torch.from_numpy((start + 1e-4).astype(np.float32))
    module, away = ReadsBits(origin), 181 / 4096
    generator = torch.Generator().manual_seed(0)
    noise = sigma * torch.randn(n, dimension, generator=generator)
    ours = int((module(origin + noise).argmax(1) == 0).sum())
    theirs = int((module(origin + np.float32(away) + noise).argmax(1) == 0).sum())
    naive = certified_radius(ours, n, alpha=0.001, sigma=sigma)
    assert naive is not None
    assert float(naive) > 0.5 > away * np.sqrt(dimension) > 0.49, "x0 is certified as class 0 beyond the neighbour"
    assert theirs < n / 4, "where, at that distance, the answer is class 1: a false certificate"
    points = [start, start + away]
    rows = certify(
        SimpleNamespace(module=module), make_dataset(points, [0, 0]),
        certification=make_certification(sigma=sigma, n=n), key0=KEY0,
    )  # fmt: skip
    distance = float(np.linalg.norm(points[1] - np.rint(start * 4096) / 4096))
    claims = [(one["decision"] == "certified" and float(one["radius"]) > distance, one["candidate"]) for one in rows]
    assert any(claim for claim, _ in claims)
    assert claims[0][1] == claims[1][1]


def test_trap_6_samples_and_noise_lie_on_the_grid_exactly(
    make_dataset: MakeDataset, make_certification: MakeCertification
) -> None:
    seen: list[Tensor] = []

    class Sees(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(x.clone())
            return torch.stack([x[:, 0], -x[:, 0]], dim=1)

    wanted = make_certification(n=300)
    certify(SimpleNamespace(module=Sees().eval()), make_dataset([[0.3, 5.0]], [0]), certification=wanted, key0=1)
    steps = torch.cat(seen).double() * 4096
    assert torch.equal(steps, steps.round())
    with pytest.raises(InputError, match="pass x_int, not x"):
        NoisyInputs(np.array([[0.3, 5.0]]), grid_noise(make_dataset([[0.3, 5.0]], [0]), wanted, key0=1))


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        (lambda x: (x - 0.5) / 0.5, "enter before normalisation"),
        (lambda x: x.clip(0, 1), "not be clipped"),
        (lambda x: x + 0.5 * (x - np.float32(0.3)), "noise must be of the declared unit"),
    ],
    ids=["trap 7: normalised first", "trap 8: clipped", "trap 7: noise of another sigma"],
)
def test_traps_7_and_8_what_enters_the_model_is_the_sample_and_the_declared_noise(
    make_dataset: MakeDataset,
    make_certification: MakeCertification,
    make_linear: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Any], Any],
    remedy: str,
) -> None:
    write = NoisyInputs.write

    def changed(self: NoisyInputs, out_BD: Any, copies: Any) -> int:
        rows = write(self, out_BD, copies)
        out_BD[:] = change(out_BD)
        return rows

    monkeypatch.setattr(NoisyInputs, "write", changed)
    with pytest.raises(ValidityError, match=remedy):
        certify(make_linear([1.0, 0.0]), make_dataset([[0.3, 0.3]], [1]), certification=make_certification(), key0=1)


@pytest.mark.parametrize(
    ("part", "match"),
    [
        (nn.Dropout(0.5).train(), "got 1 in training mode"),
        (nn.BatchNorm1d(2).train(), "got 1 in training mode"),
        (nn.BatchNorm1d(2, track_running_stats=False).eval(), "expected logits of a row alone"),
    ],
    ids=["trap 9: dropout", "trap 9: batch norm", "trap 10: statistics of the batch"],
)
def test_traps_9_and_10_the_base_classifier_is_a_function_of_its_row(
    make_dataset: MakeDataset, make_certification: MakeCertification, part: nn.Module, match: str
) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(2, 2).eval(), part)
    module.training = False
    with pytest.raises(ModelError, match=match):
        certify(
            SimpleNamespace(module=module), make_dataset([[0.3, 0.3]], [1]),
            certification=make_certification(), key0=1,
        )  # fmt: skip


def test_trap_9_a_module_that_turns_to_training_is_refused_by_every_counter(
    make_dataset: MakeDataset, make_certification: MakeCertification, make_linear: Callable[..., Any]
) -> None:
    dataset, model = make_dataset([[0.3]], [1]), make_linear([1.0])
    noise = grid_noise(dataset, make_certification(), key0=1)
    model.module.train()
    with pytest.raises(ModelError, match="expected a model in eval mode"):
        predict(
            model.module, dataset.x_int[0], noise=noise, settings=PredictSettings(sigma=0.5, alpha=0.001), n_classes=2
        )


def test_trap_11_all_samples_have_the_one_sigma_that_was_registered(
    make_dataset: MakeDataset, make_certification: MakeCertification
) -> None:
    """The same key and draws at two samples far apart: their inputs differ by the samples alone, for every draw."""
    dataset = make_dataset([[-30.0, 2.0], [30.0, 4.0]], [0, 1])
    noise = grid_noise(dataset, make_certification(sigma=0.5), key0=1)
    assert noise.sigma_steps.shape == dataset.card.shape
    out = np.zeros((2, 256, 2), dtype=np.float32)
    from robustcert.smoothing.noisy_inputs import Copies

    for place in range(2):
        copies = [Copies(place=place, sample_id=7, stream=Stream.ESTIMATION, first=0, draws=256)]
        NoisyInputs(dataset.x_int, noise).write(out[place], copies)
    assert np.array_equal(out[1].astype(float) - out[0], np.tile([60.0, 2.0], (256, 1)))


@pytest.mark.parametrize(("code", "split"), [(0, "train"), (1, "validation")])
def test_trap_12_samples_that_choices_were_made_on_are_refused(
    make_dataset: MakeDataset,
    make_certification: MakeCertification,
    make_linear: Callable[..., Any],
    code: int,
    split: str,
) -> None:
    dataset = make_dataset([[0.3], [0.4]], [1, 1], split=np.array([2, code], dtype=np.int8))
    with pytest.raises(DataError, match=f"got sample 101 of split {split}; select"):
        certify(make_linear([1.0]), dataset, certification=make_certification(), key0=1)


def test_trap_13_the_answer_is_the_majoritys_not_the_models(
    make_dataset: MakeDataset, make_certification: MakeCertification
) -> None:
    """A spike: the model answers class 1 at the sample itself, and class 0 everywhere around it."""

    class Spike(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            inside = (x.abs() < 0.01).all(dim=1).float()
            return torch.stack([1 - inside, inside], dim=1)

    dataset, module = make_dataset([[0.0, 0.0]], [1]), Spike().eval()
    assert int(module(torch.zeros(1, 2)).argmax()) == 1
    certification = make_certification()
    (found,) = certify(SimpleNamespace(module=module), dataset, certification=certification, key0=1)
    assert (found["candidate"], found["decision"]) == (0, "certified")
    by_label = certification.model_copy(update={"candidate": "label"})
    (claimed,) = certify(SimpleNamespace(module=module), dataset, certification=by_label, key0=1)
    assert (claimed["candidate"], claimed["decision"], claimed["radius"]) == (1, "abstain", "0")
    settings = PredictSettings(sigma=0.5, alpha=0.001)
    noise = grid_noise(dataset, certification, key0=1)
    assert predict(module, dataset.x_int[0], noise=noise, settings=settings, n_classes=2).label == 0
