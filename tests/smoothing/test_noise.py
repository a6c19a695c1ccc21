"""Oracles: a published vector, Philox4x64-10 in Python integers, Random123's answers, scipy's and torch's quantiles."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch

from robustcert.errors import InputError
from robustcert.smoothing import noise
from robustcert.smoothing.noise import (
    QUANTILES,
    Stream,
    derive_seed,
    integer_noise,
    key0,
    rows_of_noise,
    standard_noise,
    standard_normals,
)
from robustcert.smoothing.noise_kinds import NoiseName
from tests.smoothing.philox_in_python import KNOWN_ANSWERS, MASK, philox_in_python

KEY0 = 0x0123456789ABCDEF
KINDS: list[NoiseName] = ["gaussian", "uniform", "laplace"]


def test_noise_equals_the_published_vector() -> None:
    """key0 = 0x0123456789abcdef, sample 7, stream 2, draw 3, six coordinates, sigma = .5 on a grid of 1/4080."""
    found = integer_noise(
        KEY0, sample_id=7, stream=Stream.ESTIMATION, first_draw=3, draws=1, sigma_steps=np.full(6, 0.5 * 4080)
    )
    assert found.tolist() == [[497, -1882, -1257, -1190, -2578, 3815]]
    assert found.dtype == np.int64


@pytest.mark.parametrize("coordinates", [1, 3, 4, 5, 64])
@pytest.mark.parametrize("stream", list(Stream))
def test_words_are_those_of_philox_in_python_integers(coordinates: int, stream: Stream) -> None:
    blocks = -(-coordinates // 4)
    for draw in (0, 1, 1000, 2**40):
        words = [w for i in range(blocks) for w in philox_in_python((draw * blocks + i + 1, 0, 0, stream), (KEY0, 11))]
        uniforms = [((word >> 11) - 2**52 + 0.5) / 2**53 for word in words[:coordinates]]
        found = standard_noise(
            "uniform", KEY0, sample_id=11, stream=stream, first_draw=draw, draws=1, coordinates=coordinates
        )
        assert found[0].tolist() == [uniform * (2 * math.sqrt(3)) for uniform in uniforms]
        normals = standard_normals(KEY0, sample_id=11, stream=stream, first_draw=draw, draws=1, coordinates=coordinates)
        assert normals[0] == pytest.approx(scipy.special.ndtri(np.array(uniforms) + 0.5), rel=1e-13, abs=1e-15)


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_philox_in_python_integers_and_numpys_give_the_published_known_answers(
    counter: tuple[int, ...], key: tuple[int, int], answer: tuple[int, ...]
) -> None:
    """numpy's counts up before it gives a block, so it is set one below; all the bits carry into each other."""
    assert philox_in_python(counter, key) == answer
    below = sum(word << 64 * place for place, word in enumerate(counter)) - 1
    words = [(below >> 64 * place) & MASK for place in range(4)]
    generator = np.random.Philox(key=np.array(key, dtype=np.uint64), counter=np.array(words, dtype=np.uint64))
    assert tuple(generator.random_raw(4).tolist()) == answer


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("coordinates", [1, 5, 30, 3000])
def test_rows_of_many_samples_are_those_of_each_sample_alone(kind: NoiseName, coordinates: int) -> None:
    """Runs of draws, jumps forward and back, a sample that comes again, single rows, and more than one piece."""
    rows = [(3, draw) for draw in range(40)] + [(3, 7), (2**40, 0), (4, 39), (4, 40), (5, 41), (3, 2**30)]
    ids, draws = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    steps = np.linspace(1, 900, coordinates)
    found = rows_of_noise(KEY0, sample_ids_R=ids, draws_R=draws, stream=Stream.PILOT, sigma_steps=steps, kind=kind)
    for row, (sample, draw) in zip(found, rows, strict=True):
        alone = integer_noise(
            KEY0, sample_id=sample, stream=Stream.PILOT, first_draw=draw, draws=1, sigma_steps=steps, kind=kind
        )
        assert row.tolist() == alone[0].tolist()
    none = np.empty(0, dtype=np.int64)
    empty = rows_of_noise(KEY0, sample_ids_R=none, draws_R=none, stream=Stream.PILOT, sigma_steps=steps)
    assert empty.shape == (0, coordinates)


