"""The result of every query of a protocol, which a run saves for later comparisons."""

import math
from collections.abc import Mapping
from typing import Any

from rlq.data.records import Protocol, ReidData
from rlq.evaluation.evaluator import Results
from rlq.evaluation.metrics import Ranking

PER_QUERY = "eval/per_query.json"  # among a run's artifacts


def per_query(data: ReidData, rankings: Mapping[str, Results]) -> dict[str, Any]:
    """Return, by protocol, every query's rank of the first match (0: no match) and average precision.

    Single-shot results are means over draws. They have no ranks and are left out.
    """
    results = {}
    for protocol in data.protocols:
        ranking = rankings[protocol.name]
        if isinstance(ranking, Ranking):
            queries = [record for record in data.query if _is_query(protocol, record.camera)]
            names = [record.path.relative_to(data.root).as_posix() for record in queries]
            precision = [None if math.isnan(p) else p for p in ranking.average_precision.tolist()]
            results[protocol.name] = {"query": names, "first_match": ranking.first_match.tolist(), "ap": precision}
    return results


def _is_query(protocol: Protocol, camera: str) -> bool:
    return protocol.query_cameras is None or camera in protocol.query_cameras
