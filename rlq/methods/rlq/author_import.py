"""A file of the authors' weights as a weights folder of ours."""

import json
from pathlib import Path
from typing import Any

from rlq.core.errors import DataError
from rlq.data.catalogue import CATALOGUE, data_set
from rlq.methods.base import SOURCE, WEIGHTS, Imported
from rlq.methods.rlq.author_checkpoints import Rebuilt, Released, finite_or_text, read_released, rebuild
from rlq.methods.weights_folder import write_config
from rlq.training.checkpoint import save_weights

NO_GENDER = "no gender head: the authors' files hold none"


def import_checkpoint(file: Path, *, dataset: str | None, root: str) -> Imported:
    """Read a file of the authors. The number of identities tells the data set, unless it is given.

    Raises DataError for a file that is not exactly one of the published networks.
    """
    released, digest = read_released(file)
    name, identities, reason = guess_data(file, released, dataset)
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


def guess_data(file: Path, released: Released, given: str | None) -> tuple[str, int, str]:
    """The data set's name, the number of identities, and how both are known."""
    trained_on = {
        name: known.published.splits["train"]["identities"]
        for name, known in CATALOGUE.items()
        if known.published is not None and "identities" in known.published.splits.get("train", {})
    }
    listed = ", ".join(f"{name} {count}" for name, count in trained_on.items())
    if given is not None:
        data_set(given)  # says which names there are
        identities = released.identities or trained_on.get(given)
        if identities is None:
            raise DataError(f"{file} has no identity head, and how many people {given} trains is not known ({listed})")
        return given, identities, _as_said(given, identities, trained_on.get(given))
    if released.identities is None:
        raise DataError(f"{file} has no identity head to tell its data set by; say it with --data ({listed})")
    fitting = [name for name, count in trained_on.items() if count == released.identities]
    if len(fitting) != 1:
        raise DataError(
            f"{file} has heads for {released.identities} people, the number of {len(fitting)} data sets ({listed}); "
            "say which one with --data"
        )
    return fitting[0], released.identities, f"the set with {released.identities} training identities; or say --data"


def _as_said(name: str, identities: int, published: int | None) -> str:
    """A set of another size may well be meant, such as a part of it; a slip of the pen should show."""
    other = published not in (None, identities)
    return "as you say" + (f"; {name} trains {published} people, this file {identities}" if other else "")


def _source(
    file: Path, digest: str, released: Released, rebuilt: Rebuilt, identities: int, data: str
) -> dict[str, Any]:
    """What is kept about where the weights come from."""
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
