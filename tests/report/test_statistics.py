import time

import numpy as np
import pytest
from scipy import stats

from rlq.report.statistics import Gap, Spread, best_two, paired_bootstrap, seed_error, spread, stands_out


@pytest.fixture
def scores():
    """What 40 queries score under two rows: each query is as hard for both, one row is a little better; two of the
    queries have no match."""
    random = np.random.default_rng(0)
    hard = random.random(40)
    ours, reference = hard + 0.05 + random.normal(0, 0.1, 40), hard + random.normal(0, 0.1, 40)
    ours[[3, 17]] = reference[[3, 17]] = np.nan
    return ours, reference


def test_a_spread_is_mean_and_deviation_of_the_sample():
    assert spread([0.5, 0.6, 0.8]) == Spread(pytest.approx(19 / 30), pytest.approx(stats.tstd([0.5, 0.6, 0.8])), 3)
    assert spread([0.5]) == Spread(0.5, None, 1)
    with pytest.raises(ValueError, match="value"):
        spread([])


def test_the_authors_take_the_two_seeds_with_the_best_rank1():
    assert best_two({1: 0.5, 2: 0.7, 3: 0.6, 4: 0.4}) == (2, 3)
    assert best_two({1: 0.5, 2: 0.5, 3: 0.5}) == (1, 2)
    assert best_two({3: 0.5}) == (3,)


def test_the_bootstrap_is_its_definition(scores):
    ours, reference = scores
    gap = paired_bootstrap(ours, reference, resamples=2000)
    valid = [q for q in range(40) if not np.isnan(ours[q])]
    random, means = np.random.default_rng(1), []
    for _ in range(2000):
        drawn = [valid[random.integers(len(valid))] for _ in valid]
        means.append(np.mean([ours[q] for q in drawn]) - np.mean([reference[q] for q in drawn]))
    assert gap.difference == pytest.approx(np.mean(ours[valid]) - np.mean(reference[valid]))
    assert gap.queries == 38
    assert (gap.low, gap.high) == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=0.004)
    assert gap.other_sign == pytest.approx(np.mean(np.array(means) <= 0), abs=0.02)


def test_the_interval_is_that_of_scipy(scores):
    ours, reference = (values[~np.isnan(values)] for values in scores)
    gap = paired_bootstrap(ours, reference)
    other = stats.bootstrap(
        (ours, reference),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        paired=True,
        n_resamples=10_000,
        method="percentile",
        rng=np.random.default_rng(2),
    ).confidence_interval
    assert (gap.low, gap.high) == pytest.approx((other.low, other.high), abs=0.002)


def test_two_queries_give_the_exact_shares():
    gap = paired_bootstrap(np.array([1.0, 0.0]), np.array([0.0, 0.2]))  # +1 and -0.2: means -0.2, 0.4, 0.4, 1
    assert gap.difference == pytest.approx(0.4)
    assert gap.other_sign == pytest.approx(0.25, abs=0.02)
    assert (gap.low, gap.high) == pytest.approx((-0.2, 1.0))


def test_what_is_paired_counts_and_not_how_hard_queries_are():
    hard = np.linspace(0, 1, 100)
    gap = paired_bootstrap(hard + 0.01, hard)
    assert (gap.low, gap.difference, gap.high) == pytest.approx((0.01, 0.01, 0.01))
    assert gap.other_sign == 0


def test_a_row_does_not_differ_from_itself_and_the_other_way_round_is_the_mirror(scores):
    ours, reference = scores
    assert paired_bootstrap(ours, ours) == Gap(0.0, 0.0, 0.0, 1.0, 38)
    there, back = paired_bootstrap(ours, reference), paired_bootstrap(reference, ours)
    assert (back.difference, back.low, back.high) == pytest.approx((-there.difference, -there.high, -there.low))
    assert back.other_sign == there.other_sign


def test_the_same_seed_gives_the_same_interval_and_another_one_nearly(scores):
    first, other = paired_bootstrap(*scores), paired_bootstrap(*scores, seed=1)
    assert first == paired_bootstrap(*scores)
    assert first != other and first.low == pytest.approx(other.low, abs=0.005)


def test_a_query_counts_only_if_it_is_valid_in_both():
    gap = paired_bootstrap(np.array([1.0, 1.0, np.nan, 0.5]), np.array([0.0, np.nan, 0.0, 0.5]))
    assert (gap.queries, gap.difference) == (2, 0.5)
    with pytest.raises(ValueError, match="2 queries"):
        paired_bootstrap(np.array([1.0, np.nan]), np.array([np.nan, 1.0]))


def test_rows_of_different_length_are_refused_with_both_shapes():
    with pytest.raises(ValueError, match=r"\[3\].*\[4\]"):
        paired_bootstrap(np.zeros(3), np.zeros(4))


def test_ten_thousand_resamples_of_the_queries_of_prcc_take_well_under_a_second():
    random = np.random.default_rng(0)
    ours, reference = random.random((2, 3543))
    started = time.process_time()
    paired_bootstrap(ours, reference)
    assert time.process_time() - started < 1


def test_the_error_over_seeds_is_that_of_welch():
    ours, reference = [0.5, 0.6, 0.8], [0.4, 0.45]
    difference = np.mean(ours) - np.mean(reference)
    expected = difference / stats.ttest_ind(ours, reference, equal_var=False).statistic
    assert seed_error(spread(ours), spread(reference)) == pytest.approx(expected)
    assert seed_error(spread(ours), spread([0.4])) is None


@pytest.mark.parametrize(
    ("low", "high", "of_seeds", "clear"),
    [
        (0.01, 0.05, None, True),
        (-0.05, -0.01, 0.01, True),
        (-0.01, 0.05, None, False),
        (0.0, 0.05, None, False),
        (0.01, 0.05, 0.02, False),  # the seeds lie as far apart as the rows
    ],
)
def test_a_difference_stands_out_from_queries_and_from_seeds(low, high, of_seeds, clear):
    difference = 0.03 if high > 0 else -0.03
    assert stands_out(Gap(difference, low, high, 0.0, 100), of_seeds) is clear
