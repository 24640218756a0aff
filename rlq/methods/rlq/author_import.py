"""Turn a file of the authors' weights into a weights folder."""

import json
from pathlib import Path
from typing import Any

from rlq.core.errors import DataError
from rlq.data.catalogue import CATALOGUE, data_set
from rlq.methods.base import SOURCE, WEIGHTS, Imported
from rlq.methods.rlq.author_checkpoints import Rebuilt, Released, finite_or_text, read_checkpoint, rebuild
from rlq.methods.weights_folder import write_config
from rlq.training.checkpoint import save_weights

NO_GENDER = "no gender head: the authors' files hold none"


def import_checkpoint(file: Path, *, dataset: str | None, root: str) -> Imported:
    """Read a file of the authors. The number of identities identifies the data set, unless `dataset` names it.

    Raises DataError for a file that does not hold exactly one of the published networks.
    """
    released, digest = read_checkpoint(file)
    name, identities, reason = identify_data(file, released, dataset)
    try:
        rebuilt = rebuild(released, dataset=name, root=root, identities=identities)
    except DataError as error:
        raise DataError(f"{file} {error}") from error
    source = _source(file, digest, released, rebuilt, identities, f"{name} ({reason})")

    def write(folder: Path) -> None:
        save_weights(folder / WEIGHTS, rebuilt.network)
        write_config(folder, rebuilt.settings, identities=identities)
        (folder / SOURCE).write_text(json.dumps(source, indent=1, allow_nan=False) + "\n")

    lines = [
        f"read      {file}: epoch {source['epoch']} (from 0), rank-1 {source['rank1']}, sha256 {digest[:16]}",
        f"network   {source['network']}, {identities} identities",
        f"data      {source['data']}",
    ]
    for label, notes in (("left out", source["left_out"]), ("not there", source["not_there"])):
        lines += [f"{label:<9} {note}" for note in notes]
    return Imported(digest, name, write, tuple(lines))


def identify_data(file: Path, released: Released, given: str | None) -> tuple[str, int, str]:
    """Return the data set's name, the number of identities, and how both are known. Raises DataError."""
    training_people = {
        name: entry.published.splits["train"]["identities"]
        for name, entry in CATALOGUE.items()
        if entry.published is not None and "identities" in entry.published.splits.get("train", {})
    }
    counts = ", ".join(f"{name} {count}" for name, count in training_people.items())
    if given is not None:
        data_set(given)  # raises DataError for an unknown name
        identities = released.identities or training_people.get(given)
        if identities is None:
            raise DataError(
                f"{file} has no identity head, and the number of training people of {given} is not known; name a set "
                f"with a known number by --data: {counts}"
            )
        return given, identities, _reason_given(given, identities, training_people.get(given))
    if released.identities is None:
        raise DataError(f"{file} has no identity head, so its data set is not known; name it by --data ({counts})")
    fitting = [name for name, count in training_people.items() if count == released.identities]
    if len(fitting) != 1:
        raise DataError(
            f"{file} has heads for {released.identities} people, as have {len(fitting)} data sets ({counts}); name its "
            "data set by --data"
        )
    return (
        fitting[0],
        released.identities,
        f"the set with {released.identities} training identities; or say --data",
    )


def _reason_given(name: str, identities: int, published: int | None) -> str:
    """Return the reason for a set named by --data, with both numbers if its published size is another."""
    other = published not in (None, identities)
    return "as you say" + (f"; {name} trains {published} people, this file {identities}" if other else "")


def _source(
    file: Path, digest: str, released: Released, rebuilt: Rebuilt, identities: int, data: str
) -> dict[str, Any]:
    """Return the content of SOURCE, the origin of the weights. Its sentences are part of the file format."""
    left_out = [
        f"{name} {list(shape)}: the clothes head serves training only" for name, shape in released.left_out.items()
    ]
    left_out += [f"{key}: no part of the network" for key in released.unread]
    zeros = [f"{name}: the file has none, so it is 0; features do not depend on it" for name in rebuilt.zeros]
    return {
        "file": file.name,
        "sha256": digest,
        "epoch": released.epoch,
        "rank1": finite_or_text(released.rank1),
        "network": released.layout.describe(),
        "identities": identities,
        "data": data,
        "left_out": left_out,
        "not_there": [*zeros, NO_GENDER],
    }
