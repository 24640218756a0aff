"""Stop cleanly on Ctrl-C and SIGTERM: between two steps, with everything saved."""

import signal
from types import FrameType
from typing import Any

from rlq.core.errors import RlqError


class Stopped(RlqError):
    """The run was asked to stop. `signal_number` gives the exit status, 128 + number."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signal_number).name}")
        self.signal_number = signal_number


class StopRequests:
    """While entered, note SIGINT and SIGTERM instead of dying; a second one ends the process at once."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "StopRequests":
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        except ValueError:  # not the main thread, where Python allows no handlers: the caller's own rules hold
            self._before.clear()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, _: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self.received is not None and error is not None and not isinstance(error, Stopped):
            # A launcher signals the data workers as well; that they die must not hide that all was asked to stop.
            raise Stopped(self.received) from error

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.received = number
        for name, handler in self._before.items():
            signal.signal(name, handler)

    def check(self) -> None:
        """Raise Stopped if a signal came."""
        if self.received is not None:
            raise Stopped(self.received)
