"""Keep some training people out of training, to choose on them instead of on the test set."""

from dataclasses import replace
from pathlib import Path

from rlq.core.errors import DataError
from rlq.core.seeding import generator
from rlq.data.records import Record, ReidData, sorted_pids

# Of a held-out person's pictures, where no cameras tell queries from gallery: Celeb-reID's own share.
QUERY_SHARE = 0.2


def split_holdout(data: ReidData, share: float, seed: int) -> ReidData:
    """Keep a share of the training identities out of training and make them query and gallery.

    The test pictures are gone from the result, so that nothing chosen by it has seen them. Where the protocols name
    cameras, these tell queries from gallery (PRCC: A is the gallery); else a fifth of each person's pictures, at least
    one, become queries. People with a single picture stay in training.
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
    by_clothes = [] if data.clothes_known else [one for one in data.protocols if one.rule != "GENERAL"]
    return replace(
        data,
        protocols=tuple(protocol for protocol in data.protocols if protocol not in by_clothes),
        refused={**data.refused, **{one.name: "training people have no clothes labels" for one in by_clothes}},
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
    chosen: set[Path] = set()
    for pid, own in by_pid.items():
        if len(own) > 1:
            order = generator(seed, "holdout queries", pid).permutation(len(own))
            chosen.update(own[index].path for index in order[: max(1, round(QUERY_SHARE * len(own)))])
    alone = {pid for pid, own in by_pid.items() if len(own) == 1}
    return (
        [record for record in records if record.path in chosen],
        [record for record in records if record.path not in chosen and record.pid not in alone],
    )
