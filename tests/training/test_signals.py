import os
import signal
import threading

import pytest

from rlq.core.errors import RlqError
from rlq.training.signals import Stopped, StopRequests

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture
def handlers():
    """Handlers of a caller, which only take notes; the ones before are put back afterwards."""
    noted = []
    before = {number: signal.signal(number, lambda n, _: noted.append(n)) for number in SIGNALS}
    yield noted
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_noted_and_raised_at_the_next_check(handlers, number):
    with StopRequests() as stop:
        stop.check()
        os.kill(os.getpid(), number)
        assert stop.received == number
        with pytest.raises(Stopped, match=signal.Signals(number).name) as caught:
            stop.check()
    assert caught.value.signal_number == number
    assert isinstance(caught.value, RlqError)
    assert handlers == []


@pytest.mark.parametrize("number", SIGNALS)
def test_a_second_signal_goes_to_the_callers_own_handler(handlers, number):
    with StopRequests() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert handlers == []
        os.kill(os.getpid(), number)
        assert handlers == [number]
        assert stop.received == signal.SIGTERM


def test_the_callers_handlers_are_back_afterwards_also_after_an_error(handlers):
    before = [signal.getsignal(number) for number in SIGNALS]
    with StopRequests():
        assert all(signal.getsignal(number) != handler for number, handler in zip(SIGNALS, before, strict=True))
    assert [signal.getsignal(number) for number in SIGNALS] == before
    with pytest.raises(ZeroDivisionError), StopRequests():
        raise ZeroDivisionError
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_outside_the_main_thread_the_callers_handlers_hold(handlers):
    found = []

    def run():
        with StopRequests() as stop:
            found.append([signal.getsignal(number) for number in SIGNALS])
            stop.check()

    before = [signal.getsignal(number) for number in SIGNALS]
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [before]
