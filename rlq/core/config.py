"""Experiment files: YAML with `extends`, changes by dotted name, checked against frozen pydantic models."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rlq.core.errors import SettingsError
from rlq.core.text import did_you_mean, listed


class Settings(BaseModel):
    """Base of all settings: frozen, unknown keys refused, no silent conversions of booleans to numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)


AnySettings = TypeVar("AnySettings", bound=Settings)


def later(default: Any, **rules: Any) -> Any:
    """A setting that came after results were published: at its default it is left out of fingerprints, so that those
    results are still recognised. Its default means "as before", and never changes."""
    return Field(default, json_schema_extra={"later": True}, **rules)


MOST_VALUES = 100_000  # in one file, aliases unfolded
LONGEST = 1_000_000  # letters of one file
NAME_TAGS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge")  # of what stands before a colon
DEEPEST = 100  # brackets in brackets


class _Loader(yaml.SafeLoader):
    """A safe loader with the plain words of YAML 1.2: `on` and `no` are words, `1e-4` is a number, `12:30` is text.

    It also refuses a key given twice, where PyYAML would keep the last one without a word.
    """

    def fetch_flow_collection_start(self, token: type[yaml.Token]) -> None:
        """Refuse depths at which PyYAML takes hours."""
        if self.flow_level >= DEEPEST:
            raise yaml.YAMLError(f"brackets in brackets, more than {DEEPEST} deep, in line {self.line + 1}")
        super().fetch_flow_collection_start(token)

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own form
        first: [(tag, pattern) for tag, pattern in pairs if tag.rpartition(":")[2] in ("null", "merge")]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_PLAIN_WORDS = {
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?[0-9]+", "-+0123456789"),
    "float": (r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan", "-+.0123456789"),
}
for _tag, (_pattern, _first) in _PLAIN_WORDS.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first))


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    seen: dict[str, int] = {}
    for key_node, _ in node.value:
        key, line = str(key_node.value), key_node.start_mark.line + 1
        if key in seen:
            raise SettingsError(f"is contradictory: {key} is given twice, in lines {seen[key]} and {line}; keep one")
        seen[key] = line
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def parse_yaml(text: str) -> Any:
    """What a YAML text says. Raises SettingsError, whose message follows the name of the text, also for what would be
    valid but is never meant: tags, which make Python objects, and aliases that unfold to more than anybody wrote."""
    if len(text) > LONGEST:
        raise SettingsError(f"is no file of settings: it has {len(text):,} letters, more than {LONGEST:,}")
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _check_node(loader, node)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except RecursionError as error:
        raise SettingsError("is not valid YAML: it has brackets in brackets, hundreds deep") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a number of thousands of digits
        raise SettingsError(f"is not valid YAML: {' '.join(str(error).split())}") from error


def _check_node(loader: _Loader, root: yaml.Node) -> None:
    """Refuse names that are none, tags, and aliases that name what they are part of or unfold to too much."""
    sizes: dict[yaml.Node, int] = {}  # of what is finished, with everything in it
    open_nodes: set[yaml.Node] = set()

    def measure(node: yaml.Node) -> int:
        line = node.start_mark.line + 1
        if node in open_nodes:
            raise SettingsError(f"is not valid YAML here: line {line} has an alias of what it is part of")
        if node in sizes:
            return sizes[node]
        open_nodes.add(node)
        _check_tag(loader, node, line)
        inner: list[yaml.Node] = []
        if isinstance(node, yaml.SequenceNode):
            inner = node.value
        elif isinstance(node, yaml.MappingNode):
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode) or key.tag not in NAME_TAGS:
                    place = f"line {key.start_mark.line + 1}"
                    raise SettingsError(f"is not valid YAML here: {place} has something else than a word for a name")
            inner = [part for pair in node.value for part in pair]
        sizes[node] = 1 + sum(map(measure, inner))
        open_nodes.remove(node)
        if sizes[node] > MOST_VALUES:
            raise SettingsError(f"holds more than {MOST_VALUES:,} values from line {line} on, its aliases unfolded")
        return sizes[node]

    measure(root)


def _check_tag(loader: _Loader, node: yaml.Node, line: int) -> None:
    """Only what the words say by themselves, and !!str."""
    if isinstance(node, yaml.ScalarNode):
        node.value.encode()  # half a letter, which an escape may name, can be written nowhere
        usual = loader.resolve(yaml.ScalarNode, node.value, (node.style is None, node.style is not None))
        allowed = {usual, "tag:yaml.org,2002:str"}
    else:
        allowed = {loader.DEFAULT_SEQUENCE_TAG if isinstance(node, yaml.SequenceNode) else loader.DEFAULT_MAPPING_TAG}
    if node.tag not in allowed:
        tag = node.tag.replace("tag:yaml.org,2002:", "!!")
        raise SettingsError(f"is not valid YAML here: line {line} has the tag {tag}; only plain values are read")


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in one YAML file. Raises SettingsError that names the file and the line."""
    try:
        tree = parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not valid YAML: {error}") from error
    except SettingsError as error:
        raise SettingsError(f"{path} {error}") from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise SettingsError(f"{path} should hold settings as `name: value`, it holds a {type(tree).__name__}")
    return tree


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
        known = sorted(known_names(model))
        lines = [_explain(mistake, known) for mistake in error.errors()]
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
    if not name or isinstance(mistake["input"], Mapping):  # a rule about several settings names them itself
        return message
    return f"{name} = {mistake['input']!r}: {message}"


def complaints(error: ValidationError) -> str:
    """Return the first few mistakes in a file that a program wrote."""
    mistakes = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}".removeprefix(": ") for one in error.errors()]
    return listed(mistakes, 3, "; ")


def known_names(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Every dotted name that a model knows, sections included."""
    names = []
    for key, field in model.model_fields.items():
        names.append(prefix + key)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
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
    return yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, default_flow_style=None, width=110)
