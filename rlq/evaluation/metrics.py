"""Cumulative matching characteristic and mean average precision, for several junk rules from one sort.

The correct matches and the junk of a query are all among the gallery pictures of its person. It is therefore enough to
sort each row of scores by value alone and to look up the ranks of those few pictures, once for all rules.
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
BYTES_PER_PAIR = 100  # memory of one pair of a query and a gallery picture of the same person

# Returns the scores [q, G] of some queries with the whole gallery, higher = more alike; ranking overwrites the block.
ScoreBlocks = Callable[[slice], NDArray[np.floating]]


@dataclass(frozen=True)
class Labels:
    """Labels of pictures: integers or strings [N], the same kind for queries and gallery."""

    pid: ArrayLike
    camera: ArrayLike  # or another label whose equality makes a match junk, such as the tracklet
    clothes: ArrayLike | None = None  # only compared within one person; None: no CC and no SC

    def __len__(self) -> int:
        return len(np.asarray(self.pid))


@dataclass(frozen=True)
class Ranking:
    """The result of one rule for every query. Rates and mAP are fractions; they are None without a valid query."""

    first_match: NDArray[np.int64]  # [Q] rank of the first correct match, 0 for a query without a match
    average_precision: NDArray[np.float64]  # [Q] nan for a query without a match
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
        """Return the share of valid queries with a correct match among the first k."""
        first = self.first_match[self.first_match > 0]
        return float((first <= k).mean()) if len(first) else None

    def take(self, queries: NDArray[np.integer]) -> "Ranking":
        """Return the ranking of some of the queries."""
        return Ranking(self.first_match[queries], self.average_precision[queries], self.gallery)

    def summary(self) -> dict[str, float | int | None]:
        """Return the numbers for JSON."""
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
    """Rank the gallery for every query and return, per rule, the ranks of the correct matches.

    A correct match is of the same person and GENERAL: another camera; CC: another camera and other clothes; SC:
    another camera and the same clothes. The person's other pictures are junk and are left out; pictures of other people
    always count. AP is the mean of (matches so far / rank) over the matches. A match ranks behind all pictures of other
    people with the same score, so the order of files has no influence.

    `scores` returns the block of some consecutive queries, which is overwritten. All memory that is used at once stays
    within about `memory_mib`. The result does not depend on the number of threads.

    >>> labels = Labels(pid=[7, 7, 8], camera=[1, 2, 2])
    >>> matrix = np.array([[1.0, 0.5, 0.5]])  # query of person 7, camera 1: junk, match, other person
    >>> result = rank(Labels([7], [1]), labels, lambda rows: matrix[rows].copy(), ["GENERAL"])["GENERAL"]
    >>> result.first_match.tolist(), result.mAP
    ([2], 0.5)
    """
    pairs = _Pairs(query, gallery, rules)
    q_total, g_total = len(query), len(gallery)
    first = {rule: np.zeros(q_total, np.int64) for rule in rules}
    precision = {rule: np.full(q_total, np.nan) for rule in rules}
    step = max(1, memory_mib * 2**20 // max(1, 4 * g_total + BYTES_PER_PAIR * pairs.most))
    with ThreadPoolExecutor(_threads()) as pool:
        for start in range(0, q_total if g_total else 0, step):
            rows = slice(start, min(start + step, q_total))
            block = scores(rows)
            check_shapes(block=(block, f"{rows.stop - start} {g_total}"))
            row, column = pairs.of(rows)
            order, others = _others_not_worse(block, row, column, pool)
            row, column = row[order], column[order]
            for rule in rules:
                match = pairs.is_match(rule, start + row, column)
                first[rule][rows], precision[rule][rows] = _measure(row[match], others[match], len(block))
    return {rule: Ranking(first[rule], precision[rule], g_total) for rule in rules}


def matches_and_junk(query: Labels, gallery: Labels, rule: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the correct matches and the junk of a few queries, each [Q, G]; the rest are pictures of other people."""
    pairs = _Pairs(query, gallery, [rule])
    row, column = pairs.of(slice(0, len(query)))
    match, junk = np.zeros((2, len(query), len(gallery)), bool)
    match[row, column] = pairs.is_match(rule, row, column)
    junk[row, column] = ~match[row, column]
    return match, junk


