import os
import re
import signal
import time
from typing import NamedTuple

import pytest
import torch
from naming import assert_names
from torch import Tensor, nn

from rlq.core.console import Console
from rlq.core.distributed import Place
from rlq.core.errors import TrainingError
from rlq.core.settings import ScheduleSettings
from rlq.tracking import MemoryTracker
from rlq.training.checkpoint import load_state, load_weights
from rlq.training.loop import WAIT_HINT, Job, Pass, fit
from rlq.training.signals import Stopped

CPU, QUIET = Place(torch.device("cpu")), Console(quiet=True)
STEPS, ROWS = 4, 3


class ToyBatch(NamedTuple):
    images: Tensor  # [rows, 2]
    paths: tuple[str, ...]


class Toy:
    """A line that follows noise: every batch depends on the epoch, every step on torch's global generator too."""

    def __init__(self, folder, rows=(ROWS,) * STEPS):
        torch.manual_seed(0)
        self.layer = nn.Linear(2, 1)
        self.optimiser = torch.optim.Adam(self.layer.parameters())
        self.rows, self.epoch, self.taken = rows, 0, 0
        self.interrupt = lambda taken: None  # called with the number of the step in this run
        self.loss_of = lambda loss, taken: loss
        self.marks = iter(range(100))  # as many evaluations
        self.merits = [0.1, 0.3, 0.2, 0.3, 0.1, 0.0]  # rank1 of each epoch
        self.job = Job(
            passes=[Pass("toy", self.step, self, self.begin)],
            modules={"network": self.layer},
            optimisers={"model": self.optimiser},
            set_rates=self.set_rates,
            evaluate=self.evaluate,
            folder=folder,
            describe=lambda there: (there / "config.json").write_text(f"epoch {self.epoch}"),
        )

    def __iter__(self):
        generator = torch.Generator().manual_seed(self.epoch)
        for number, rows in enumerate(self.rows):
            yield ToyBatch(torch.randn(rows, 2, generator=generator), tuple(f"{number}-{n}.png" for n in range(rows)))

    def begin(self, epoch):
        self.epoch = epoch

    def set_rates(self, epoch):
        self.optimiser.param_groups[0]["lr"] = 0.1 / (1 + epoch)
        return {"lr/model": 0.1 / (1 + epoch)}

    def step(self, batch):
        self.interrupt(self.taken)
        loss = (self.layer(batch.images) - torch.randn(len(batch.paths), 1)).square().mean()
        loss = self.loss_of(loss, self.taken)
        self.taken += 1
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return {"square": loss.detach(), "total": loss.detach(), "data/steps": torch.tensor(float(self.taken))}

    def evaluate(self):
        weight = self.layer.weight.detach().abs().sum().item()
        return {"CC/rank1": self.merits[self.epoch], "CC/mAP": weight, "SC/rank1": None}

    def fit(self, tracker=None, *, resume=False, epochs=4, evaluate_every=1):
        schedule = ScheduleSettings(epochs=epochs, evaluate_every=evaluate_every)
        tracker = tracker or MemoryTracker()
        return fit(self.job, schedule, tracker=tracker, place=CPU, console=QUIET, resume=resume)


def test_every_metric_of_an_epoch_is_logged_at_its_step(tmp_path):
    toy, tracker = Toy(tmp_path), MemoryTracker()
    toy.fit(tracker, epochs=3, evaluate_every=2)
    steps = {name: sorted(values) for name, values in tracker.metrics.items()}
    every = {"loss/toy/square", "loss/toy/total", "data/steps", "lr/model"}
    every |= {"speed/toy_images_per_s", "speed/toy_data_wait"}
    assert {name for name, at in steps.items() if at == [0, 1, 2]} == every
    for name in every:
        del steps[name]
    assert steps.pop("CC/rank1") == steps.pop("CC/mAP") == [1, 2]  # every second epoch, and the last one
    summary = {f"{kind}/CC/{name}" for kind in ("best", "last", "paper") for name in ("rank1", "mAP")}
    assert steps.keys() == summary | {"best/epoch"}
    assert all(at == [0] for at in steps.values())
    assert tracker.metrics["lr/model"] == {0: 0.1, 1: 0.05, 2: 0.1 / 3}


