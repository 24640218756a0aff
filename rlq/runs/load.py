"""Load experiment files as checked settings of their method, and compute fingerprints of settings."""

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rlq.core.config import apply_changes, read_tree, validate, with_values
from rlq.core.digest import tree_digest
from rlq.core.settings import shaping
from rlq.methods.base import Loaded
from rlq.methods.catalogue import method_of, named_in
from rlq.runs.prerequisites import experiment_of


def load(
    file: Path, changes: Iterable[str] = (), *, base: Path | None = None, values: Mapping[str, Any] | None = None
) -> Loaded:
    """Load the experiment in a file, with changes such as "optim.lr=1e-4".

    `base` replaces the file that it extends. `values` by dotted name, from a sweep or a table, are applied last. Raises
    SettingsError.
    """
    changes, values = tuple(changes), dict(values or {})
    tree = with_values(apply_changes(read_tree(file, base), changes), values)
    base_option = ("--base", str(base)) if base else ()
    all_changes = (*changes, *(f"{name}={_text(value)}" for name, value in values.items()))
    origin = shlex.join([str(file), *base_option, *(word for change in all_changes for word in ("--set", change))])
    return Loaded(validate(named_in(tree).settings, tree, file.name), file.resolve().parent, origin)


def fingerprint(loaded: Loaded) -> str:
    """Return 16 hex digits of all settings that shape a result, with those of its prerequisites.

    Settings of places, speed and names are left out. Raises SettingsError if the file of a prerequisite is missing.
    """
    method = method_of(loaded.settings)
    return tree_digest(method.shaping(loaded.settings, _needed(loaded)))


def prerequisite_fingerprint(loaded: Loaded, data: Sequence[str]) -> str:
    """Return 16 hex digits of all that shapes a prerequisite: its settings and the digests of its data sets."""
    return tree_digest([_whole_shaping(loaded), data[0] if len(data) == 1 else list(data)])


def _needed(loaded: Loaded) -> dict[str, Any]:
    """Return the trees of the prerequisites that are experiments, by their settings' dotted names."""
    needed = method_of(loaded.settings).prerequisites(loaded.settings)
    return {one.setting: _whole_shaping(experiment_of(loaded, one)) for one in needed if one.is_experiment}


def _whole_shaping(loaded: Loaded) -> dict[str, Any]:
    """Return the settings of a prerequisite that shape its result, with those of its own prerequisites."""
    return with_values(shaping(loaded.settings), _needed(loaded))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