class _Pairs:
    """All pairs of a query and a gallery picture of the same person, without a matrix of queries x gallery."""

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
        """Return the row within the block and the gallery column of every pair of these queries, sorted by row."""
        pid = self._q_pid[rows]
        count = self._count[pid]
        row = np.repeat(np.arange(len(pid)), count)
        within = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        return row, self._by_person[self._start[pid][row] + within]

    def is_match(self, rule: str, query: NDArray[np.int64], column: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which pairs are correct matches; the others are junk."""
        other_camera = self._camera[0][query] != self._camera[1][column]
        if rule == "GENERAL":
            return other_camera
        assert self._clothes is not None
        other_clothes = self._clothes[0][query] != self._clothes[1][column]
        return other_camera & (other_clothes if rule == "CC" else ~other_clothes)


def _others_not_worse(
    block: NDArray[np.floating], row: NDArray[np.int64], column: NDArray[np.int64], pool: ThreadPoolExecutor
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sort the pairs by row, best first, and count per pair the pictures of other people that score at least as high.

    Return the order [T] and, in that order, the counts [T]. The rows of `block` are sorted in place.
    """
    q, g = block.shape
    score = block[row, column]  # [T]
    bounds = np.searchsorted(row, np.arange(q + 1))
    worse = np.empty(len(row), np.int64)  # pictures of all people that score less than the pair

    def sort_and_look_up(rows: range) -> None:
        for i in rows:  # both calls release the interpreter lock
            block[i].sort()
            worse[bounds[i] : bounds[i + 1]] = block[i].searchsorted(score[bounds[i] : bounds[i + 1]])

    share = -(-q // _threads())
    list(pool.map(sort_and_look_up, [range(i, min(i + share, q)) for i in range(0, q, share)]))
    if not (np.isfinite(block[:, 0]).all() and np.isfinite(block[:, -1]).all()):  # a sort moves inf and nan to the ends
        raise DataError("some scores are nan or infinite")
    # Equal scores have equal `worse`, so this integer sorts by row, then by descending score.
    key = row * (g + 1) - worse
    order = np.argsort(key)
    key, sorted_row = key[order], row[order]
    pairs_not_worse = np.searchsorted(key, key, side="right") - bounds[sorted_row]
    return order, g - worse[order] - pairs_not_worse


def _measure(
    row: NDArray[np.int64], others: NDArray[np.int64], q: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return each row's rank of the first match [q] and average precision [q].

    The matches are sorted by row, best first; `others` counts the pictures of other people before each.
    """
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
    """Return integer codes of both lists. Strings and integers are not mixed, because NumPy would make 1 equal "1"."""
    a, b = np.asarray(query), np.asarray(gallery)
    kinds = [_kind(name, array) for array in (a, b)]
    if a.size and b.size and kinds[0] != kinds[1]:
        raise DataError(f"{name} labels are {kinds[0]} for the queries and {kinds[1]} for the gallery")
    _, codes = np.unique(np.concatenate([a, b]), return_inverse=True)
    return codes[: len(a)], codes[len(a) :]


def _kind(name: str, labels: NDArray) -> str:
    if labels.ndim != 1:
        raise DataError(f"{name} labels should be one row of labels, not of shape {list(labels.shape)}")
    kinds = {"i": "integers", "u": "integers", "U": "strings", "S": "bytes"}
    if labels.size and labels.dtype.kind not in kinds:
        raise DataError(f"{name} labels should be integers or strings, not {labels.dtype}")
    return kinds.get(labels.dtype.kind, "nothing")


def _threads() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
