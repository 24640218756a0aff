"""What one pass adds up without making a GPU wait: the loss terms of its steps, and the time spent without data."""

import math
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rlq.core.errors import TrainingError
from rlq.core.text import listed

GPU_CHECK_INTERVAL = 50  # between two looks at the terms: each one waits for everything that the GPU was asked to do


class PendingStep(NamedTuple):
    """A step whose terms nobody has looked at yet."""

    number: int
    names: tuple[str, ...]
    values: Tensor  # [terms] float32, on the device
    paths: Sequence[str]


class LossMeter:
    """Means of the terms over rows. Terms stay on the device and are looked at `every` so many steps, all in order, so
    that neither sums nor messages depend on how seldom that is."""

    def __init__(self, name: str, epoch: int, *, every: int) -> None:
        self.name, self.epoch, self.every = name, epoch, every
        self._pending: list[PendingStep] = []
        self._steps = 0
        self._totals: dict[str, float] = defaultdict(float)
        self._rows: dict[str, int] = defaultdict(int)

    def add(self, terms: Mapping[str, Tensor], paths: Sequence[str]) -> None:
        """Note a step's terms, each a mean over its rows, one row per path.

        Raises TrainingError if one of this step or of those before it that nobody has looked at is no finite number.
        """
        values = torch.stack([value.detach().float() for value in terms.values()])
        self._pending.append(PendingStep(self._steps, tuple(terms), values, paths))
        self._steps += 1
        if len(self._pending) >= self.every:
            self._look()

    def means(self) -> dict[str, float]:
        """Each term's mean over the rows of all steps so far. Raises TrainingError as `add` does."""
        self._look()
        return {name: total / self._rows[name] for name, total in self._totals.items()}

    def _look(self) -> None:
        if not self._pending:
            return
        values = iter(torch.cat([step.values for step in self._pending]).tolist())  # the one wait for the device
        taken, self._pending = self._pending, []
        for step in taken:
            rows = len(step.paths)
            for name, value in zip(step.names, values, strict=False):
                if not math.isfinite(value):
                    raise TrainingError(
                        f"{name} of the {self.name} pass is {value} in step {step.number} of epoch {self.epoch}, at "
                        f"the pictures {listed(step.paths, 3)}; a lower optim.lr or compute.precision=float32 may "
                        "help"
                    )
                self._totals[name] += value * rows
                self._rows[name] += rows


class WaitClock:
    """How long the device had nothing to do because no batch was there.

    A GPU works behind the program, which may well wait for the loader while the GPU is still busy: there the gaps
    between steps are measured by the GPU itself. What brings a batch to the device and normalises it there counts as
    waiting for it.
    """

    def __init__(self, device: torch.device, event: Callable[..., Any] = torch.cuda.Event) -> None:
        """The wait for the first batch begins now."""
        self._event = event if device.type == "cuda" else None
        self._gaps: list[tuple[Any, Any]] = []
        self._waited = 0.0
        self.idle()

    def idle(self) -> None:
        """The program has asked for all that a step takes."""
        self._since = self._now()

    def busy(self) -> None:
        """A batch is there."""
        now = self._now()
        if self._event is None:
            self._waited += now - self._since
        else:
            self._gaps.append((self._since, now))

    def seconds(self) -> float:
        """All gaps so far; the device must have come to the end of them."""
        return self._waited + sum(since.elapsed_time(until) for since, until in self._gaps) / 1000

    def _now(self) -> Any:
        if self._event is None:
            return time.monotonic()
        mark = self._event(enable_timing=True)
        mark.record()
        return mark
