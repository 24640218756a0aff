import os
import signal
import threading

import pytest

from rlq.core.errors import RlqError
from rlq.training.signals import STOP_SIGNALS, Stopped, StopRequests, handling, stop_now


@pytest.fixture
def handlers():
    """Handlers of a caller, which only take notes; the ones before are put back afterwards."""
    noted = []
    before = {number: signal.signal(number, lambda n, _: noted.append(n)) for number in STOP_SIGNALS}
    yield noted
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", STOP_SIGNALS)
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


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_second_signal_goes_to_the_callers_own_handler(handlers, number):
    with StopRequests() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert handlers == []
        os.kill(os.getpid(), number)
        assert handlers == [number]
        assert stop.received == signal.SIGTERM


def test_the_callers_handlers_are_back_afterwards_also_after_an_error(handlers):
    before = [signal.getsignal(number) for number in STOP_SIGNALS]
    with StopRequests():
        assert all(signal.getsignal(number) != handler for number, handler in zip(STOP_SIGNALS, before, strict=True))
    assert [signal.getsignal(number) for number in STOP_SIGNALS] == before
    with pytest.raises(ZeroDivisionError), StopRequests():
        raise ZeroDivisionError
    assert [signal.getsignal(number) for number in STOP_SIGNALS] == before


def test_outside_the_main_thread_the_callers_handlers_hold(handlers):
    found = []

    def run():
        with StopRequests() as stop:
            found.append([signal.getsignal(number) for number in STOP_SIGNALS])
            stop.check()

    before = [signal.getsignal(number) for number in STOP_SIGNALS]
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [before]


def test_a_handler_receives_its_signals_for_a_while_and_no_others(handlers):
    received = []
    with handling([signal.SIGTERM], lambda number, _: received.append(number)):
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGTERM)
    assert (received, handlers) == ([signal.SIGTERM], [signal.SIGINT, signal.SIGTERM])


def test_work_that_can_end_at_any_point_is_stopped_at_once(handlers):
    with pytest.raises(Stopped) as caught, handling(STOP_SIGNALS, stop_now):
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("the signal was not delivered")
    assert caught.value.signal_number == signal.SIGINT
    os.kill(os.getpid(), signal.SIGTERM)
    assert handlers == [signal.SIGTERM]