def test_a_term_is_the_mean_over_rows_not_over_batches(tmp_path):
    toy, tracker = Toy(tmp_path, rows=(1, 5)), MemoryTracker()
    toy.fit(tracker, epochs=1)
    assert tracker.metrics["data/steps"][0] == pytest.approx((1 * 1 + 5 * 2) / 6)


def test_the_run_keeps_the_weights_of_the_best_epoch_and_of_the_last(tmp_path):
    toy, kept = Toy(tmp_path), {}
    evaluate = toy.job.evaluate

    def noting():
        kept[toy.epoch] = toy.layer.weight.detach().clone()
        return evaluate()

    toy.job.evaluate = noting
    toy.merits = [0.1, 0.9, 0.2]
    history = toy.fit(epochs=3)
    assert history.best_epoch == 1
    assert torch.equal(load_weights(tmp_path / "best" / "model.safetensors")["weight"], kept[1])
    assert torch.equal(load_weights(tmp_path / "last" / "model.safetensors")["weight"], kept[2])
    assert (tmp_path / "best" / "config.json").read_text() == "epoch 1"
    assert (tmp_path / "last" / "config.json").read_text() == "epoch 2"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_the_run_and_names_term_step_and_pictures(tmp_path, value):
    toy, tracker = Toy(tmp_path), MemoryTracker()
    toy.loss_of = lambda loss, taken: loss * value if taken == STEPS + 2 else loss
    with pytest.raises(TrainingError) as raised:
        toy.fit(tracker)
    assert_names(raised.value, "square", "toy", value, "step 2", "epoch 1", "2-0.png, 2-1.png, 2-2.png")
    assert sorted(tracker.metrics["loss/toy/total"]) == [0]
    state = load_state(tmp_path / "last.pt")
    assert state["epoch"] == 1
    assert torch.isfinite(state["modules"]["network"]["weight"]).all()


class Interruption(Exception):
    """Something outside went wrong."""


