"""The protocols of a data set: which pictures are ranked, what is junk, and which matches are correct."""

from collections.abc import Sequence

import numpy as np

from rlq.core.shapes import check_shapes
from rlq.data.records import Protocol, Record
from rlq.evaluation.metrics import Labels, Ranking, rank
from rlq.evaluation.similarity import Features, cosine_scores
from rlq.evaluation.single_shot import SingleShot, single_shot


def evaluate(
    query: Sequence[Record],
    gallery: Sequence[Record],
    protocols: Sequence[Protocol],
    query_features: Features,
    gallery_features: Features,
    *,
    device: str | None = None,
    memory_mib: int = 192,
) -> dict[str, Ranking]:
    """Return every protocol's ranking by name, from one row of features [Q, D], [G, D] per record.

    Protocols that rank the same gallery pictures share one pass over the queries of all of them. Each ranking has the
    rows of its own queries only, in the order of the records.
    """
    check_shapes(
        query_features=(query_features, f"{len(query)} D"), gallery_features=(gallery_features, f"{len(gallery)} D")
    )
    results = {}
    for (cameras, junk_by), group in _passes(protocols).items():
        columns = of_cameras(gallery, cameras)
        queries = [of_cameras(query, protocol.query_cameras) for protocol in group]
        rows = np.unique(np.concatenate(queries))
        rules = sorted({protocol.rule for protocol in group})
        rankings = rank(
            labels_of(query, rows, junk_by),
            labels_of(gallery, columns, junk_by),
            cosine_scores(_take(query_features, rows), _take(gallery_features, columns), device=device),
            rules,
            memory_mib=memory_mib,
        )
        for protocol, of_protocol in zip(group, queries, strict=True):
            results[protocol.name] = rankings[protocol.rule].take(np.searchsorted(rows, of_protocol))
    return {protocol.name: results[protocol.name] for protocol in protocols}


def evaluate_single_shot(
    query: Sequence[Record],
    gallery: Sequence[Record],
    protocols: Sequence[Protocol],
    query_features: Features,
    gallery_features: Features,
) -> dict[str, SingleShot]:
    """Return every protocol's result with one random gallery picture per person, averaged over draws."""
    results = {}
    for protocol in protocols:
        rows, columns = of_cameras(query, protocol.query_cameras), of_cameras(gallery, protocol.gallery_cameras)
        results[protocol.name] = single_shot(
            labels_of(query, rows, protocol.junk_by),
            labels_of(gallery, columns, protocol.junk_by),
            _take(query_features, rows),
            _take(gallery_features, columns),
            [protocol.rule],
        )[protocol.rule]
    return results


def of_cameras(records: Sequence[Record], cameras: frozenset[str] | None) -> np.ndarray:
    """Return the indices of the records of these cameras; None means all cameras."""
    return np.array([i for i, record in enumerate(records) if cameras is None or record.camera in cameras], np.int64)


def labels_of(records: Sequence[Record], rows: np.ndarray, junk_by: str = "camera") -> Labels:
    """Return the labels that ranking reads; equal values of the field `junk_by` make a match junk."""
    chosen = [records[row] for row in rows]
    return Labels(
        pid=np.array([record.pid for record in chosen]),
        camera=np.array([getattr(record, junk_by) for record in chosen]),
        clothes=np.array([record.clothes for record in chosen]),
    )


def _passes(protocols: Sequence[Protocol]) -> dict[tuple[frozenset[str] | None, str], list[Protocol]]:
    passes: dict[tuple[frozenset[str] | None, str], list[Protocol]] = {}
    for protocol in protocols:
        if protocol.junk_by not in ("camera", "tracklet"):
            raise ValueError(f"protocol {protocol.name}: junk_by = {protocol.junk_by!r} should be camera or tracklet")
        passes.setdefault((protocol.gallery_cameras, protocol.junk_by), []).append(protocol)
    return passes


def _take(features: Features, rows: np.ndarray) -> Features:
    """Return some rows, without a copy if these are all rows."""
    return features if len(rows) == len(features) else features[rows]
