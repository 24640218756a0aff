"""From an experiment file to checked settings, those of its teacher, and the fingerprints of both."""

import hashlib
import json
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rlq.core.config import apply_changes, distinctive, merge, read_tree, validate, with_values
from rlq.core.errors import SettingsError
from rlq.methods.rlq.settings import RlqSettings

PACE = ("root", "workers", "test_batch", "cache", "cache_gb", "patience")  # settings of data that shape no result
PLACES = {"data": PACE, "compute": None, "tracking": None}  # None: the whole section


class Loaded(NamedTuple):
    """Settings, and the folder that file names in them are relative to."""

    settings: RlqSettings
    folder: Path
    origin: str  # what follows `rlq train` to run it: the file and the changes, quoted for a shell


def load(
    file: Path, changes: Iterable[str] = (), *, base: Path | None = None, values: Mapping[str, Any] | None = None
) -> Loaded:
    """The experiment in a file, with changes such as "optim.lr=1e-4"; `base` takes the place of the file that it
    extends. `values` by dotted name come last, as a sweep or a table draws them. Raises SettingsError."""
    changes, values = tuple(changes), dict(values or {})
    tree = with_values(apply_changes(read_tree(file, base), changes), values)
    on = ("--base", str(base)) if base else ()
    spelled = (*changes, *(f"{name}={_spelled(value)}" for name, value in values.items()))
    origin = shlex.join([str(file), *on, *(word for change in spelled for word in ("--set", change))])
    return Loaded(validate(RlqSettings, tree, file.name), file.resolve().parent, origin)


def external_root(settings: RlqSettings) -> Path:
    """Where the external set is looked for."""
    return Path(settings.tad.external_root or settings.data.root)


def teacher_experiment(loaded: Loaded) -> Loaded | None:
    """The experiment that trains the teacher: its own file, with the student's external set, picture size, backbone,
    compute and tracking. None where no teacher is needed, or `tad.teacher` names weights."""
    settings = loaded.settings
    if not settings.needs_teacher or not settings.tad.teacher.endswith((".yaml", ".yml")):
        return None
    file = loaded.folder / settings.tad.teacher
    if not file.is_file():
        raise SettingsError(f"tad.teacher = {settings.tad.teacher}: there is no {file}")
    student = settings.model_dump(mode="json")
    shared = ("size", "workers", "test_batch", "celeb_camera", "cache", "cache_gb", "patience")
    inherited = {
        "data": {key: student["data"][key] for key in shared}
        | {"dataset": settings.tad.external, "root": external_root(settings).as_posix()},
        "backbone": {key: student["backbone"][key] for key in ("name", "pretrained", "last_stride")},
        "compute": student["compute"],
        "tracking": student["tracking"] | {"name": None},
    }
    if settings.schedule.max_steps is not None:  # to try the machinery: the teacher need not learn either
        own = ("epochs", "evaluate_every", "clothes_from", "max_steps")
        inherited["schedule"] = {key: student["schedule"][key] for key in own}
        inherited["optim"] = {key: student["optim"][key] for key in ("milestones", "warmup")}
    tree = merge(read_tree(file), inherited)
    return Loaded(validate(RlqSettings, tree, file.name), file.parent, shlex.quote(str(file)))


def fingerprint(loaded: Loaded) -> str:
    """16 hex digits of all settings that shape a result, the teacher's among them; not of places, pace and names.

    Raises SettingsError when the teacher's file is not there.
    """
    tree = _shaping(loaded.settings)
    del tree["variant"]
    teacher = teacher_experiment(loaded)
    if teacher is not None:
        tree["tad"]["teacher"] = _shaping(teacher.settings)
    elif not loaded.settings.needs_teacher:
        del tree["tad"]["teacher"]
    if not loaded.settings.tad.enabled and not loaded.settings.cap.low_quality:
        tree["tad"] = None  # whatever it says, nothing of it is used
    return _digest(tree)


def teacher_fingerprint(settings: RlqSettings, data: str) -> str:
    """16 hex digits of everything that shapes a teacher: its settings, but for places and pace, and its data."""
    return _digest([_shaping(settings), data])


def _shaping(settings: RlqSettings) -> dict[str, Any]:
    tree = distinctive(settings)
    for section, keys in PLACES.items():
        if keys is None:
            del tree[section]
        else:
            tree[section] = {key: value for key, value in tree[section].items() if key not in keys}
    return tree


def _digest(tree: Any) -> str:
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()[:16]


def _spelled(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
