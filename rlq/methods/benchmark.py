"""What a method gives to benchmarks: its training steps, around networks of random weights. No torch is loaded here."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class BenchSetup(NamedTuple):
    """The sizes of the networks and batches whose training steps are timed, and how the steps are computed."""

    backbone: str  # a network of timm
    size: tuple[int, int]  # height, width of the pictures
    rows: int  # in a batch of labelled pictures
    pairs: int  # in a batch of pictures and their degraded versions
    people: int
    outfits: int = 84  # clothes classes per person: 3 real ones, and 81 pairs of colours for recoloured copies
    device: Any = "cpu"  # a torch.device or its name
    channels_last: bool = True  # the memory format of the networks
    compiled: bool = False  # with torch.compile


class StepBuilder(Protocol):
    """Builds a training step around a network."""

    def __call__(
        self,
        precision: Literal["float32", "bfloat16"],
        *,
        fused: bool = True,
        forward: Callable[..., Any] | None = None,
    ) -> Callable[[Any], Any]:
        """Return the step as a function of a batch.

        `fused` selects torch's fused optimiser; steps with equal `fused` share their optimisers. `forward` is called
        instead of the network.
        """


class BenchStep(NamedTuple):
    """A training step to time."""

    model: Any  # what it trains: a Model of random weights, in training mode
    batch: Any  # of random pictures with all labels, on the device
    build: StepBuilder


class ImageFunction(Protocol):
    """Computes a network's features of a batch of pictures, without mirroring and scaling."""

    def __call__(self, images: "Tensor") -> "Tensor":
        """Return features: images [B, 3, H, W] -> [B, D]."""
