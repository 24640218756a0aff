import pytest
import torch
from naming import assert_names

from rlq.core.errors import TrainingError
from rlq.training.meters import LossMeter, WaitClock

ROWS = (3, 1, 4, 2, 5, 3, 2)


def values(seed):
    return torch.randn(2, generator=torch.Generator().manual_seed(seed))


def filled(every, broken=None):
    """A meter of seven steps of several sizes; `broken` maps steps to what their second term is."""
    meter = LossMeter("cap", 4, every=every)
    for step, rows in enumerate(ROWS):
        first, second = values(step)
        if step in (broken or {}):
            second = torch.tensor(broken[step])
        meter.add({"a": first, "b": second}, [f"{step}-{row}.png" for row in range(rows)])
    return meter


def test_means_are_of_rows_and_equal_to_the_last_bit_however_seldom_terms_are_looked_at():
    a = sum(values(step)[0].item() * rows for step, rows in enumerate(ROWS)) / sum(ROWS)  # floats, in this order
    found = [filled(every).means() for every in (1, 2, 3, 7, 50)]
    assert found[0]["a"] == a
    assert all(other == found[0] for other in found)


@pytest.mark.parametrize("every", [1, 3, 50])
def test_an_error_names_the_first_bad_step_and_its_pictures_however_late_it_comes(every):
    with pytest.raises(TrainingError, match=r"\bb\b") as raised:
        filled(every, {2: float("inf"), 3: float("nan")}).means()
    assert_names(raised.value, "cap", "inf", "step 2", "epoch 4", "2-0.png, 2-1.png, 2-2.png")


def test_terms_are_looked_at_once_for_so_many_steps():
    meter = LossMeter("cap", 0, every=3)
    for _ in range(2):
        meter.add({"a": torch.tensor(float("nan"))}, ["x.png"])
    with pytest.raises(TrainingError, match="step 0"):
        meter.add({"a": torch.tensor(0.0)}, ["x.png"])


def test_terms_that_only_some_steps_have_are_means_over_those():
    meter = LossMeter("cap", 0, every=2)
    meter.add({"a": torch.tensor(1.0)}, ["x"])
    meter.add({"a": torch.tensor(2.0), "b": torch.tensor(5.0)}, ["x"] * 3)
    assert meter.means() == {"a": 7 / 4, "b": 5.0}


class Mark:
    """An event of a GPU that works two seconds behind the program, at hand-made times."""

    clock = 0.0

    def __init__(self, enable_timing):
        assert enable_timing

    def record(self):
        self.at = Mark.clock

    def elapsed_time(self, until):
        return 1000 * (until.at - self.at)


def test_on_a_gpu_its_own_marks_tell_how_long_it_had_nothing_to_do():
    clock = WaitClock(torch.device("cuda"), Mark)
    for waited, worked in ((1.5, 10.0), (0.0, 10.0), (0.25, 10.0)):
        Mark.clock += waited
        clock.busy()
        Mark.clock += worked
        clock.idle()
    assert clock.seconds() == 1.75


def test_on_a_cpu_the_wait_is_the_time_between_steps(monkeypatch):
    times = iter([0.0, 2.0, 5.0, 6.0, 9.0])
    monkeypatch.setattr("rlq.training.meters.time.monotonic", lambda: next(times))
    clock = WaitClock(torch.device("cpu"))
    clock.busy()
    clock.idle()
    clock.busy()
    clock.idle()
    assert clock.seconds() == 3.0
