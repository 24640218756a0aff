"""Which degradations pictures get, as a section of settings that methods use or inherit."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from rlq.core.config import Settings
from rlq.core.settings import Count
from rlq.data.degradation import KINDS, DegradationRanges

IntRange = tuple[Count, Count]


class MixSettings(Settings):
    """Share of each degradation among the low-quality pictures; the three add up to 1."""

    pixelation: Annotated[float, Field(ge=0, le=1)] = 0.5
    gaussian: Annotated[float, Field(ge=0, le=1)] = 0.5
    motion: Annotated[float, Field(ge=0, le=1)] = 0.0

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        total = self.pixelation + self.gaussian + self.motion
        if abs(total - 1) > 1e-6:
            raise ValueError(f"pixelation, gaussian and motion should add up to 1, they add up to {total:g}")
        return self


class Degradations(Settings):
    """Ranges that the parameters of degradations are drawn from, and how often each kind is drawn."""

    section: ClassVar[str] = "degradations"  # the name of the section, for messages

    pixelation: IntRange = (16, 63)  # shorter side in pixels
    gaussian_kernel: IntRange = (5, 21)  # pixels, odd sizes only
    gaussian_sigma: tuple[float, float] | Literal["from_kernel"] = (0.1, 2.0)  # pixels
    motion_kernel: IntRange = (8, 19)  # pixels
    mix: MixSettings = MixSettings()

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name in ("pixelation", "gaussian_kernel", "motion_kernel", "gaussian_sigma"):
            ends = getattr(self, name)
            if ends != "from_kernel" and ends[0] > ends[1]:
                raise ValueError(f"{self.section}.{name} = {list(ends)} should be [smallest, largest]")
        low, high = self.gaussian_kernel
        if low == high and low % 2 == 0:
            raise ValueError(f"{self.section}.gaussian_kernel = {[low, high]} holds no odd number")
        return self

    def ranges(self) -> DegradationRanges:
        """Return the same as `rlq.data.degradation` takes it."""
        return DegradationRanges(
            pixelation=self.pixelation,
            gaussian_kernel=self.gaussian_kernel,
            gaussian_sigma=self.gaussian_sigma,
            motion_kernel=self.motion_kernel,
            mix={kind: getattr(self.mix, kind) for kind in KINDS},
        )
