"""In which line of a YAML file a thing stands, for messages."""

from collections.abc import Sequence
from pathlib import Path

import yaml

Place = Sequence[str | int]  # the keys and list positions that lead to it


class Lines:
    """The lines of one file by place; a place that the file lacks counts as the nearest one around it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._lines: dict[tuple[str | int, ...], int] = {}
        root = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        if root is not None:
            self._note(root, (), root.start_mark.line + 1)

    def of(self, *place: str | int) -> int:
        while place and place not in self._lines:
            place = place[:-1]
        return self._lines.get(place, 1)

    def at(self, *place: str | int) -> str:
        """How a message begins: the file's name and the line."""
        return f"{self.file.name}, line {self.of(*place)}"

    def _note(self, node: yaml.Node, place: tuple[str | int, ...], line: int) -> None:
        self._lines[place] = line
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                self._note(value, (*place, str(key.value)), key.start_mark.line + 1)
        elif isinstance(node, yaml.SequenceNode):
            for position, value in enumerate(node.value):
                self._note(value, (*place, position), value.start_mark.line + 1)
