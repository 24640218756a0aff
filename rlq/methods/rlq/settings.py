"""Settings of the method RLQ: the whole content of an experiment file. The defaults are those of the released code."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from rlq.core.settings import ExperimentSettings
from rlq.data.catalogue import Reading
from rlq.methods.rlq.sections import (
    CapSettings,
    ClothesSettings,
    LossSettings,
    RlqDataSettings,
    RlqOptimSettings,
    RlqScheduleSettings,
    TadSettings,
)

Branch = Literal["cal", "bot"]

TARGET = "target"  # as tad.external: the set that is trained on


class RlqSettings(ExperimentSettings):
    """One experiment of RLQ."""

    method: Literal["rlq"] = "rlq"
    init_from: str | None = None  # run folder, weights folder or .safetensors with the initial weights
    branches: tuple[Branch, ...] = ("cal", "bot")  # [cal, bot], [cal] or [bot]
    order: tuple[Literal["tad", "cap"], ...] = ("tad", "cap")  # passes of an epoch, in their order
    data: RlqDataSettings
    cap: CapSettings = CapSettings()
    tad: TadSettings = TadSettings()
    clothes: ClothesSettings = ClothesSettings()
    losses: LossSettings = LossSettings()
    optim: RlqOptimSettings = RlqOptimSettings()
    schedule: RlqScheduleSettings = RlqScheduleSettings()

    def problems(self) -> Iterator[str]:
        """Yield a sentence for each conflict between settings that are valid by themselves."""
        yield from self._branch_problems()
        yield from self._external_problems()
        yield from self._schedule_problems()
        yield from super().problems()

    @property
    def title(self) -> str:
        """Return the name for tables and tags: `variant`, or the paper's words for the parts that are on."""
        if self.variant is not None:
            return self.variant
        pose, gender, one = self.cap.pose.enabled, self.cap.gender.enabled, len(self.branches) == 1
        attributes = "CAP" if pose and gender else "P" if pose else "G" if gender else None
        whole = self.needs_teacher and attributes == "CAP" and not one
        base = "RLQ" if whole else {"cal": "CAL", "bot": "BoT"}[self.branches[0]] if one else "BM"
        parts = [base]
        if self.branches == ("cal",) and self.losses.triplet:
            parts.append("triplet")
        if one and self.clothes.augment:
            parts.append("aug")
        if self.cap.low_quality:
            parts.append("LQ")
        if self.tad.enabled and self.tad.external == TARGET:
            parts.append("target")
        if self.tad.enabled and self.losses.ss_mse:
            parts.append("SS_MSE")
        if not whole:
            parts += [part for part in (self._distilled, attributes) if part]
        without = [] if one or self.clothes.augment else ["no recolouring"]
        without += [] if one or self.losses.triplet else ["no triplet"]
        alone = " [NT]" if self.tad.enabled and not self.needs_teacher else ""
        return " + ".join(parts) + alone + (f" ({', '.join(without)})" if without else "")

    @property
    def _distilled(self) -> str | None:
        """Return the word for the terms of the TAD pass without SS_MSE."""
        if not self.tad.enabled:
            return None
        return "TAD" if self.needs_teacher else None if self.losses.ss_mse else "KL"

    @property
    def needs_teacher(self) -> bool:
        """Return whether a teacher is trained or loaded; the paper marks variants without one [NT]."""
        return self.tad.enabled and self.losses.distill > 0

    @property
    def external_set(self) -> str | None:
        """Return the data set that is read besides the target; None without TAD, or if TAD uses target pictures."""
        return self.tad.external if self.tad.enabled and self.tad.external != TARGET else None

    @property
    def kinds_of_rows(self) -> tuple[str, ...]:
        """Return the kinds of rows that one training picture of the target set has in a batch."""
        degraded = ("low quality",) if self.cap.low_quality else ()
        return ("original", *(("recoloured",) if self.clothes.augment else ()), *degraded)

    @property
    def anchor(self) -> Branch:
        """Return the branch of triplet loss, gender head and pose splits beyond the trunk: BOT, or CAL without it."""
        return "bot" if "bot" in self.branches else "cal"

    def _branch_problems(self) -> list[str]:
        problems = []
        if self.branches not in (("cal",), ("bot",), ("cal", "bot")):
            problems.append(f"branches = {list(self.branches)} should be [cal, bot], [cal] or [bot]")
        if sorted(self.order) != ["cap", "tad"]:
            problems.append(f"order = {list(self.order)} should name tad and cap once each")
        if len(self.branches) == 1:
            for name, part in (("pose", self.cap.pose), ("gender", self.cap.gender)):
                if part.enabled and part.on != self.branches[0]:
                    only = self.branches[0]
                    problems.append(
                        f"cap.{name}.on = {part.on}, but branches = {list(self.branches)}; cap.{name}.on={only}"
                    )
        return problems

    def _external_problems(self) -> list[str]:
        tad, data = self.tad, self.data
        if not tad.enabled:
            return []
        if tad.teacher_features == "once" and not self.needs_teacher:
            conflict = "tad.teacher_features = once needs a teacher, and with losses.distill = 0 there is none"
            return [f"{conflict}; tad.teacher_features=each_step"]
        if tad.external != TARGET:
            same_place = Path(tad.external_root or data.root) == Path(data.root)
            if tad.external == data.dataset and same_place and data.selection == "holdout":
                conflict = (
                    "is data.dataset too, so TAD would train on the people whom data.selection = holdout holds out"
                )
                return [f"tad.external = {tad.external} {conflict}; tad.external=target leaves them out"]
            return []
        problems = []
        if self.needs_teacher:
            problems.append(
                "tad.external = target works without a teacher only, as a teacher would have seen held-out people; "
                "losses.distill=0 losses.ss_mse=1, or name another set"
            )
        if tad.external_root is not None:
            problems.append(
                f"tad.external_root = {tad.external_root} is not used with tad.external = target, which reads "
                "data.root; tad.external_root=null"
            )
        return problems

    def _schedule_problems(self) -> list[str]:
        problems, epochs = [], self.schedule.epochs
        if "cal" in self.branches and self.losses.clothes_adversarial and self.schedule.clothes_from >= epochs:
            problems.append(
                f"schedule.clothes_from = {self.schedule.clothes_from} is never reached in schedule.epochs = {epochs} "
                "(epochs count from 0); lower it, or turn the loss off with losses.clothes_adversarial=0"
            )
        return problems


def without_clothes_labels(settings: RlqSettings) -> RlqSettings:
    """Return the experiment for data without clothes labels: no clothes losses, no classes of recoloured copies."""
    return settings.model_copy(
        update={
            "losses": settings.losses.model_copy(update={"clothes_adversarial": 0.0, "kl_clothes": 0.0}),
            "clothes": settings.clothes.model_copy(update={"labels": "none"}),
        }
    )


def reading_of(settings: RlqSettings) -> Reading:
    """Return how the data set is read and ranked."""
    return Reading(settings.data.celeb_camera, settings.data.prcc_shots)