@pytest.mark.parametrize("coordinates", [1, 6, 64])
def test_any_cut_of_the_draws_gives_the_same_noise(coordinates: int) -> None:
    steps = np.linspace(1, 900, coordinates)

    def draw(first: int, draws: int) -> Any:
        return integer_noise(
            KEY0, sample_id=3, stream=Stream.PILOT, first_draw=first, draws=draws, sigma_steps=steps
        ).tolist()

    assert draw(0, 300) == draw(0, 256) + draw(256, 44) == draw(0, 1) + draw(1, 7) + draw(8, 292)


def test_streams_samples_and_keys_share_no_draw() -> None:
    """All of 4 streams x 3 samples x 2 keys; 53-bit values repeat by chance with probability under 1e-7."""
    values = [
        standard_normals(key, sample_id=sample, stream=stream, first_draw=0, draws=500, coordinates=4).ravel()
        for key in (KEY0, KEY0 + 1)
        for sample in (0, 1, 2**40)
        for stream in Stream
    ]
    assert len(np.unique(np.concatenate(values))) == 24 * 2000


def test_streams_are_distinct_counters() -> None:
    assert [stream.value for stream in Stream] == [0, 1, 2, 3]
    assert Stream.SELECTION is not Stream.ESTIMATION


def test_scipys_and_torchs_quantiles_give_the_same_integers() -> None:
    """2 million draws, sigma from 1 to 4,000 steps: one step of difference would need a tie to within 1e-12."""
    steps = np.geomspace(1, 4000, 1000)
    ours = integer_noise(KEY0, sample_id=1, stream=Stream.PILOT, first_draw=0, draws=2000, sigma_steps=steps)
    words = np.random.Philox(key=[KEY0, 1], counter=[0, 0, 0, 1]).random_raw(2_000_000).reshape(2000, 1000)
    uniforms = ((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    assert np.array_equal(ours, np.rint(scipy.special.ndtri(uniforms) * steps))
    assert np.array_equal(ours, np.rint(torch.special.ndtri(torch.from_numpy(uniforms)).numpy() * steps))


@pytest.mark.parametrize(
    ("kind", "distribution"),
    [
        ("gaussian", scipy.stats.norm),
        ("uniform", scipy.stats.uniform(-math.sqrt(3), 2 * math.sqrt(3))),
        ("laplace", scipy.stats.laplace(scale=math.sqrt(0.5))),
    ],
)
def test_noise_has_its_distribution_and_the_declared_deviation(kind: NoiseName, distribution: Any) -> None:
    """Kolmogorov and Smirnov's test of 200,000 draws at 1e-6; deviations within 7 standard errors of 20,000 draws."""
    steps = np.array([0.0, 10.0, 500.0, 2000.0, 0.0])
    found = integer_noise(
        KEY0, sample_id=9, stream=Stream.SELECTION, first_draw=0, draws=20_000, sigma_steps=steps, kind=kind
    )
    expected = np.sqrt(steps**2 + (steps > 0) / 12)
    assert np.all(np.abs(found.std(axis=0) - expected) <= 7 * expected / np.sqrt(2 * 20_000))
    assert np.all(np.abs(found.mean(axis=0)) <= 5 * expected / np.sqrt(20_000))
    assert not found[:, [0, 4]].any()
    z = standard_noise(kind, KEY0, sample_id=9, stream=Stream.SELECTION, first_draw=0, draws=40_000, coordinates=5)
    assert scipy.stats.kstest(z.ravel(), distribution.cdf).pvalue > 1e-6


@pytest.mark.parametrize(
    ("kind", "vector"),
    [
        ("gaussian", [497, -1882, -1257, -1190, -2578, 3815]),
        ("uniform", [680, -2275, -1633, -1556, -2804, 3316]),
        ("laplace", [308, -1489, -895, -837, -2276, 4024]),
    ],
)
def test_each_kind_has_its_vector(kind: NoiseName, vector: list[int]) -> None:
    """The words of the published vector; uniform and Laplace from their quantiles at 50 digits."""
    words = [w for block in (7, 8) for w in philox_in_python((block, 0, 0, 2), (KEY0, 7))][:6]
    found = integer_noise(
        KEY0, sample_id=7, stream=Stream.ESTIMATION, first_draw=3, draws=1, sigma_steps=np.full(6, 2040.0), kind=kind
    )
    assert found.tolist() == [vector] == [[_exact_steps(word, kind) for word in words]]


@pytest.mark.parametrize(
    ("kind", "largest"),
    [("gaussian", 8.29236), ("uniform", math.sqrt(3)), ("laplace", 53 * math.log(2) / math.sqrt(2))],
)
def test_extreme_words_give_the_largest_noise_there_is(
    monkeypatch: pytest.MonkeyPatch, kind: NoiseName, largest: float
) -> None:
    """v = 2^-54 and 1 - 2^-54; the second is no float64, and rounded it would be 1 and its noise infinite."""
    for word, z in ((0, -largest), (MASK, largest), (1 << 63, 0.0), ((1 << 63) - 1, 0.0)):
        words = np.full(4, word, dtype=np.uint64)
        monkeypatch.setattr(noise, "_words", lambda *_, words=words, **__: words.copy())
        found = standard_noise(kind, 0, sample_id=0, stream=Stream.PILOT, first_draw=0, draws=1, coordinates=2)
        assert found == pytest.approx(np.full((1, 2), z), abs=1e-5)
        assert (found != 0).all()


@pytest.mark.parametrize("steps", [-1.0, math.nan, math.inf, 2.0**47])
def test_deviations_whose_noise_is_no_exact_integer_are_refused(steps: float) -> None:
    with pytest.raises(InputError, match=r"expected deviations of 0 \.\.\. 2\^46 grid steps"):
        integer_noise(0, sample_id=0, stream=Stream.PILOT, first_draw=0, draws=1, sigma_steps=np.array([1.0, steps]))
    one = np.zeros(1, dtype=np.int64)
    with pytest.raises(InputError, match=r"expected deviations of 0 \.\.\. 2\^46 grid steps"):
        rows_of_noise(0, sample_ids_R=one, draws_R=one, stream=Stream.PILOT, sigma_steps=np.array([1.0, steps]))


def test_other_kinds_of_noise_are_refused() -> None:
    with pytest.raises(InputError, match="expected noise of kind gaussian, uniform, laplace, got 'cauchy'"):
        standard_noise("cauchy", 0, sample_id=0, stream=Stream.PILOT, first_draw=0, draws=1, coordinates=1)
    assert list(QUANTILES) == KINDS


def test_draws_that_would_run_into_another_stream_are_refused() -> None:
    with pytest.raises(InputError, match="one stream would run into the next"):
        standard_normals(0, sample_id=0, stream=Stream.PILOT, first_draw=2**63, draws=1, coordinates=8)
    with pytest.raises(InputError, match="one stream would run into the next"):
        standard_normals(0, sample_id=0, stream=Stream.PILOT, first_draw=-1, draws=1, coordinates=8)
    last = np.array([2**62, 2**62 + 1])
    with pytest.raises(InputError, match="one stream would run into the next"):
        rows_of_noise(0, sample_ids_R=0 * last, draws_R=last, stream=Stream.PILOT, sigma_steps=np.ones(13))


@pytest.mark.parametrize(("key", "sample"), [(-1, 0), (2**64, 0), (0, -1)])
def test_keys_and_ids_that_are_no_64_bit_words_are_refused(key: int, sample: int) -> None:
    with pytest.raises(InputError, match=r"expected key and sample id in 0 \.\.\. 2\^64 - 1"):
        standard_normals(key, sample_id=sample, stream=Stream.PILOT, first_draw=0, draws=1, coordinates=1)


def test_seed_is_the_digest_of_what_is_certified() -> None:
    model, data, configuration = "a" * 64, "b" * 64, "c" * 64
    text = b"rcert-v1\0" + b"a" * 64 + b"\0" + b"b" * 64 + b"\0" + b"c" * 64
    assert derive_seed(model, data, configuration) == hashlib.sha256(text).digest()
    assert key0(hashlib.sha256(text).digest()) == int(np.frombuffer(hashlib.sha256(text).digest()[:8], dtype="<u8")[0])
    assert (
        len({derive_seed(*digests) for digests in ((model, data, model), (model, model, data), (data, model, model))})
        == 3
    )


@pytest.mark.parametrize("digest", ["", "A" * 64, "a" * 63, "a" * 63 + "\0"])
def test_seed_refuses_what_is_no_digest(digest: str) -> None:
    with pytest.raises(InputError, match="expected a lower-case hexadecimal SHA-256"):
        derive_seed("a" * 64, digest, "b" * 64)


def _exact_steps(word: int, kind: str) -> int:
    with mpmath.workdps(50):
        v = (mpmath.mpf(word >> 11) + mpmath.mpf(1) / 2) / mpmath.mpf(2) ** 53
        centred = 2 * v - 1
        if kind == "gaussian":
            z = mpmath.sqrt(2) * mpmath.erfinv(centred)
        elif kind == "uniform":
            z = centred * mpmath.sqrt(3)
        else:
            z = -mpmath.sign(centred) * mpmath.log(1 - abs(centred)) / mpmath.sqrt(2)
        return int(mpmath.nint(z * 2040))
