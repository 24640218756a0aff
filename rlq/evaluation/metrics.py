"""Cumulative matching characteristic and mean average precision, for several junk rules out of one sort.

A query's correct matches and its junk all lie inside its own person's gallery pictures. So it is enough to sort each
row of scores by value alone, and to look up where the values of the few own pictures fall: that serves every rule.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlq.core.errors import DataError
from rlq.core.shapes import check_shapes

RULES = ("GENERAL", "CC", "SC")
BYTES_PER_OWN_PICTURE = 100  # what ranking holds for one pair of a query and a gallery picture of its person

# The scores of some queries against the whole gallery, [q, G], higher = more alike. Ranking overwrites the block.
ScoreBlocks = Callable[[slice], NDArray[np.floating]]


@dataclass(frozen=True)
class Labels:
    """Who is seen, where and in what: integers or strings [N], the same kind for queries and gallery."""

    pid: ArrayLike
    camera: ArrayLike  # or whatever else bars a match, such as a tracklet
    clothes: ArrayLike | None = None  # only compared within one person; None: no CC and no SC

    def __len__(self) -> int:
        return len(np.asarray(self.pid))


@dataclass(frozen=True)
class Ranking:
    """What one rule makes of every query. Rates and mAP are fractions, None without any valid query."""

    first_match: NDArray[np.int64]  # [Q] rank of the first correct match, 0 for a query without any
    average_precision: NDArray[np.float64]  # [Q] nan for a query without any
    gallery: int

    @property
    def queries(self) -> int:
        return len(self.first_match)

    @property
    def valid_queries(self) -> int:
        return int((self.first_match > 0).sum())

    @property
    def rank1(self) -> float | None:
        return self.cmc(1)

    @property
    def rank5(self) -> float | None:
        return self.cmc(5)

    @property
    def rank10(self) -> float | None:
        return self.cmc(10)

    @property
    def rank20(self) -> float | None:
        return self.cmc(20)

    @property
    def mAP(self) -> float | None:
        valid = self.first_match > 0
        return float(self.average_precision[valid].mean()) if valid.any() else None

    def cmc(self, k: int) -> float | None:
        """Share of the valid queries that have a correct match among the first k."""
        first = self.first_match[self.first_match > 0]
        return float((first <= k).mean()) if len(first) else None

    def take(self, queries: NDArray[np.integer]) -> "Ranking":
        """The same for some of the queries."""
        return Ranking(self.first_match[queries], self.average_precision[queries], self.gallery)

    def summary(self) -> dict[str, float | int | None]:
        """Numbers only, ready for JSON."""
        rates = {"rank1": self.rank1, "rank5": self.rank5, "rank10": self.rank10, "rank20": self.rank20}
        counts = {"queries": self.queries, "valid_queries": self.valid_queries, "gallery": self.gallery}
        return {**rates, "mAP": self.mAP, **counts}


def rank(
    query: Labels,
    gallery: Labels,
    scores: ScoreBlocks,
    rules: Sequence[str] = RULES,
    *,
    memory_mib: int = 192,
) -> dict[str, Ranking]:
    """Rank the gallery for every query and return per rule where the correct matches stand.

    A correct match is of the same person and GENERAL: another camera; CC: another camera and other clothes; SC:
    another camera and the same clothes. The person's other pictures are junk and do not count; everybody else always
    counts. AP is the mean of (matches so far / rank) over the matches. Equal scores are settled against the query:
    a match stands behind all other people's pictures of its score, so the order of files has no influence.

    `scores` gives the block of some consecutive queries, which is overwritten. Blocks and all else that is held at
    once stay within about `memory_mib`. Works on any number of threads with the same result.

    >>> labels = Labels(pid=[7, 7, 8], camera=[1, 2, 2])
    >>> matrix = np.array([[1.0, 0.5, 0.5]])  # of a query of person 7, camera 1: junk, match, stranger
    >>> result = rank(Labels([7], [1]), labels, lambda rows: matrix[rows].copy(), ["GENERAL"])["GENERAL"]
    >>> result.first_match.tolist(), result.mAP
    ([2], 0.5)
    """
    pairs = _Pairs(query, gallery, rules)
    q_total, g_total = len(query), len(gallery)
    first = {rule: np.zeros(q_total, np.int64) for rule in rules}
    precision = {rule: np.full(q_total, np.nan) for rule in rules}
    step = max(1, memory_mib * 2**20 // max(1, 4 * g_total + BYTES_PER_OWN_PICTURE * pairs.most))
    with ThreadPoolExecutor(_threads()) as pool:
        for start in range(0, q_total if g_total else 0, step):
            rows = slice(start, min(start + step, q_total))
            block = scores(rows)
            check_shapes(block=(block, f"{rows.stop - start} {g_total}"))
            row, column = pairs.of(rows)
            order, others = _others_as_good(block, row, column, pool)
            row, column = row[order], column[order]
            for rule in rules:
                good = pairs.good(rule, start + row, column)
                first[rule][rows], precision[rule][rows] = _measure(row[good], others[good], len(block))
    return {rule: Ranking(first[rule], precision[rule], g_total) for rule in rules}


def matches_and_junk(query: Labels, gallery: Labels, rule: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The correct matches and the junk of a few queries, each [Q, G]; all that is neither belongs to other people."""
    pairs = _Pairs(query, gallery, [rule])
    row, column = pairs.of(slice(0, len(query)))
    good, junk = np.zeros((2, len(query), len(gallery)), bool)
    good[row, column] = pairs.good(rule, row, column)
    junk[row, column] = ~good[row, column]
    return good, junk


