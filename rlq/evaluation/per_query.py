"""What every query of a protocol found, as a run keeps it for later comparisons."""

import math
from collections.abc import Mapping
from typing import Any

from rlq.data.records import Protocol, ReidData
from rlq.evaluation.evaluator import Results
from rlq.evaluation.metrics import Ranking

PER_QUERY = "eval/per_query.json"  # among a run's artifacts


def per_query(data: ReidData, rankings: Mapping[str, Results]) -> dict[str, Any]:
    """Return of every protocol's queries the rank of the first match (0: there is none) and the average precision.

    Means over draws of a single-shot gallery have no ranks of their own and are left out.
    """
    found = {}
    for protocol in data.protocols:
        ranking = rankings[protocol.name]
        if isinstance(ranking, Ranking):
            chosen = [record for record in data.query if _is_query(protocol, record.camera)]
            names = [record.path.relative_to(data.root).as_posix() for record in chosen]
            precision = [None if math.isnan(p) else p for p in ranking.average_precision.tolist()]
            found[protocol.name] = {"query": names, "first_match": ranking.first_match.tolist(), "ap": precision}
    return found


def _is_query(protocol: Protocol, camera: str) -> bool:
    return protocol.query_cameras is None or camera in protocol.query_cameras
