"""What a fault is, and what it gives back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from chaos.scene import Scene

Kind = Literal["kill", "starve", "corrupt", "race"]


@dataclass(frozen=True)
class Outcome:
    """A fault that was survived, or that could not be tried here."""

    tried: int  # how many times something was killed, starved, corrupted or raced
    compared: str  # with what, in words: "weights and metrics of the undisturbed run"
    details: dict[str, Any] = field(default_factory=dict)  # goes into the report
    not_tried: str = ""  # why nothing was inflicted on this machine, which then counts as neither survived nor failed


def not_tried(why: str) -> Outcome:
    """This machine or its user does not allow the fault."""
    return Outcome(0, "", not_tried=why)


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong, in a scene of its own. It has failed where `inflict` raises."""

    name: str
    kind: Kind
    inflict: "Callable[[Scene], Outcome]"  # AssertionError says what was lost
    short: bool = False  # part of the short form
