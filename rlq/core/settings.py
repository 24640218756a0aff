"""Settings that every method shares; a method subclasses them to add its own. Names are those of `--set` and MLflow."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StrictBool, StrictInt, model_validator

from rlq.core.config import Settings, distinctive, later

Count = Annotated[StrictInt, Field(ge=1)]
Whole = Annotated[StrictInt, Field(ge=0)]
Share = Annotated[float, Field(gt=0, le=1)]
Weight = Annotated[float, Field(ge=0)]
Size = tuple[Count, Count]


class DataSettings(Settings):
    """The pictures, their size, and how many are read at once."""

    dataset: str  # a name of `rlq data list`
    root: str = "data"  # the set's folder, or a parent that contains its usual folder
    size: Size = (384, 192)  # height, width in pixels
    batch: Count = 40  # pictures per device, before recolouring doubles the rows
    instances: Count = 4  # pictures per identity in a batch (K)
    workers: Whole = 4  # loader processes per device
    test_batch: Count = 128  # pictures per step when only features are computed
    selection: Literal["test", "holdout"] = "test"  # which pictures choose the best epoch
    holdout: Annotated[float, Field(gt=0, lt=1)] = 0.2  # share of the training identities held out
    cache: StrictBool = later(False)  # keep decoded pictures in <tracking.folder>/.cache, for all runs and processes
    cache_gb: Annotated[float, Field(gt=0)] | None = later(None)  # limit of all sets; None: half of the free disk
    patience: Count = later(600)  # seconds that data workers may take for a batch before the run ends with an error

    @model_validator(mode="after")
    def _whole_groups(self) -> Self:
        if self.batch % self.instances or self.batch < 2 * self.instances:
            raise ValueError(
                f"data.batch = {self.batch} should be a multiple of data.instances = {self.instances}, and at least "
                "twice as large"
            )
        return self


class BackboneSettings(Settings):
    """The network that is split into blocks."""

    name: str = "resnet50.tv_in1k"  # a ResNet-like network of timm
    pretrained: StrictBool | str = True  # ImageNet weights from timm, a local file, or false
    last_stride: Literal[1, 2] = 1  # stride of the fourth block
    split: Annotated[StrictInt, Field(ge=0, le=4)] = 2  # blocks shared by the branches; 0 = disjoint


class OptimSettings(Settings):
    """Adam and its learning rate."""

    lr: Annotated[float, Field(gt=0)] = 3.5e-4
    weight_decay: Weight = 5e-4
    milestones: tuple[Count, ...] = (20, 40)  # epochs at which lr is multiplied by gamma
    gamma: Annotated[float, Field(gt=0, le=1)] = 0.1
    warmup: Whole = 0  # epochs of linear warm-up
    warmup_factor: Annotated[float, Field(gt=0, le=1)] = 0.01  # lr of the first warm-up epoch, as a share


class ScheduleSettings(Settings):
    """How long a run trains, and how often it is evaluated."""

    epochs: Count = 200
    evaluate_every: Count = 10  # epochs; the last epoch is evaluated in any case
    select: str = "CC/rank1"  # the metric that chooses the best epoch
    baselines: StrictBool = False  # also evaluate colour histograms and the untrained network
    max_steps: Count | None = later(None)  # stop every pass after so many batches, only to test that a run works


class ComputeSettings(Settings):
    """How results are computed; they differ by rounding only."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # auto: bfloat16 where the hardware has it
    channels_last: StrictBool = True
    threads: Count | None = None  # CPU threads per process; None: torch's default
    check_every: Count | None = later(None)  # steps between two checks of the losses; None: 1 on a CPU, 50 on a GPU
    compile: StrictBool = later(False)  # torch.compile the network; takes minutes before the first steps
    deterministic: StrictBool = later(False)  # the same results from every run on a GPU too, which is slower


class TrackingSettings(Settings):
    """Where runs are stored and shown."""

    folder: str = "runs"
    experiment: str = "rlq"  # the MLflow experiment
    name: str | None = None  # name of the run; None: built from method and data set
    pictures: StrictBool = True  # false keeps figures that show people off the tracking server
    figures: StrictBool = later(True)  # false draws no figures at the end of a run, which saves seconds in a sweep


class ExperimentSettings(Settings):
    """The settings of one experiment file. Every method has a subclass with its own settings."""

    method: str  # a name of the catalogue of methods
    variant: str | None = None  # name in tables and tags; None: built from the enabled parts
    seed: Whole = 1
    data: DataSettings
    backbone: BackboneSettings = BackboneSettings()
    optim: OptimSettings = OptimSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    compute: ComputeSettings = ComputeSettings()
    tracking: TrackingSettings = TrackingSettings()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = list(self.problems())
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def problems(self) -> Iterable[str]:
        """Yield what is wrong between settings that are valid by themselves; a subclass adds its own."""
        epochs = self.schedule.epochs
        late = [milestone for milestone in self.optim.milestones if milestone >= epochs]
        if late:
            yield (
                f"optim.milestones {late} are never reached in schedule.epochs = {epochs}; "
                "lower them, or use none: optim.milestones=[]"
            )
        if self.optim.warmup >= epochs:
            yield f"optim.warmup = {self.optim.warmup} is as long as schedule.epochs = {epochs}"

    @property
    def title(self) -> str:
        """The name of this experiment in tables and tags."""
        return self.variant or self.method


# Settings that do not change results: places, pace and computing. None: the whole section.
PACE = ("root", "workers", "test_batch", "cache", "cache_gb", "patience")
PLACES: dict[str, tuple[str, ...] | None] = {"data": PACE, "compute": None, "tracking": None}


def shaping(settings: ExperimentSettings) -> dict[str, Any]:
    """Return the settings that change results as a tree, without those of places, pace and computing."""
    tree = distinctive(settings)
    for section, keys in PLACES.items():
        if keys is None:
            del tree[section]
        else:
            tree[section] = {key: value for key, value in tree[section].items() if key not in keys}
    return tree


def is_place(name: str) -> bool:
    """Return whether a setting, by its dotted name, belongs to places, pace or computing."""
    section, _, key = name.partition(".")
    keys = PLACES.get(section, ())
    return keys is None or key in keys
