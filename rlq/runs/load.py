"""From an experiment file to checked settings of its method, and their fingerprint."""

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

    `base` takes the place of the file that it extends. `values` by dotted name come last, as a sweep or a table draws
    them. Raises SettingsError.
    """
    changes, values = tuple(changes), dict(values or {})
    tree = with_values(apply_changes(read_tree(file, base), changes), values)
    on = ("--base", str(base)) if base else ()
    spelled = (*changes, *(f"{name}={_spelled(value)}" for name, value in values.items()))
    origin = shlex.join([str(file), *on, *(word for change in spelled for word in ("--set", change))])
    return Loaded(validate(named_in(tree).settings, tree, file.name), file.resolve().parent, origin)


def fingerprint(loaded: Loaded) -> str:
    """Return 16 hex digits of all settings that shape a result, those of its prerequisites among them.

    Places, pace and names are left out. Raises SettingsError when the file of a prerequisite is not there.
    """
    method = method_of(loaded.settings)
    return tree_digest(method.shaping(loaded.settings, _needed(loaded)))


def prerequisite_fingerprint(loaded: Loaded, data: Sequence[str]) -> str:
    """Return 16 hex digits of everything that shapes a prerequisite: its settings and the digests of its data sets."""
    return tree_digest([_whole_shaping(loaded), data[0] if len(data) == 1 else list(data)])


def _needed(loaded: Loaded) -> dict[str, Any]:
    """The trees of the prerequisites that are experiments, by their settings' dotted names."""
    needed = method_of(loaded.settings).prerequisites(loaded.settings)
    return {one.setting: _whole_shaping(experiment_of(loaded, one)) for one in needed if one.is_experiment}


def _whole_shaping(loaded: Loaded) -> dict[str, Any]:
    """The settings of a prerequisite that shape its result, and those of its own prerequisites."""
    return with_values(shaping(loaded.settings), _needed(loaded))


def _spelled(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
