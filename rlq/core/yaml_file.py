"""YAML 1.2 as people write it in settings: plain values only, every name once, and no more than people write."""

import io
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.composer import MaxDepthExceededError
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.representer import SafeRepresenter
from ruamel.yaml.resolver import VersionedResolver

from rlq.core.errors import SettingsError

MOST_VALUES = 100_000  # in one file, aliases unfolded
LONGEST = 1_000_000  # letters of one file
DEEPEST = 100  # levels of lists and mappings in each other, aliases unfolded
MOST_DIGITS = 1000  # of a whole number
TAG = "tag:yaml.org,2002:"
NAME_TAGS = (f"{TAG}str", f"{TAG}merge")  # what may stand before a colon
TOO_DEEP = f"brackets in brackets, more than {DEEPEST} deep"


class _Resolver(VersionedResolver):
    """Read every file by the rules of YAML 1.2, whatever version it names: `on` and `no` are words."""

    @property
    def processing_version(self) -> tuple[int, int]:
        return 1, 2


class _Constructor(SafeConstructor):
    """Make plain values of documents that `_check` accepts."""

    def construct_document(self, node: Node) -> Any:
        _check(node, self.resolver)
        return super().construct_document(node)


for _kind in ("timestamp", "value"):  # dates and a lone = are text
    _Constructor.add_constructor(TAG + _kind, SafeConstructor.construct_yaml_str)


class _Representer(SafeRepresenter):
    """Write lists in one line, as people do in settings, and 1e-05 as 1.0e-05, which YAML 1.1 needs for a number."""

    def represent_list(self, data: list[Any]) -> SequenceNode:
        return self.represent_sequence(f"{TAG}seq", data, flow_style=True)

    def represent_float(self, data: float) -> ScalarNode:
        node = super().represent_float(data)
        if "." not in node.value:
            node.value = node.value.replace("e", ".0e")
        return node


_Representer.add_representer(list, _Representer.represent_list)
_Representer.add_representer(float, _Representer.represent_float)


def parse_yaml(text: str) -> Any:
    """Return the value of a YAML text.

    Raises SettingsError, whose message continues after the name of the text. It also refuses what is valid but never
    meant: tags, which make Python objects, names given twice, and aliases that unfold to more than anybody writes.
    """
    if len(text) > LONGEST:
        raise SettingsError(f"is no file of settings: it has {len(text):,} letters, more than {LONGEST:,}")
    reader = _reader()
    reader.Constructor = _Constructor
    try:
        return reader.load(text)
    except MaxDepthExceededError as error:
        raise SettingsError(f"is not valid YAML here: line {_line(error)} has {TOO_DEEP}") from error
    except (YAMLError, ValueError) as error:  # ValueError: such as half of a surrogate pair, or -_ for a number
        raise SettingsError(f"is not valid YAML: {' '.join(str(error).split())}") from error


def value_lines(text: str) -> dict[tuple[str | int, ...], int]:
    """Return the line of every value in a text that `parse_yaml` accepts, by its place: the keys and list positions
    that lead to it. A named value has the line of its name."""
    lines: dict[tuple[str | int, ...], int] = {}

    def note(node: Node, place: tuple[str | int, ...], start: Node) -> None:
        lines[place] = start.start_mark.line + 1
        if isinstance(node, MappingNode):
            for key, value in node.value:
                note(value, (*place, str(key.value)), key)
        elif isinstance(node, SequenceNode):
            for position, value in enumerate(node.value):
                note(value, (*place, position), value)

    root = _reader().compose(text)
    if root is not None:
        note(root, (), root)
    return lines


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file. Raises SettingsError that names the file and the line."""
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


def yaml_text(tree: Mapping[str, Any]) -> str:
    """Return a tree of plain values as YAML that reads back equal: a line per value or list, in the tree's order."""
    writer = YAML(typ="safe", pure=True)
    writer.Representer = _Representer
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment] # None is its default there
    writer.default_flow_style = False
    writer.width = sys.maxsize  # ruamel.yaml loses blanks where it folds long text
    text = io.StringIO()
    writer.dump(dict(tree), text)
    return text.getvalue()


def _reader() -> YAML:
    reader = YAML(typ="safe", pure=True)
    reader.Resolver = _Resolver
    reader.max_depth = DEEPEST
    reader.composer.warn_double_anchors = False  # YAML 1.2 allows an anchor to be used again
    return reader


def _line(error: MaxDepthExceededError) -> int:
    return error.problem_mark.line + 1


class _Extent(NamedTuple):
    """How much a node holds, itself included."""

    values: int
    levels: int


def _check(root: Node, resolver: VersionedResolver) -> None:
    """Refuse tags, names that are none or given twice, and aliases that name what they are part of or unfold to too
    much."""
    extents: dict[Node, _Extent] = {}  # of finished nodes
    unfinished: set[Node] = set()

    def measure(node: Node) -> _Extent:
        line = node.start_mark.line + 1
        if node in unfinished:
            raise SettingsError(f"is not valid YAML here: line {line} has an alias of what it is part of")
        if node not in extents:
            unfinished.add(node)
            _check_tag(node, resolver)
            inner = [measure(part) for part in _parts(node)]
            values, levels = 1 + sum(one.values for one in inner), 1 + max((one.levels for one in inner), default=0)
            if values > MOST_VALUES:
                raise SettingsError(f"holds more than {MOST_VALUES:,} values from line {line} on, its aliases unfolded")
            if levels > DEEPEST:
                raise SettingsError(f"is not valid YAML here: line {line} has {TOO_DEEP}, its aliases unfolded")
            unfinished.remove(node)
            extents[node] = _Extent(values, levels)
        return extents[node]

    measure(root)


def _parts(node: Node) -> list[Node]:
    """Return the nodes in a list or mapping; of a mapping, after a check of its names."""
    if isinstance(node, SequenceNode):
        return node.value
    if not isinstance(node, MappingNode):
        return []
    lines: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, ScalarNode) or key.tag not in NAME_TAGS:
            raise SettingsError(f"is not valid YAML here: line {line} has something else than a word for a name")
        if key.value in lines:
            first = lines[key.value]
            raise SettingsError(f"is contradictory: {key.value} is given twice, in lines {first} and {line}; keep one")
        lines[key.value] = line
    return [part for pair in node.value for part in pair]


def _check_tag(node: Node, resolver: VersionedResolver) -> None:
    """Refuse every tag but the one that the value has anyway, and !!str."""
    line = node.start_mark.line + 1
    if isinstance(node, ScalarNode):
        node.value.encode()  # half of a surrogate pair, which an escape may name, cannot be written to any file
        if node.tag == f"{TAG}int" and len(node.value) > MOST_DIGITS:
            raise SettingsError(f"is not valid YAML here: line {line} has a number of {len(node.value)} digits")
        is_plain = node.style is None
        allowed = {str(resolver.resolve(ScalarNode, node.value, (is_plain, not is_plain))), f"{TAG}str"}
    else:
        allowed = {f"{TAG}seq" if isinstance(node, SequenceNode) else f"{TAG}map"}
    if node.tag not in allowed:
        tag = str(node.tag).replace(TAG, "!!")
        raise SettingsError(f"is not valid YAML here: line {line} has the tag {tag}; only plain values are read")
