"""The sections of an experiment file of RLQ. The defaults are those of the released code."""

from dataclasses import asdict
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StrictBool, StrictInt, model_validator

from rlq.core.config import Settings, later
from rlq.core.settings import DataSettings, OptimSettings, ScheduleSettings, Share, Weight, Whole
from rlq.data.degradation_settings import Degradations
from rlq.labels.pose import Variant
from rlq.losses.divergence import KL_PRESETS, Reduction

Position = Literal["cal", "bot", "both"]
Split = Annotated[StrictInt, Field(ge=0, le=4)]


class PoseSettings(Settings):
    """The pose branch of CAP, which learns pose clusters and a feature orthogonal to the identity feature."""

    enabled: StrictBool = True
    clusters: Annotated[StrictInt, Field(ge=2, le=100_000)] = 15  # K of K-means; no detected pose is one more class
    split: Split = 1  # number of the block after which the pose branch begins; 0: a network of its own
    vector: Variant = "lengths_angles"  # description of a pose that is clustered
    on: Position = "bot"  # identity feature to which the pose feature becomes orthogonal
    flip_aware: StrictBool = False  # mirrored pictures have the cluster of the mirrored skeleton
    file: str | None = None  # keypoints (.json) or pose clusters (.csv); None: <set>/rlq/


class GenderSettings(Settings):
    """The gender head of CAP."""

    enabled: StrictBool = True
    on: Position = "bot"  # input feature of the head; both: cal and bot concatenated
    file: str | None = None  # genders per person (.csv); None: <set>/rlq/gender.csv


class CapSettings(Settings):
    """The pass over the target set, and its coarse attribute prediction."""

    pose: PoseSettings = PoseSettings()
    gender: GenderSettings = GenderSettings()
    low_quality: StrictBool = later(False)  # also a degraded copy of every picture, as in tad ("BM + LQ Aug")


class TadSettings(Degradations):
    """Task-agnostic distillation from an external data set of high-quality pictures."""

    section: ClassVar[str] = "tad"

    enabled: StrictBool = True
    external: str = "celeb_reid"  # external data set; target: the training pictures of data.dataset, without a teacher
    external_root: str | None = None  # folder that holds the external data set; None: data.root
    teacher: str = "teacher.yaml"  # experiment file (relative to this one), run, or weights (folder or .safetensors)
    fraction: Share = 1.0  # share of the pictures of each identity that is used
    sampling: Share = 1.0  # share of the identities that is used
    # Gradient of the KL term of clothes. detached: none, as in the released code. live: into the features.
    clothes_kl: Literal["detached", "live"] = "detached"
    # Pictures from which the teacher computes features. each_step: each picture as augmented for the step. once: whole
    # pictures, only resized, once for all epochs; this is faster and gives other numbers.
    teacher_features: Literal["each_step", "once"] = later("each_step")


class ClothesSettings(Settings):
    """Clothes labels, and recoloured copies of training pictures."""

    augment: StrictBool = True  # a recoloured copy of every training picture
    palette: Literal[6, 9] = 9  # number of colours
    # Clothes classes of recoloured copies. pairs: one per person and pair of colours. person: one per person. none: no
    # class, so that clothes losses skip them.
    labels: Literal["pairs", "person", "none"] = "pairs"
    masks: str | None = None  # folder of parsing masks; None: <set>/rlq/masks
    bad_upper: str | None = (
        None  # pictures with unusable upper masks (list); None: <set>/rlq/bad_upper.txt if it exists
    )
    bad_lower: str | None = None  # the same for lower masks; None: <set>/rlq/bad_lower.txt if it exists


class KlSettings(Settings):
    """The scale of every KL divergence. `official` (the released code) and `plain` stand for three values."""

    tau: Annotated[float, Field(gt=0)] = KL_PRESETS["official"].tau  # temperature, which divides the logits
    coefficient: Weight = KL_PRESETS["official"].coefficient  # factor of the divergence
    reduction: Reduction = KL_PRESETS["official"].reduction  # mean over elements, or over rows (batch)
    stopgrad_hq: StrictBool = False  # whether the high-quality pictures in Eq. (3) get no gradient

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value not in KL_PRESETS:
            raise ValueError(f"should be one of {', '.join(KL_PRESETS)}, or tau, coefficient and reduction")
        return asdict(KL_PRESETS[value])


class LossSettings(Settings):
    """Weights of the loss terms and their constants. A term of weight 0 is not computed."""

    id_cal: Weight = 1.0  # cross-entropy of identities, CAL branch
    id_bot: Weight = 1.0  # cross-entropy of identities, BOT branch
    clothes_adversarial: Weight = 1.0  # clothes-adversarial loss of CAL
    triplet: Weight = 1.0  # batch-hard triplet loss
    id_kl: Weight = 1.0  # KL divergence of the CAL branch's identity predictions from those of the BOT branch
    pose_ce: Weight = 1.0  # cross-entropy of pose clusters
    gender_ce: Weight = 1.0  # cross-entropy of genders
    pose_cosine: Weight = 1.0  # |cosine| of pose feature and identity feature, Eq. (1)
    distill: Weight = 1.0  # distance to the teacher's features, Eq. (2); 0: no teacher is needed
    ss_mse: Weight = later(0.0)  # distance between the student's features of pictures and of their degraded versions
    kl_clothes: Weight = 1.0  # Eq. (3) of clothes predictions
    kl_id: Weight = 1.0  # Eq. (3) of identity predictions
    smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1  # of identity labels and of the adversarial loss
    attribute_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1  # of pose and gender labels
    margin: Weight = 0.3  # of the triplet loss
    clothes_scale: Annotated[float, Field(gt=0)] = 16.0  # 1 / temperature of the clothes cosines
    kl: KlSettings = KlSettings()


class RlqDataSettings(DataSettings):
    """Data sets of pictures, and how two of them are read and ranked."""

    # Part of a Celeb-reID file name that counts as its camera; matches of the query's own camera are junk.
    celeb_camera: Literal["first_digit", "y", "none"] = "first_digit"
    prcc_shots: Literal["multi", "single"] = "multi"  # PRCC's gallery: all of camera A, or 10 draws of one per person


class RlqOptimSettings(OptimSettings):
    """Adam for the model; a second one, without a schedule, for the clothes head."""

    clothes_lr: Annotated[float, Field(gt=0)] = 3.5e-4  # learning rate of the clothes head


class RlqScheduleSettings(ScheduleSettings):
    """How long a run trains, how often it is evaluated, and when clothes losses begin."""

    clothes_from: Whole = 25  # first epoch (counted from 0) of the clothes head and the adversarial loss
