"""Information about positions: exact values, and no more than chance where there is none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sulan.neurons.information import THRESHOLD, bias, entropy, information


def indicator(share: float, positions: int = 64, windows: int = 7) -> np.ndarray:
    marked = np.zeros((positions, 1), dtype=np.int32)
    marked[: int(share * positions)] = windows
    return marked


@pytest.mark.parametrize(("share", "nats"), [(1 / 2, 0.6931), (1 / 4, 0.5623), (1 / 64, 0.0805)])
def test_an_indicator_has_the_entropy_of_its_share(share, nats):
    # A public script that cites the paper leaves out frequencies of exactly 0 and 1, and finds 0 for all of these.
    assert information(indicator(share), 7)[0] == pytest.approx(nats, abs=5e-5)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 30), st.integers(2, 40), st.integers(0, 2**32 - 1))
def test_bounds_and_the_papers_own_formula(windows, positions, seed):
    counts = np.random.default_rng(seed).integers(0, windows + 1, (positions, 5))
    found = information(counts, windows)
    assert (found >= 0).all()
    assert (found <= min(np.log(2), np.log(positions)) + 1e-12).all()
    share = counts / windows
    whole = share.mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.nan_to_num(share * np.log(share / whole)) + np.nan_to_num(
            (1 - share) * np.log((1 - share) / (1 - whole))
        )
    assert found == pytest.approx(terms.mean(axis=0), abs=1e-12)
    flat = np.broadcast_to(counts[:1], counts.shape)
    assert information(flat, windows) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("windows", [5, 10, 100])
@pytest.mark.parametrize("frequency", [0.02, 0.3, 0.9])
def test_independent_neurons_have_none_once_the_bias_is_off(windows, frequency):
    positions, neurons = 512, 300
    drawn = np.random.default_rng(windows).binomial(windows, frequency, (positions, neurons))
    plug_in = information(drawn, windows)
    corrected = plug_in - bias(drawn, windows)
    error = corrected.std() / neurons**0.5
    assert abs(corrected.mean()) <= 3 * error
    assert (corrected < THRESHOLD).all()
    if windows <= 5 and frequency == 0.3:
        assert (plug_in > THRESHOLD).all()  # without the correction every one of them would be positional


def test_the_bias_is_near_its_rule_of_thumb():
    counts = np.full((2048, 1), 50)
    assert bias(counts, 100)[0] == pytest.approx(1 / 200, rel=0.02)


def test_entropy_of_extremes_is_zero():
    assert entropy(np.array([0.0, 1.0])).tolist() == [0.0, 0.0]
