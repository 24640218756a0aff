"""Baselines that need no training: chance and colour histograms. And how many queries a protocol has."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rlq.data.pictures import PictureReader, read_picture
from rlq.data.records import Protocol, Record
from rlq.evaluation.histogram import colour_histogram

FRAMES = 8  # frames of a tracklet whose histograms are averaged


def histogram_features(records: Sequence[Record], reader: PictureReader = read_picture) -> np.ndarray:
    """Return float32 [n, 512]: the colour histogram of every picture; of a tracklet, the mean over some frames."""
    return np.stack([_histogram(record.pictures, reader) for record in records])


def _histogram(pictures: Sequence[Path], reader: PictureReader) -> np.ndarray:
    """Return the histogram of a sample; of a tracklet, the mean over evenly spaced frames, scaled to unit length."""
    if len(pictures) == 1:
        return colour_histogram(reader(pictures[0]))
    chosen = np.unique(np.linspace(0, len(pictures) - 1, FRAMES).round().astype(int))
    mean = np.mean([colour_histogram(reader(pictures[i])) for i in chosen], axis=0)
    return (mean / np.linalg.norm(mean)).astype(np.float32)


class QueryCounts(NamedTuple):
    """The sizes of a protocol on a data set."""

    queries: int
    valid_queries: int  # queries with a match in the gallery; the others are left out of all rates
    gallery: int


def count_queries(query: Sequence[Record], gallery: Sequence[Record], protocol: Protocol) -> QueryCounts:
    """Count queries, queries that have a match, and gallery pictures. Only labels are read."""
    queries, ranked = _of_cameras(query, protocol.query_cameras), _of_cameras(gallery, protocol.gallery_cameras)
    by_pid = _by_pid(ranked)
    valid = sum(any(is_match(record, other, protocol) for other in by_pid.get(record.pid, ())) for record in queries)
    return QueryCounts(len(queries), valid, len(ranked))


def chance(
    query: Sequence[Record], gallery: Sequence[Record], protocol: Protocol, *, single_shot: bool = False
) -> dict[str, float | None]:
    """Return the expected rank-1 and mAP of a ranking in random order, over the queries that have a match.

    With R matches among N ranked pictures, rank-1 is R / N and AP is (H + (R - 1) / (N - 1) * (N - H)) / N,
    where H is the N-th harmonic number. Both are None without a valid query.
    With `single_shot`, one picture of each person is ranked.
    """
    gallery = _of_cameras(gallery, protocol.gallery_cameras)
    by_pid = _by_pid(gallery)
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, len(gallery) + 1))])
    rank1, average_precision = [], []
    for record in _of_cameras(query, protocol.query_cameras):
        matches = sum(is_match(record, other, protocol) for other in by_pid.get(record.pid, ()))
        if matches:
            ranked = len(gallery) - len(by_pid[record.pid]) + matches
            if single_shot:
                matches, ranked = 1, len(by_pid)
            spread = (matches - 1) / (ranked - 1) if ranked > 1 else 0.0
            rank1.append(matches / ranked)
            average_precision.append((harmonic[ranked] + spread * (ranked - harmonic[ranked])) / ranked)
    if not rank1:
        return {"rank1": None, "mAP": None}
    return {"rank1": float(np.mean(rank1)), "mAP": float(np.mean(average_precision))}


def is_match(query: Record, other: Record, protocol: Protocol) -> bool:
    """Return whether a gallery picture of the query's person is a correct match; otherwise it is junk."""
    if getattr(query, protocol.junk_by) == getattr(other, protocol.junk_by):
        return False
    return {
        "GENERAL": True,
        "CC": query.clothes != other.clothes,
        "SC": query.clothes == other.clothes,
    }[protocol.rule]


def _of_cameras(records: Sequence[Record], cameras: frozenset[str] | None) -> list[Record]:
    return [record for record in records if cameras is None or record.camera in cameras]


def _by_pid(records: Sequence[Record]) -> dict[str, list[Record]]:
    by_pid: dict[str, list[Record]] = {}
    for record in records:
        by_pid.setdefault(record.pid, []).append(record)
    return by_pid
