"""What a table says beside a mean: how far seeds lie apart, and how much of a difference the queries could explain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rlq.core.seeding import generator
from rlq.core.shapes import check_shapes

RESAMPLES = 10_000
BLOCK = 2**17  # picks of queries held at once: 1 MB, for which the processor's cache serves


@dataclass(frozen=True)
class Spread:
    """Numbers of several seeds, as fractions."""

    mean: float
    sd: float | None  # of the sample (n - 1); None for a single seed
    seeds: int


@dataclass(frozen=True)
class Gap:
    """A row's difference to the reference row, as fractions; positive: the row is higher."""

    difference: float
    low: float  # the 95 % interval over resampled queries
    high: float
    other_sign: float  # share of the resamples in which the difference is zero or of the other sign
    queries: int


def spread(values: Sequence[float]) -> Spread:
    """Mean and standard deviation over seeds.

    >>> spread([0.25, 0.75])
    Spread(mean=0.5, sd=0.3535533905932738, seeds=2)
    """
    if not values:
        raise ValueError("a mean needs at least one value")
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Spread(float(np.mean(values)), sd, len(values))


def best_two(values: Mapping[int, float], *, higher: bool = True) -> tuple[int, ...]:
    """Return the seeds that the authors' way takes the mean of: the best two of these; of equal ones the smaller seed.

    It is higher than the mean over all seeds whenever there are more than two, so it compares with published numbers
    only, never with a row of fewer seeds.
    """
    sign = -1 if higher else 1
    return tuple(sorted(sorted(values, key=lambda seed: (sign * values[seed], seed))[:2]))


def paired_bootstrap(
    ours: NDArray[np.floating], reference: NDArray[np.floating], *, seed: int = 0, resamples: int = RESAMPLES
) -> Gap:
    """Ask how much of the difference between two rows hangs on which queries happen to be in the test set.

    ours, reference [Q]: what each query scores under either row (average precision, or 1 where the first picture is
    a match and else 0), already averaged over the row's seeds, in the same order; nan where a query has no match at
    all. Only queries that are valid in both count. The queries are drawn anew with replacement, `resamples` times,
    the same draw for both rows; the interval holds the middle 95 % of the differences of the means (the percentile
    interval of Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13).

    What it covers: another draw of queries for these very networks and this gallery. What it does not: another seed
    (the standard deviation over seeds shows that), other people (queries of one person are not independent, so the
    interval is rather too narrow), another gallery, and the luck of choosing the best epoch.
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
    """[Q] -> the mean of each of `resamples` draws of Q values with replacement."""
    means = np.empty(resamples)
    step = max(1, BLOCK // len(values))
    for start in range(0, resamples, step):
        stop = min(start + step, resamples)
        picks = random.integers(0, len(values), (stop - start, len(values)))  # [step, Q]
        means[start:stop] = values.take(picks).mean(axis=1)
    return means


def seed_error(ours: Spread, reference: Spread) -> float | None:
    """Standard error of the difference of two means over seeds (Welch); None unless both rows have two seeds."""
    if ours.sd is None or reference.sd is None:
        return None
    return float(np.hypot(ours.sd / np.sqrt(ours.seeds), reference.sd / np.sqrt(reference.seeds)))


def stands_out(gap: Gap, of_seeds: float | None) -> bool:
    """Whether a difference is clear of both kinds of noise that can be seen: its interval leaves out zero, and it is
    more than two standard errors of the seeds away from it. With single seeds the latter stays unknown."""
    clear = gap.low > 0 or gap.high < 0
    return clear and (of_seeds is None or abs(gap.difference) > 2 * of_seeds)