@pytest.mark.parametrize("at", [0, 2, STEPS, 2 * STEPS + 1, 4 * STEPS - 1])
def test_a_run_that_broke_and_goes_on_equals_one_that_never_did(tmp_path, at):
    def interrupt(taken):
        if taken == at:
            raise Interruption

    whole, whole_tracker = Toy(tmp_path / "whole"), MemoryTracker()
    wanted = whole.fit(whole_tracker)
    tracker, broken = MemoryTracker(), Toy(tmp_path / "broken")
    broken.interrupt = interrupt
    with pytest.raises(Interruption):
        broken.fit(tracker)
    torch.manual_seed(99)  # the process that goes on is another one
    resumed = Toy(tmp_path / "broken")
    nn.init.zeros_(resumed.layer.weight)
    torch.manual_seed(99)
    found = resumed.fit(tracker, resume=True)

    assert found == wanted
    assert torch.equal(resumed.layer.weight, whole.layer.weight)
    assert torch.equal(resumed.layer.bias, whole.layer.bias)
    for name in ("best", "last"):
        file = f"{name}/model.safetensors"
        assert (tmp_path / "broken" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()
    same = [name for name in whole_tracker.metrics if not name.startswith(("speed/", "data/"))]
    assert {name: tracker.metrics[name] for name in same} == {name: whole_tracker.metrics[name] for name in same}


def test_resuming_what_never_started_starts_and_not_resuming_starts_anew(tmp_path):
    first = Toy(tmp_path)
    wanted = first.fit(resume=True, epochs=2)
    again = Toy(tmp_path)
    torch.manual_seed(5)
    assert again.fit(epochs=2) != wanted
    assert again.taken == 2 * STEPS


def test_resuming_a_finished_run_trains_no_further(tmp_path):
    wanted = Toy(tmp_path).fit(epochs=2)
    again = Toy(tmp_path)
    assert again.fit(resume=True, epochs=2) == wanted
    assert again.taken == 0


@pytest.mark.parametrize(("number", "at"), [(signal.SIGTERM, 5), (signal.SIGINT, 5), (signal.SIGTERM, 2 * STEPS - 1)])
def test_a_signal_stops_between_two_steps_and_the_run_can_go_on(tmp_path, number, at):
    before = signal.getsignal(number)
    whole = Toy(tmp_path / "whole")
    wanted = whole.fit()
    stopped = Toy(tmp_path / "stopped")
    stopped.interrupt = lambda taken: os.kill(os.getpid(), number) if taken == at else None
    with pytest.raises(Stopped, match=signal.Signals(number).name):
        stopped.fit()
    assert stopped.taken == at + 1  # the step was finished, the next one not begun
    assert signal.getsignal(number) == before
    assert load_state(tmp_path / "stopped" / "last.pt")["epoch"] == (at + 1) // STEPS
    resumed = Toy(tmp_path / "stopped")
    assert resumed.fit(resume=True) == wanted
    assert torch.equal(resumed.layer.weight, whole.layer.weight)


def test_data_workers_that_die_of_the_same_signal_do_not_hide_that_the_run_was_asked_to_stop(tmp_path):
    def signalled(taken: int) -> None:
        if taken == 5:
            os.kill(os.getpid(), signal.SIGTERM)
            raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Terminated.")

    toy = Toy(tmp_path)
    toy.interrupt = signalled
    with pytest.raises(Stopped, match="SIGTERM") as stop:
        toy.fit()
    assert "is killed by signal" in str(stop.value.__cause__)


def test_passes_take_turns_in_their_order_and_each_is_told_the_epoch(tmp_path):
    toy, order = Toy(tmp_path), []
    first = Pass("one", toy.step, toy, lambda epoch: order.append(("one", epoch)))
    second = Pass("two", toy.step, toy, lambda epoch: order.append(("two", epoch)))
    toy.job.passes, tracker = [first, second], MemoryTracker()
    toy.fit(tracker, epochs=2)
    assert order == [("one", 0), ("two", 0), ("one", 1), ("two", 1)]
    assert {"loss/one/total", "loss/two/total", "speed/one_data_wait", "speed/two_data_wait"} <= tracker.metrics.keys()


def test_each_epoch_is_told_in_one_line(tmp_path, capsys):
    toy = Toy(tmp_path)
    schedule = ScheduleSettings(epochs=2, evaluate_every=2)
    fit(toy.job, schedule, tracker=MemoryTracker(), place=CPU, console=Console())
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("epoch 1/2 ")
    assert "toy" in first
    assert "CC/rank1" not in first
    assert "epoch 2/2" in second
    assert_names(second, "CC/rank1 30.0 %", "best")


@pytest.mark.parametrize(("pause", "told"), [(0.3, True), (0.0, False)])
def test_waiting_for_data_is_told_where_it_matters_and_what_helps_once(tmp_path, capsys, pause, told):
    class Slow(Toy):
        def __iter__(self):
            for batch in super().__iter__():
                time.sleep(pause)
                yield batch

    toy = Slow(tmp_path)
    fit(toy.job, ScheduleSettings(epochs=2, evaluate_every=2), tracker=MemoryTracker(), place=CPU, console=Console())
    shown = capsys.readouterr().out.splitlines()
    shares = [re.findall(r"(?<![\d.])\d+(?= ?%)", line) for line in shown if line.startswith("epoch ")]
    assert [len(found) for found in shares] == ([1, 1] if told else [0, 0])  # rates have a decimal point
    assert [line for line in shown if "data.workers" in line] == ([WAIT_HINT] if told else [])
    assert not told or 80 < int(shares[0][0]) <= 100
