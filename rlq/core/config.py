"""Settings: files with `extends`, changes by dotted name, and the frozen pydantic models that check them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeGuard, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rlq.core.errors import SettingsError
from rlq.core.text import did_you_mean, listed
from rlq.core.yaml_file import parse_yaml, read_yaml, yaml_text


class Settings(BaseModel):
    """Base of all settings: frozen, unknown keys refused, no silent conversions of booleans to numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)


AnySettings = TypeVar("AnySettings", bound=Settings)


def later(default: Any, **rules: Any) -> Any:
    """A setting that came after results were published: at its default it is left out of fingerprints, so that those
    results are still recognised. Its default means "as before", and never changes."""
    return Field(default, json_schema_extra={"later": True}, **rules)


def merge(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `change` on top; mappings are merged, everything else is replaced."""
    merged = dict(base)
    for key, value in change.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def read_tree(path: Path, base: Path | None = None, _trail: tuple[Path, ...] = ()) -> dict[str, Any]:
    """An experiment file with everything that it extends, as one tree. `extends` is relative to its own file.

    `base` takes the place of what the file itself extends. Raises SettingsError when it extends nothing.
    """
    path = path.resolve()
    if path in _trail:
        raise SettingsError(f"{path} extends itself, by way of {' -> '.join(p.name for p in (*_trail, path))}")
    tree = read_yaml(path)
    parent = tree.pop("extends", None)
    if base is not None:
        if parent is None:
            raise SettingsError(f"{path} extends no file that {base} could take the place of")
        parent = str(base.resolve())
    if parent is None:
        return tree
    if not isinstance(parent, str):
        raise SettingsError(f"{path}: extends should name one file, not {parent!r}")
    return merge(read_tree(path.parent / parent, None, (*_trail, path)), tree)


def apply_changes(tree: Mapping[str, Any], changes: Iterable[str]) -> dict[str, Any]:
    """Put changes such as "optim.lr=1e-4" into a tree; the value is read as YAML."""
    merged = dict(tree)
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals or not name.strip():
            raise SettingsError(f"--set {change!r} should read NAME=VALUE, such as optim.lr=1e-4")
        try:
            value = parse_yaml(text) if text.strip() else None
        except SettingsError as error:
            raise SettingsError(f"--set {change!r}: the value {error}") from error
        merged = with_values(merged, {name.strip(): value})
    return merged


def with_values(tree: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Put values by their dotted names into a tree, as apply_changes does with text."""
    merged = dict(tree)
    for name, value in values.items():
        branch: Any = value
        for part in reversed(name.split(".")):
            branch = {part: branch}
        merged = merge(merged, branch)
    return merged


def validate(model: type[AnySettings], tree: Mapping[str, Any], origin: str) -> AnySettings:
    """Check a tree against a model. Raises SettingsError with every mistake and the nearest known key."""
    try:
        return model.model_validate(dict(tree))
    except ValidationError as error:
        names = known_names(model)
        lines = [_explain(one, sorted({*names, *_names_beside(model, one["loc"])})) for one in error.errors()]
        raise SettingsError(f"{origin}: " + "; ".join(dict.fromkeys(lines))) from error


def _explain(mistake: Mapping[str, Any], known: list[str]) -> str:
    name = ".".join(str(part) for part in mistake["loc"])
    if mistake["type"] == "extra_forbidden":
        siblings = [k for k in known if k.rpartition(".")[0] == name.rpartition(".")[0]]
        hint = did_you_mean(name, known) or f"known here: {', '.join(siblings or known)}"
        return f"unknown setting {name}; {hint}"
    if mistake["type"] == "missing":
        return f"{name} is missing"
    if mistake["type"] == "model_type":
        return f"{name} = {mistake['input']!r}: holds settings of its own, as in {name}.NAME=VALUE"
    message = mistake["msg"].removeprefix("Value error, ")
    about_several = mistake["type"] == "value_error" and isinstance(mistake["input"], Mapping)
    if not name or about_several:  # a rule about several settings names them itself
        return message
    return f"{name} = {mistake['input']!r}: {message}"


def _names_beside(model: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    """Return the names that are known where a mistake is, such as rows.0.settings, also within lists and mappings."""
    kind: Any = model
    for part in place[:-1]:
        if _is_model(kind):
            field = kind.model_fields.get(str(part))
            kind = field.annotation if field else None
        else:  # a list or a mapping: go on with its elements
            kind = next((element for element in reversed(get_args(kind)) if element is not ...), None)
    return known_names(kind, "".join(f"{part}." for part in place[:-1])) if _is_model(kind) else []


def _is_model(kind: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def complaints(error: ValidationError) -> str:
    """Return the first few mistakes in a file that a program wrote."""
    mistakes = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}".removeprefix(": ") for one in error.errors()]
    return listed(mistakes, 3, "; ")


def known_names(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Every dotted name that a model knows, sections included."""
    names = []
    for key, field in model.model_fields.items():
        names.append(prefix + key)
        if _is_model(field.annotation):
            names += known_names(field.annotation, f"{prefix}{key}.")
    return names


def flatten(settings: BaseModel) -> dict[str, Any]:
    """The settings by their dotted names, as `--set`, sweeps and MLflow call them."""

    def walk(tree: Mapping[str, Any], prefix: str) -> dict[str, Any]:
        flat: dict[str, Any] = {}
        for key, value in tree.items():
            flat |= walk(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
        return flat

    return walk(settings.model_dump(mode="json"), "")


def distinctive(settings: BaseModel) -> dict[str, Any]:
    """The settings as fingerprints see them: all of them, but for later ones at their default."""
    dumped, found = settings.model_dump(mode="json"), {}
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            found[name] = distinctive(value)
        else:
            extra = field.json_schema_extra
            if not (isinstance(extra, dict) and extra.get("later") and value == field.default):
                found[name] = dumped[name]
    return found


def replaced(settings: AnySettings, name: str, value: Any) -> AnySettings:
    """Return settings with one value, by its dotted name, replaced; the value is not checked."""
    section, dot, rest = name.partition(".")
    return settings.model_copy(update={section: replaced(getattr(settings, section), rest, value) if dot else value})


def to_yaml(settings: BaseModel) -> str:
    """The resolved settings as a YAML file that loads to the same settings."""
    return yaml_text(settings.model_dump(mode="json"))
