"""Settings of the method RLQ: everything in an experiment file. The defaults are the released code's recipe."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StrictBool, StrictInt, model_validator

from rlq.core.config import Settings, later
from rlq.core.settings import (
    DataSettings,
    ExperimentSettings,
    OptimSettings,
    ScheduleSettings,
    Share,
    Weight,
    Whole,
)
from rlq.data.catalogue import Reading
from rlq.data.degradation_settings import Degradations
from rlq.labels.pose import Variant
from rlq.losses.divergence import KL_PRESETS, Reduction

Branch = Literal["cal", "bot"]
Position = Literal["cal", "bot", "both"]
Split = Annotated[StrictInt, Field(ge=0, le=4)]

TARGET = "target"  # as tad.external: the set that is trained on


class PoseSettings(Settings):
    """The pose branch of CAP: trained to name the pose cluster, and kept orthogonal to the identity feature."""

    enabled: StrictBool = True
    clusters: Annotated[StrictInt, Field(ge=2, le=100_000)] = 15  # of K-means; one more class is for no pose found
    split: Split = 1  # block after which the pose branch leaves the network
    vector: Variant = "lengths_angles"
    on: Position = "bot"  # the feature that the pose feature is pushed away from
    flip_aware: StrictBool = False  # mirrored rows take the cluster of the mirrored skeleton
    file: str | None = None  # keypoints (.json) or pose clusters (.csv); None: <set>/rlq/


class GenderSettings(Settings):
    """The gender head of CAP."""

    enabled: StrictBool = True
    on: Position = "bot"  # the feature that the head reads; both = concatenated
    file: str | None = None  # None: <set>/rlq/gender.csv


class CapSettings(Settings):
    """The pass over the target set, and its coarse attribute prediction."""

    pose: PoseSettings = PoseSettings()
    gender: GenderSettings = GenderSettings()
    low_quality: StrictBool = later(False)  # also a spoilt copy of every picture, by tad's artefacts ("BM + LQ Aug")


class TadSettings(Degradations):
    """Task-agnostic distillation from an external set of good pictures."""

    section: ClassVar[str] = "tad"

    enabled: StrictBool = True
    external: str = "celeb_reid"  # the external data set; target: the training pictures of data.dataset, no teacher
    external_root: str | None = None  # None: data.root
    teacher: str = "teacher.yaml"  # experiment (relative to the experiment file), run folder or weights (.safetensors)
    fraction: Share = 1.0  # share of each identity's pictures that is used
    sampling: Share = 1.0  # share of the identities that is used
    clothes_kl: Literal["detached", "live"] = "detached"  # detached: as in the released code, without effect
    # each_step: of every good picture as the step transformed it. once: of the whole picture, resized only, for the
    # whole run; faster, but other numbers.
    teacher_features: Literal["each_step", "once"] = later("each_step")


class ClothesSettings(Settings):
    """Clothes labels, and the recoloured copies that multiply them."""

    augment: StrictBool = True  # a recoloured copy of every training picture
    palette: Literal[6, 9] = 9  # colours
    labels: Literal["pairs", "person", "none"] = "pairs"  # classes of the recoloured rows
    masks: str | None = None  # folder of parsing masks; None: <set>/rlq/masks
    bad_upper: str | None = None  # list of pictures with an unusable upper mask; None: <set>/rlq/bad_upper.txt if there
    bad_lower: str | None = None


class KlSettings(Settings):
    """How every KL divergence is scaled. The words `official` (the released code) and `plain` stand for a scaling."""

    tau: Annotated[float, Field(gt=0)] = KL_PRESETS["official"].tau
    coefficient: Weight = KL_PRESETS["official"].coefficient
    reduction: Reduction = KL_PRESETS["official"].reduction
    stopgrad_hq: StrictBool = False  # the high-quality side of Eq. (3) gets no gradient

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value not in KL_PRESETS:
            raise ValueError(f"should be one of {', '.join(KL_PRESETS)}, or tau, coefficient and reduction")
        return asdict(KL_PRESETS[value])


class LossSettings(Settings):
    """Weights of the terms (0 leaves a term out) and their constants."""

    id_cal: Weight = 1.0
    id_bot: Weight = 1.0
    clothes_adversarial: Weight = 1.0
    triplet: Weight = 1.0
    id_kl: Weight = 1.0
    pose_ce: Weight = 1.0
    gender_ce: Weight = 1.0
    pose_cosine: Weight = 1.0
    distill: Weight = 1.0  # 0: no teacher is trained, loaded or looked for
    ss_mse: Weight = later(0.0)  # distance between the student's own features of good pictures and their bad twins
    kl_clothes: Weight = 1.0
    kl_id: Weight = 1.0
    smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1  # of identity labels and of the adversarial loss
    attribute_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1  # of pose and gender labels
    margin: Weight = 0.3
    clothes_scale: Annotated[float, Field(gt=0)] = 16.0  # 1 / temperature of the clothes cosines
    kl: KlSettings = KlSettings()


class RlqDataSettings(DataSettings):
    """Data sets of pictures, some of which may be read or ranked in more than one way."""

    celeb_camera: Literal["first_digit", "y", "none"] = "first_digit"  # what makes a match junk in Celeb-reID
    prcc_shots: Literal["multi", "single"] = "multi"  # PRCC gallery: all of camera A, or 10 draws of one per person


class RlqOptimSettings(OptimSettings):
    """Adam for the model; a second one, without schedule, for the clothes head."""

    clothes_lr: Annotated[float, Field(gt=0)] = 3.5e-4


class RlqScheduleSettings(ScheduleSettings):
    """How long a run trains, how often it is evaluated, and from which epoch on clothes count."""

    clothes_from: Whole = 25  # first epoch (counted from 0) of the clothes head and the adversarial loss


class RlqSettings(ExperimentSettings):
    """One experiment."""

    method: Literal["rlq"] = "rlq"
    init_from: str | None = None  # run folder or .safetensors whose weights the network starts from
    branches: tuple[Branch, ...] = ("cal", "bot")
    order: tuple[Literal["tad", "cap"], ...] = ("tad", "cap")  # passes of one epoch
    data: RlqDataSettings
    cap: CapSettings = CapSettings()
    tad: TadSettings = TadSettings()
    clothes: ClothesSettings = ClothesSettings()
    losses: LossSettings = LossSettings()
    optim: RlqOptimSettings = RlqOptimSettings()
    schedule: RlqScheduleSettings = RlqScheduleSettings()

    def problems(self) -> Iterator[str]:
        """Yield what is wrong between settings that are valid by themselves."""
        yield from self._branch_problems()
        yield from self._external_problems()
        yield from self._schedule_problems()
        yield from super().problems()

    @property
    def title(self) -> str:
        """What tables and tags call this: `variant`, or the paper's words for the parts that are on."""
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
        """The word for what a TAD pass does beside SS_MSE."""
        if not self.tad.enabled:
            return None
        return "TAD" if self.needs_teacher else None if self.losses.ss_mse else "KL"

    @property
    def needs_teacher(self) -> bool:
        """Whether a teacher is trained or loaded; the paper marks variants without one [NT]."""
        return self.tad.enabled and self.losses.distill > 0

    @property
    def external_set(self) -> str | None:
        """The data set that is read beside the target; None without TAD, or when its pairs are target pictures."""
        return self.tad.external if self.tad.enabled and self.tad.external != TARGET else None

    @property
    def rows_of_a_picture(self) -> tuple[str, ...]:
        """What one training picture of the target becomes in a batch."""
        spoilt = ("low quality",) if self.cap.low_quality else ()
        return ("original", *(("recoloured",) if self.clothes.augment else ()), *spoilt)

    @property
    def anchor(self) -> Branch:
        """The branch that stands for BOT: triplet, gender, pose splits beyond the trunk."""
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
                    problems.append(f"cap.{name}.on = {part.on}, but branches = {list(self.branches)}")
        return problems

    def _external_problems(self) -> list[str]:
        tad, data = self.tad, self.data
        if not tad.enabled:
            return []
        if tad.teacher_features == "once" and not self.needs_teacher:
            return ["tad.teacher_features = once keeps a teacher's features, and losses.distill = 0 has no teacher"]
        if tad.external != TARGET:
            same_place = Path(tad.external_root or data.root) == Path(data.root)
            if tad.external == data.dataset and same_place and data.selection == "holdout":
                why = "is the set that is trained on, and would show the people whom data.selection = holdout keeps out"
                return [f"tad.external = {tad.external} {why}; tad.external=target takes the others alone"]
            return []
        problems = []
        if self.needs_teacher:
            problems.append(
                "tad.external = target goes without a teacher, who would know the people that data.selection may hold "
                "out: losses.distill=0 losses.ss_mse=1; or name another set"
            )
        if tad.external_root is not None:
            problems.append(
                f"tad.external_root = {tad.external_root} is not read with tad.external = target, whose pictures are "
                "those of data.root; tad.external_root=null"
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
    """The experiment for data whose clothes nobody labelled: losses on clothes are off, recoloured copies without
    a class."""
    return settings.model_copy(
        update={
            "losses": settings.losses.model_copy(update={"clothes_adversarial": 0.0, "kl_clothes": 0.0}),
            "clothes": settings.clothes.model_copy(update={"labels": "none"}),
        }
    )


def reading_of(settings: RlqSettings) -> Reading:
    """Return how the data set is read and ranked."""
    return Reading(settings.data.celeb_camera, settings.data.prcc_shots)
