"""The statistics of a table: the spread over seeds, and the part of a difference that the queries could explain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rlq.core.seeding import generator
from rlq.core.shapes import check_shapes

RESAMPLES = 10_000
BLOCK = 2**17  # sampled queries in memory at once: 1 MB fits into the processor's cache


@dataclass(frozen=True)
class Spread:
    """The numbers of several seeds."""

    mean: float
    sd: float | None  # of the sample (n - 1); None for a single seed
    seeds: int


@dataclass(frozen=True)
class Gap:
    """A row's difference to the reference row; positive: the row is higher."""

    difference: float
    low: float  # the 95 % interval over resampled queries
    high: float
    other_sign: float  # share of the resamples in which the difference is zero or of the other sign
    queries: int


def spread(values: Sequence[float]) -> Spread:
    """Return mean and standard deviation over seeds.

    >>> spread([0.25, 0.75])
    Spread(mean=0.5, sd=0.3535533905932738, seeds=2)
    """
    if not values:
        raise ValueError("a mean needs at least one value")
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Spread(float(np.mean(values)), sd, len(values))


def best_two(values: Mapping[int, float], *, higher: bool = True) -> tuple[int, ...]:
    """Return the seeds that the authors' way takes the mean of: the best two of these; of equal ones the smaller seed.

    Their mean is better than that over all seeds whenever there are more than two. Compare it with published numbers
    only, never with a row of fewer seeds.
    """
    sign = -1 if higher else 1
    return tuple(sorted(sorted(values, key=lambda seed: (sign * values[seed], seed))[:2]))


def paired_bootstrap(
    ours: NDArray[np.floating], reference: NDArray[np.floating], *, seed: int = 0, resamples: int = RESAMPLES
) -> Gap:
    """Return the difference between two rows with its interval over samples of the queries.

    ours, reference [Q]: what each query scores under either row (average precision, or 1 where the first picture is
    a match and else 0), averaged over the row's seeds, in the same order; nan where a query has no match. Only queries
    that are valid in both count. The queries are resampled with replacement, `resamples` times, the same sample for
    both rows. The interval contains the middle 95 % of the differences of the means (the percentile interval of Efron
    and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13).

    It covers another sample of queries for the same networks and gallery. It does not cover another seed (see the
    standard deviation over seeds), other people (queries of one person are not independent, so the interval is too
    narrow), another gallery, or the choice of the best epoch.
    """
    check_shapes(ours=(ours, "Q"), reference=(reference, "Q"))
    apart = np.asarray(ours, np.float64) - np.asarray(reference, np.float64)  # [Q]
    apart = apart[~np.isnan(apart)]
    if not len(apart):
        raise ValueError(f"none of {len(ours)} queries is valid in both rows")
    observed = float(apart.mean())
    means = _resampled_means(apart, generator("paired bootstrap", seed), resamples)
    low, high = np.quantile(means, [0.025, 0.975])
    crossed = means <= 0 if observed > 0 else means >= 0 if observed < 0 else np.ones(1)
    return Gap(observed, float(low), float(high), float(np.mean(crossed)), len(apart))


def _resampled_means(values: NDArray[np.float64], random: np.random.Generator, resamples: int) -> NDArray[np.float64]:
    """Return the mean of each of `resamples` samples of Q of the values [Q], with replacement."""
    means = np.empty(resamples)
    step = max(1, BLOCK // len(values))
    for start in range(0, resamples, step):
        stop = min(start + step, resamples)
        picks = random.integers(0, len(values), (stop - start, len(values)))  # [step, Q]
        means[start:stop] = values.take(picks).mean(axis=1)
    return means


def seed_error(ours: Spread, reference: Spread) -> float | None:
    """Return the standard error of the difference of two means over seeds (Welch); None unless both have two seeds."""
    if ours.sd is None or reference.sd is None:
        return None
    return float(np.hypot(ours.sd / np.sqrt(ours.seeds), reference.sd / np.sqrt(reference.seeds)))


def stands_out(gap: Gap, error: float | None) -> bool:
    """Whether a difference exceeds both kinds of noise that can be measured.

    Its interval leaves out zero, and it is more than two standard errors of the seeds, unless that `error` is unknown.
    """
    clear = gap.low > 0 or gap.high < 0
    return clear and (error is None or abs(gap.difference) > 2 * error)
