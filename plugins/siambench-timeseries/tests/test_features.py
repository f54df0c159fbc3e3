from __future__ import annotations

import numpy as np
import pytest
import torch
from siambench.errors import ConfigError

from siambench_timeseries.features import RandomKernels, Spectrum

GENERATOR = torch.Generator().manual_seed(1)
SERIES = torch.randn(3, 2, 90, generator=GENERATOR)


@pytest.mark.parametrize(("scale", "function"), [("plain", lambda x: x), ("root", np.sqrt), ("log", np.log1p)])
def test_spectrum_is_numpys(scale, function):
    """Magnitudes of the lowest frequencies of both channels are numpy's, without the mean's, scaled, of unit length together."""
    found = Spectrum((2, 90), bins=11, scale=scale, head="drawn")(SERIES)
    expected = function(np.abs(np.fft.rfft(SERIES.double().numpy(), axis=-1))[..., 1:12]).reshape(3, -1)

    assert np.allclose(found.numpy(), expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-5)


def test_spectrum_says_nothing_of_when():
    """A series that is turned around its end, or lies higher, has the same features; one of zeros has zeros."""
    spectrum = Spectrum((2, 90), bins=45, scale="plain", head="drawn")

    assert torch.allclose(spectrum(SERIES), spectrum(SERIES.roll(17, dims=-1) + 3), atol=1e-5)
    assert torch.equal(spectrum(torch.zeros(1, 2, 90)), torch.zeros(1, 90))


def test_kernels_are_convolutions_by_hand():
    """Each feature is the share of places at which a dilated, padded kernel with its bias is positive, less one half."""
    trunk = RandomKernels((2, 90), kernels=40, seed=3, head="drawn")
    series, expected = SERIES.double().numpy(), []
    for place, (length, dilation, padding) in enumerate(trunk.forms):
        padded = np.pad(series, ((0, 0), (0, 0), (padding, padding)))
        reach = padded.shape[-1] - (length - 1) * dilation
        for weights, bias in zip(trunk.get_buffer(f"weights_{place}").numpy(), trunk.get_buffer(f"biases_{place}").numpy(), strict=True):
            assert np.allclose(weights.sum(axis=-1), 0, atol=1e-5)
            steps = [(padded[..., dilation * j : dilation * j + reach] * weights[:, j, None]).sum(axis=1) for j in range(length)]
            expected.append((sum(steps) + bias > 0).mean(axis=-1) - 0.5)
    found = trunk(SERIES).numpy()

    assert found.shape == (3, 40)
    assert len({length for length, _, _ in trunk.forms}) == 3
    assert len({dilation for _, dilation, _ in trunk.forms}) > 2
    # A response within rounding of 0 may fall on either side: one place of a series, at the most.
    assert np.abs(found - np.stack(expected, axis=1)).max() <= 1 / 28


def test_kernels_are_drawn_by_their_own_seed():
    """One seed gives the same kernels whatever the global generator says, which is not moved; another seed gives others."""
    before = torch.get_rng_state()
    made = [RandomKernels((1, 50), kernels=20, seed=seed, head="drawn")(SERIES[:, :1, :50]) for seed in (4, 4, 5)]

    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: Spectrum((3, 8, 8), bins=4, scale="plain", head="drawn"), "spectrum takes series of shape (C, T), got (3, 8, 8)"),
        (lambda: Spectrum((1, 8), bins=0, scale="plain", head="drawn"), "bins must be a number of frequencies, at least 1, got 0"),
        (lambda: Spectrum((1, 8), bins=True, scale="plain", head="drawn"), "bins must be a number of frequencies, at least 1, got True"),
        (lambda: Spectrum((1, 8), bins=2, scale="dB", head="drawn"), "scale must be one of plain, root, log, got 'dB'"),
        (lambda: Spectrum((1, 1), bins=2, scale="log", head="drawn"), "a series of 1 moments has no frequency"),
        (lambda: Spectrum((1, 8), bins=2, scale="log", head="eye"), "head must be identity or drawn, got 'eye'"),
        (lambda: RandomKernels((1, 6), kernels=2, seed=0, head="drawn"), "random-kernels takes series of at least 7 moments, got 6"),
        (lambda: RandomKernels((1, 60), kernels=0, seed=0, head="drawn"), "kernels must lie in 1 … 100,000, got 0"),
        (lambda: RandomKernels((1, 60), kernels=2, seed=-1, head="drawn"), "seed must be a whole number of at least 0, got -1"),
    ],
)
def test_options_that_do_not_hold(build, sentence):
    """Items that are no series, and options beyond their range, are one sentence each."""
    with pytest.raises(ConfigError) as refused:
        build()
    assert str(refused.value) == sentence