class _Pairs:
    """All pairs of a query and a gallery picture of its person, without a matrix of queries x gallery."""

    def __init__(self, query: Labels, gallery: Labels, rules: Sequence[str]) -> None:
        unknown = [rule for rule in rules if rule not in RULES]
        if unknown:
            raise ValueError(f"rules {unknown} should be among {list(RULES)}")
        self._q_pid, g_pid = _codes("pid", query.pid, gallery.pid)
        self._camera = _codes("camera", query.camera, gallery.camera)
        self._clothes = None
        if set(rules) & {"CC", "SC"}:
            if query.clothes is None or gallery.clothes is None:
                raise DataError("the rules CC and SC need clothes labels of queries and gallery")
            self._clothes = _codes("clothes", query.clothes, gallery.clothes)
        for name, codes in (("camera", self._camera), ("clothes", self._clothes)):
            if codes is not None and (len(codes[0]), len(codes[1])) != (len(self._q_pid), len(g_pid)):
                raise ValueError(
                    f"{len(codes[0])} and {len(codes[1])} {name} labels for {len(self._q_pid)} queries "
                    f"and {len(g_pid)} gallery pictures"
                )
        self._by_person = np.argsort(g_pid, kind="stable")
        people = np.arange(1 + max(self._q_pid.max(initial=0), g_pid.max(initial=0)))
        self._start = np.searchsorted(g_pid[self._by_person], people)
        self._count = np.bincount(g_pid, minlength=len(people))
        self.most = int(self._count.max(initial=0))

    def of(self, rows: slice) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Row within the block and gallery column of every pair of these queries, by row."""
        pid = self._q_pid[rows]
        count = self._count[pid]
        row = np.repeat(np.arange(len(pid)), count)
        within = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        return row, self._by_person[self._start[pid][row] + within]

    def good(self, rule: str, query: NDArray[np.int64], column: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which pairs are correct matches; the others are junk."""
        elsewhere = self._camera[0][query] != self._camera[1][column]
        if rule == "GENERAL":
            return elsewhere
        assert self._clothes is not None
        changed = self._clothes[0][query] != self._clothes[1][column]
        return elsewhere & (changed if rule == "CC" else ~changed)


def _others_as_good(
    block: NDArray[np.floating], row: NDArray[np.int64], column: NDArray[np.int64], pool: ThreadPoolExecutor
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sort the pairs by row, best first; count per pair how many pictures of other people score at least as well.

    Returns the order [T] and, in that order, the counts [T]. Sorts the rows of `block` in place.
    """
    q, g = block.shape
    own = block[row, column]  # [T]
    bounds = np.searchsorted(row, np.arange(q + 1))
    worse = np.empty(len(row), np.int64)  # pictures, of anybody, that score less than the pair

    def sort_and_look_up(rows: range) -> None:
        for i in rows:  # both calls let go of the interpreter lock
            block[i].sort()
            worse[bounds[i] : bounds[i + 1]] = block[i].searchsorted(own[bounds[i] : bounds[i + 1]])

    share = -(-q // _threads())
    list(pool.map(sort_and_look_up, [range(i, min(i + share, q)) for i in range(0, q, share)]))
    if not (np.isfinite(block[:, 0]).all() and np.isfinite(block[:, -1]).all()):  # where a sort leaves inf and nan
        raise DataError("some scores are nan or infinite")
    # Equal scores have equal `worse`, so this one integer sorts by row, then by falling score.
    key = row * (g + 1) - worse
    order = np.argsort(key)
    key, sorted_row = key[order], row[order]
    own_as_good = np.searchsorted(key, key, side="right") - bounds[sorted_row]
    return order, g - worse[order] - own_as_good


def _measure(
    row: NDArray[np.int64], others: NDArray[np.int64], q: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """From the correct matches, by row and best first: rank of the first one [q] and average precision [q]."""
    matches = np.bincount(row, minlength=q)  # [q]
    start = np.cumsum(matches) - matches  # [q]
    hit = np.arange(len(row)) - start[row] + 1  # 1, 2, ... within a row
    rank_of_hit = hit + others
    valid = matches > 0
    first = np.zeros(q, np.int64)
    first[valid] = rank_of_hit[start[valid]]
    total = np.bincount(row, weights=hit / rank_of_hit, minlength=q)
    return first, np.divide(total, matches, out=np.full(q, np.nan), where=valid)


def _codes(name: str, query: ArrayLike, gallery: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Both lists numbered alike; words and numbers never meet, because NumPy would take 1 for "1"."""
    a, b = np.asarray(query), np.asarray(gallery)
    kinds = [_kind(name, array) for array in (a, b)]
    if a.size and b.size and kinds[0] != kinds[1]:
        raise DataError(f"{name} labels are {kinds[0]} for the queries and {kinds[1]} for the gallery")
    _, codes = np.unique(np.concatenate([a, b]), return_inverse=True)
    return codes[: len(a)], codes[len(a) :]


def _kind(name: str, labels: NDArray) -> str:
    if labels.ndim != 1:
        raise DataError(f"{name} labels should be one row of labels, not of shape {list(labels.shape)}")
    known = {"i": "integers", "u": "integers", "U": "strings", "S": "bytes"}
    if labels.size and labels.dtype.kind not in known:
        raise DataError(f"{name} labels should be integers or strings, not {labels.dtype}")
    return known.get(labels.dtype.kind, "nothing")


def _threads() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
