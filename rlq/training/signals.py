"""Signal handlers for a while, and a clean stop on Ctrl-C and SIGTERM: between two steps, with everything saved."""

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

from rlq.core.errors import RlqError

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
Handler = Callable[[int, FrameType | None], object]


class Stopped(RlqError):
    """A signal asked the run to stop. `signal_number` gives the exit status, 128 + number."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signal_number).name}")
        self.signal_number = signal_number


@contextmanager
def handling(numbers: Iterable[int], handler: Handler) -> Iterator[None]:
    """Let `handler` receive these signals; afterwards the handlers from before are back.

    Python allows handlers in the main thread only: in others this changes nothing.
    """
    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def stop_now(number: int, _frame: FrameType | None) -> None:
    """Raise Stopped: a handler for work that can end at any point."""
    raise Stopped(number)


class StopRequests:
    """While entered, note SIGINT and SIGTERM; a second one goes to the handlers from before, which usually end the
    process at once."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._handling = ExitStack()

    def __enter__(self) -> "StopRequests":
        self._handling.enter_context(handling(STOP_SIGNALS, self._note))
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, _: object) -> None:
        self._handling.close()
        if self.received is not None and error is not None and not isinstance(error, Stopped):
            # A launcher signals the data workers too; the error of their death must not hide the request to stop.
            raise Stopped(self.received) from error

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.received = number
        self._handling.close()

    def check(self) -> None:
        """Raise Stopped if a signal came."""
        if self.received is not None:
            raise Stopped(self.received)
