"""Oracles: a published vector, Philox4x64-10 written out in Python integers, torch's quantile function, scipy.stats."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch

from robustcert.errors import InputError
from robustcert.smoothing import noise
from robustcert.smoothing.noise import Stream, derive_seed, integer_noise, key0, standard_normals

KEY0 = 0x0123456789ABCDEF
MASK = (1 << 64) - 1


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
        words = [w for i in range(blocks) for w in _philox((draw * blocks + i + 1, 0, 0, stream), (KEY0, 11))]
        uniforms = [((word >> 11) + 0.5) / 2**53 for word in words[:coordinates]]
        found = standard_normals(KEY0, sample_id=11, stream=stream, first_draw=draw, draws=1, coordinates=coordinates)
        assert found[0].tolist() == scipy.special.ndtri(uniforms).tolist()


def test_philox_in_python_integers_gives_the_published_known_answers() -> None:
    """Random123's known answers for philox4x64-10: all zeros, all ones."""
    assert _philox((0, 0, 0, 0), (0, 0))[0] == 0x16554D9ECA36314C
    assert _philox((MASK,) * 4, (MASK,) * 2)[0] == 0x87B092C3013FE90B


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


def test_torch_and_scipy_quantiles_give_the_same_integers() -> None:
    """2 million draws, sigma from 1 to 4,000 steps: one step of difference would need a tie to within 1e-12."""
    z = standard_normals(KEY0, sample_id=1, stream=Stream.PILOT, first_draw=0, draws=2000, coordinates=1000)
    words = np.random.Philox(key=[KEY0, 1], counter=[0, 0, 0, 1]).random_raw(2_000_000).reshape(2000, 1000)
    uniforms = torch.from_numpy(((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53)
    steps = np.geomspace(1, 4000, 1000)
    assert np.array_equal(np.rint(z * steps), np.rint(torch.special.ndtri(uniforms).numpy() * steps))


def test_noise_is_normal_with_the_declared_deviation_in_every_coordinate() -> None:
    """Kolmogorov and Smirnov's test of 200,000 draws at 1e-6; deviations within 5 standard errors of 20,000 draws."""
    steps = np.array([0.0, 10.0, 500.0, 2000.0, 0.0])
    found = integer_noise(KEY0, sample_id=9, stream=Stream.SELECTION, first_draw=0, draws=20_000, sigma_steps=steps)
    expected = np.sqrt(steps**2 + (steps > 0) / 12)
    assert np.all(np.abs(found.std(axis=0) - expected) <= 5 * expected / np.sqrt(2 * 20_000))
    assert np.all(np.abs(found.mean(axis=0)) <= 5 * expected / np.sqrt(20_000))
    assert not found[:, [0, 4]].any()
    z = standard_normals(KEY0, sample_id=9, stream=Stream.SELECTION, first_draw=0, draws=40_000, coordinates=5)
    assert scipy.stats.kstest(z.ravel(), "norm").pvalue > 1e-6


@pytest.mark.parametrize(("word", "z"), [(0, -8.2924), (MASK, 8.2095), (MASK - 2048, 8.1259), (1 << 63, 0.0)])
def test_extreme_words_give_finite_noise(monkeypatch: pytest.MonkeyPatch, word: int, z: float) -> None:
    """2^53 - 1/2 is no float64 and would round to a uniform of 1, infinite noise; Phi^-1(1 - 2^-53) is 8.2095."""
    monkeypatch.setattr(noise, "_words", lambda *_, blocks, **__: np.full(blocks * 4, word, dtype=np.uint64))
    found = standard_normals(0, sample_id=0, stream=Stream.PILOT, first_draw=0, draws=1, coordinates=2)
    assert found == pytest.approx(np.full((1, 2), z), abs=1e-4)


def test_draws_that_would_run_into_another_stream_are_refused() -> None:
    with pytest.raises(InputError, match="one stream would run into the next"):
        standard_normals(0, sample_id=0, stream=Stream.PILOT, first_draw=2**63, draws=1, coordinates=8)
    with pytest.raises(InputError, match="one stream would run into the next"):
        standard_normals(0, sample_id=0, stream=Stream.PILOT, first_draw=-1, draws=1, coordinates=8)


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


def _philox(counter: tuple[int, ...], key: tuple[int, int]) -> list[int]:
    """Philox4x64-10 as in Salmon et al. 2011, table 2 and figure 4."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        high0, low0 = divmod(0xD2E7470EE14C6C93 * c0, 1 << 64)
        high1, low1 = divmod(0xCA5A826395121157 * c2, 1 << 64)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) & MASK, (k1 + 0xBB67AE8584CAA73B) & MASK
    return [c0, c1, c2, c3]
