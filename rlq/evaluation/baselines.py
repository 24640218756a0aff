"""What the numbers must be read against: chance, and colour histograms."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rlq.data.pictures import PictureReader, read_picture
from rlq.data.records import Protocol, Record
from rlq.evaluation.histogram import colour_histogram

FRAMES = 8  # of a tracklet, whose histograms are averaged


def histogram_features(records: Sequence[Record], reader: PictureReader = read_picture) -> np.ndarray:
    """Return float32 [n, 512]: the colour histogram of every picture; of a tracklet, the mean over some frames."""
    return np.stack([_histogram(record.pictures, reader) for record in records])


def _histogram(pictures: Sequence[Path], reader: PictureReader) -> np.ndarray:
    """Return the histogram of a sample; of many frames, FRAMES evenly spaced ones, the mean scaled to unit length."""
    if len(pictures) == 1:
        return colour_histogram(reader(pictures[0]))
    chosen = np.unique(np.linspace(0, len(pictures) - 1, FRAMES).round().astype(int))
    mean = np.mean([colour_histogram(reader(pictures[i])) for i in chosen], axis=0)
    return (mean / np.linalg.norm(mean)).astype(np.float32)


class QueryCounts(NamedTuple):
    """What a protocol asks of a data set."""

    queries: int
    valid_queries: int  # those with a match in the gallery; the others are left out of all rates
    gallery: int


def count_queries(query: Sequence[Record], gallery: Sequence[Record], protocol: Protocol) -> QueryCounts:
    """Count queries, those that have a match, and gallery pictures, from labels alone."""
    queries, shown = _chosen(query, protocol.query_cameras), _chosen(gallery, protocol.gallery_cameras)
    own = _by_pid(shown)
    valid = sum(any(is_match(record, other, protocol) for other in own.get(record.pid, ())) for record in queries)
    return QueryCounts(len(queries), valid, len(shown))


def chance(
    query: Sequence[Record], gallery: Sequence[Record], protocol: Protocol, *, single_shot: bool = False
) -> dict[str, float | None]:
    """Rank-1 and mAP to be expected of a ranking in random order, over the queries that have a match.

    With R matches among N ranked pictures, rank-1 is R / N and AP is (H + (R - 1) / (N - 1) * (N - H)) / N,
    H the N-th harmonic number. None without a valid query.
    With `single_shot`, one picture of each person is ranked.
    """
    shown = _chosen(gallery, protocol.gallery_cameras)
    own = _by_pid(shown)
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, len(shown) + 1))])
    first, average = [], []
    for record in _chosen(query, protocol.query_cameras):
        matches = sum(is_match(record, other, protocol) for other in own.get(record.pid, ()))
        if matches:
            ranked = len(shown) - len(own[record.pid]) + matches
            if single_shot:
                matches, ranked = 1, len(own)
            spread = (matches - 1) / (ranked - 1) if ranked > 1 else 0.0
            first.append(matches / ranked)
            average.append((harmonic[ranked] + spread * (ranked - harmonic[ranked])) / ranked)
    if not first:
        return {"rank1": None, "mAP": None}
    return {"rank1": float(np.mean(first)), "mAP": float(np.mean(average))}


def is_match(query: Record, other: Record, protocol: Protocol) -> bool:
    """Whether a gallery picture of the same person counts as correct under the protocol's rule."""
    if getattr(query, protocol.junk_by) == getattr(other, protocol.junk_by):
        return False
    return {
        "GENERAL": True,
        "CC": query.clothes != other.clothes,
        "SC": query.clothes == other.clothes,
    }[protocol.rule]


def _chosen(records: Sequence[Record], cameras: frozenset[str] | None) -> list[Record]:
    return [record for record in records if cameras is None or record.camera in cameras]


def _by_pid(records: Sequence[Record]) -> dict[str, list[Record]]:
    own: dict[str, list[Record]] = {}
    for record in records:
        own.setdefault(record.pid, []).append(record)
    return own
