"""Hold some training people out, so that the best epoch is selected on them and not on the test set."""

from dataclasses import replace
from pathlib import Path

from rlq.core.errors import DataError
from rlq.core.seeding import generator
from rlq.data.records import Record, ReidData, sorted_pids

# Share of queries among a held-out person's pictures if the protocols name no cameras; Celeb-reID has about this share.
QUERY_SHARE = 0.2


def split_holdout(data: ReidData, share: float, seed: int) -> ReidData:
    """Return the data set with a share of its training identities as query and gallery.

    The test pictures are left out, so that a selection on the result cannot use them. If the protocols name cameras,
    these decide between query and gallery (PRCC: A is the gallery); otherwise a fifth of each person's pictures, at
    least one, become queries. People with a single picture stay in training.
    """
    pids = sorted_pids({record.pid for record in data.train})
    held_count = round(share * len(pids))
    if held_count < 2 or len(pids) - held_count < 2:
        raise DataError(
            f"data.holdout = {share:g} of the {len(pids)} training identities of {data.name} is {held_count}; "
            "at least two are needed on either side"
        )
    held = set(generator(seed, "holdout").permutation(pids)[:held_count].tolist())
    held_records = [record for record in data.train if record.pid in held]
    query, gallery = _by_cameras(held_records, data) or _by_chance(held_records, seed)
    if not query or not gallery:
        raise DataError(
            f"the held-out identities of {data.name} give {len(query)} queries and {len(gallery)} gallery pictures; "
            "raise data.holdout or use data.selection=test"
        )
    moved = {record.path for record in (*query, *gallery)}
    by_clothes = [] if data.clothes_known else [protocol for protocol in data.protocols if protocol.rule != "GENERAL"]
    return replace(
        data,
        protocols=tuple(protocol for protocol in data.protocols if protocol not in by_clothes),
        refused={
            **data.refused,
            **{protocol.name: "training people have no clothes labels" for protocol in by_clothes},
        },
        train=[record for record in data.train if record.path not in moved],
        query=[replace(record, split="query") for record in query],
        gallery=[replace(record, split="gallery") for record in gallery],
    )


def _by_cameras(records: list[Record], data: ReidData) -> tuple[list[Record], list[Record]] | None:
    if any(protocol.gallery_cameras is None or protocol.query_cameras is None for protocol in data.protocols):
        return None
    gallery_cameras = frozenset().union(*(protocol.gallery_cameras or () for protocol in data.protocols))
    return (
        [record for record in records if record.camera not in gallery_cameras],
        [record for record in records if record.camera in gallery_cameras],
    )


def _by_chance(records: list[Record], seed: int) -> tuple[list[Record], list[Record]]:
    by_pid: dict[str, list[Record]] = {}
    for record in records:
        by_pid.setdefault(record.pid, []).append(record)
    queries: set[Path] = set()
    for pid, of_person in by_pid.items():
        if len(of_person) > 1:
            order = generator(seed, "holdout queries", pid).permutation(len(of_person))
            queries.update(of_person[index].path for index in order[: max(1, round(QUERY_SHARE * len(of_person)))])
    single = {pid for pid, of_person in by_pid.items() if len(of_person) == 1}
    return (
        [record for record in records if record.path in queries],
        [record for record in records if record.path not in queries and record.pid not in single],
    )
