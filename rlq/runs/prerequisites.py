"""Load the runs that must exist before another one starts, such as teachers, with inherited settings."""

import shlex
from pathlib import Path

from rlq.core.config import merge, read_tree, validate
from rlq.core.errors import RlqError, SettingsError
from rlq.methods.base import Loaded, Prerequisite
from rlq.methods.catalogue import named_in
from rlq.runs.folder import find_weights


def experiment_of(loaded: Loaded, needed: Prerequisite) -> Loaded:
    """Load the experiment of a prerequisite: its own file with the settings that it inherits. Raises SettingsError."""
    file = loaded.folder / needed.source
    if not file.is_file():
        raise SettingsError(f"{needed.setting} = {needed.source}: there is no file {file}")
    tree = merge(read_tree(file), needed.inherited)
    return Loaded(validate(named_in(tree).settings, tree, file.name), file.parent, shlex.quote(str(file)))


def given_weights(needed: Prerequisite, runs: Path) -> Path:
    """Return the weights folder of a prerequisite that is no experiment file. Raises SettingsError."""
    try:
        return find_weights(needed.source, needed.weights, runs)[0]
    except RlqError as error:
        raise SettingsError(
            f"{needed.setting} = {needed.source} should be an experiment file (.yaml), weights folder or run: {error}"
        ) from error
