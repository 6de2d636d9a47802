"""Power and units needed, against published sample sizes, other algorithms and the tests themselves."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from deidpose.statistics.power import MOST_UNITS, difference_power, equivalence_power, units_needed


def log_deviation(variation: float) -> float:
    """Return the standard deviation on the log scale of a lognormal variable with this coefficient of variation."""
    return math.sqrt(math.log1p(variation**2))


# Labes, Schuetz & Lang, PowerTOST (R package): exact power by Owen's Q, from its README (version 1.5) and the examples
# of exppower.TOST (0.8158453). These designs differ from ours in the standard error and degrees of freedom only.
POWERTOST = {
    "2x2, CV 0.20, n 20": (0.95, 0.20, math.sqrt(2 / 20), 1.25, 18, 0.834680),
    "2x2, CV 0.30, n 40": (0.95, 0.30, math.sqrt(2 / 40), 1.25, 38, 0.8158453),
    "2x2, CV 0.125, limits 0.90, n 32": (0.975, 0.125, math.sqrt(2 / 32), 1 / 0.90, 30, 0.800218),
    "2x2x4, CV 0.40, limits 0.75, n 30": (0.90, 0.40, math.sqrt(1 / 30), 1 / 0.75, 86, 0.822929),
    "parallel, CV 0.35, n 52 and 49": (0.95, 0.35, math.sqrt(1 / 52 + 1 / 49), 1.25, 99, 0.8011186),
}


@pytest.mark.parametrize("design", POWERTOST)
def test_power_of_equivalence_is_that_of_powertost(design: str) -> None:
    ratio, variation, factor, limit, freedom, expected = POWERTOST[design]
    power = equivalence_power(math.log(ratio), log_deviation(variation) * factor, math.log(limit), freedom, 0.05)
    assert power[0] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("true_difference", "n"), [(0.0, 87.26261), (0.2, 190.988)])
def test_power_of_equivalence_is_that_of_toster(true_difference: float, n: float) -> None:
    # Lakens, Improving Your Statistical Inferences, chapter 9: power_t_TOST for two samples of n each, standard
    # deviation 1, bounds of 0.5, power 0.9.
    power = equivalence_power(true_difference, math.sqrt(2 / n), 0.5, 2 * n - 2, 0.05)
    assert power[0] == pytest.approx(0.9, abs=1e-6)


def test_power_of_difference_is_that_of_g_power_and_pwr() -> None:
    # Wuensch, G*Power: t Tests, one sample: d = 5 / 15, n = 25, two tails: power 0.360.
    assert difference_power(5.0, 15 / math.sqrt(25), 24, 0.05)[0] == pytest.approx(0.360, abs=5e-4)
    # pwr.jl (after Champely's R package pwr), powerTTest: d = 0.3, n = 100, one sample.
    assert difference_power(0.3, 0.1, 99, 0.05)[0] == pytest.approx(0.8439471027376636, abs=1e-9)


@pytest.mark.parametrize(("effect", "n"), [(0.5, 34), (0.3, 90)])
def test_units_needed_for_a_difference_are_those_of_the_tables(effect: float, n: int) -> None:
    # One-sample t test, two-sided, alpha 0.05, power 0.8: 34 for a medium effect (Cohen's d = 0.5; G*Power 3.1, means,
    # difference from constant); 90 for d = 0.3 (pwr.jl, samplesizeTTest). With no margin nothing is equivalent.
    assert units_needed(effect, 1.0, 1e-12, 0.05, 0.8)[0] == n


@given(
    st.integers(2, 400),
    st.floats(0.0, 2.0),
    st.floats(1e-4, 0.2),
)
@settings(max_examples=60, deadline=None)
def test_power_of_difference_is_that_of_the_noncentral_t(n: int, effect: float, alpha: float) -> None:
    critical, shift = stats.t.isf(alpha / 2, n - 1), effect * math.sqrt(n)
    expected = stats.nct.sf(critical, n - 1, shift) + stats.nct.cdf(-critical, n - 1, shift)
    if math.isfinite(expected):
        assert difference_power(effect, 1 / math.sqrt(n), n - 1, alpha)[0] == pytest.approx(expected, abs=1e-7)


def test_power_of_equivalence_is_how_often_the_tests_reject() -> None:
    rng = np.random.default_rng(3)
    n, mean, margin, draws = 7, 0.6, 2.0, 200_000
    estimate = rng.normal(mean, 1.3 / math.sqrt(n), draws)
    error = 1.3 * np.sqrt(rng.chisquare(n - 1, draws) / (n - 1)) / math.sqrt(n)
    rejected = np.abs(estimate) + stats.t.isf(0.05, n - 1) * error < margin
    expected = equivalence_power(mean, 1.3 / math.sqrt(n), margin, n - 1, 0.05)[0]
    assert rejected.mean() == pytest.approx(expected, abs=4 * math.sqrt(0.25 / draws))


def test_power_at_the_margin_is_at_most_the_level() -> None:
    power = equivalence_power(2.0, np.array([1e-3, 0.1, 1.0, 5.0]), 2.0, 9, 0.05)
    assert power[0] == pytest.approx(0.05, abs=1e-9)
    assert (power <= 0.05 + 1e-9).all()
    assert power[-1] < 0.01


@given(
    st.floats(-5, 5),
    st.floats(0.05, 20),
    st.sampled_from([0.05, 0.05 / 48, 0.01]),
    st.sampled_from([0.5, 0.8, 0.95]),
)
@settings(max_examples=60, deadline=None)
def test_units_needed_are_the_fewest_that_reach_the_power(
    mean: float, deviation: float, alpha: float, power: float
) -> None:
    n = units_needed(mean, deviation, 2.0, alpha, power)[0]

    def reached(units: float) -> float:
        error = deviation / math.sqrt(units)
        return float(
            max(
                equivalence_power(mean, error, 2.0, units - 1, alpha)[0],
                difference_power(mean, error, units - 1, alpha)[0],
            )
        )

    if math.isnan(n):
        assert reached(MOST_UNITS) < power
        return
    assert reached(n) >= power
    assert n == 2 or reached(n - 1) < power


@given(st.floats(-3, 3), st.floats(0.1, 10), st.floats(0.01, 100))
@settings(max_examples=40, deadline=None)
def test_units_needed_do_not_depend_on_sign_or_unit_of_measurement(mean: float, deviation: float, scale: float) -> None:
    one = units_needed(mean, deviation, 2.0, 0.01, 0.8)[0]
    other = units_needed(-scale * mean, scale * deviation, scale * 2.0, 0.01, 0.8)[0]
    # A power that is 0.8 to the last digit may tip over.
    assert np.isnan(one) == np.isnan(other)
    assert np.isnan(one) or abs(one - other) <= 1


def test_a_mean_at_the_margin_is_decided_by_the_difference_test() -> None:
    alone = units_needed(2.0, 3.0, 1e-12, 0.05, 0.8)
    assert units_needed([2.0, 2.0 - 1e-13, -2.0], 3.0, 2.0, 0.05, 0.8).tolist() == [alone[0]] * 3


def test_what_no_study_could_decide_is_empty() -> None:
    needed = units_needed([1e-3, 0.0, 0.0, np.nan, 0.0], [1.0, 1e4, 0.0, 1.0, np.inf], [1e-3, 2, 2, 2, 2], 0.05, 0.8)
    assert np.isnan(needed).all()
    assert units_needed([], [], 2.0, 0.05, 0.8).size == 0
