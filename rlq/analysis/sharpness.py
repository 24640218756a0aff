"""The sharpness of pictures and of their degraded versions, by three scores (RLQ, figure 13); without a network.

All scores are of the grey picture at the size that the network sees, so that pixelated pictures, which are smaller,
can be compared; higher is sharper.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rlq.analysis.base import Outcome
from rlq.analysis.retrieval import sample
from rlq.analysis.robustness import TITLES, strength
from rlq.analysis.runs import SetOptions, Source, original_set
from rlq.core.config import validate
from rlq.core.console import Console
from rlq.core.seeding import generator
from rlq.core.settings import Count
from rlq.core.shapes import check_shapes
from rlq.core.text import markdown
from rlq.data.degradation import KINDS, DegradationRanges, degrade, draw_degradation, only
from rlq.data.pictures import read_picture
from rlq.data.transforms import resize
from rlq.weights.alone import alone

CLEAN = "good"  # as the files of this analysis call it
HIGH = 0.125  # cycles per pixel from which a frequency is high: waves shorter than 8 pixels
LARGE_SHARE = 0.1  # of the singular values, the largest, that carry what a blurred picture still has
Conditions = dict[str, DegradationRanges | None]


class Options(SetOptions):
    """The options of this analysis."""

    pictures: Count = 200  # of the queries and gallery


def draw(sources: Sequence[Source], *, seed: int, console: Console, options: Mapping[str, Any]) -> Outcome:
    """Measure pictures and each kind of degradation alone, by the run's ranges."""
    chosen = validate(Options, options, "sharpness")
    settings = sources[0].settings
    ranges = sources[0].degradations
    with alone() as place:
        data = original_set(sources, chosen, place, console)
    paths = [record.cover for record in sample(data, chosen.pictures, seed)]
    conditions: Conditions = {CLEAN: None, **{kind: only(ranges, kind) for kind in KINDS}}
    measured = {
        condition: measure(console.progress(paths, condition), strengths, settings.data.size, seed)
        for condition, strengths in conditions.items()
    }
    titles: dict[str, str] = {
        CLEAN: "as they are",
        **{kind: f"{TITLES[kind]} ({strength(ranges, kind)})" for kind in KINDS},
    }
    rows = [
        [titles[condition], *(f"{np.mean(values):.{2 if np.mean(values) > 10 else 4}f}" for values in scores.values())]
        for condition, scores in measured.items()
    ]
    header = [f"{len(paths)} pictures of {data.name}, mean", *SCORES]
    numbers = {
        "dataset": data.name,
        "pictures": len(paths),
        "size": list(settings.data.size),
        "scores": {
            condition: {name: _spread(values) for name, values in scores.items()}
            for condition, scores in measured.items()
        },
    }
    height, width = settings.data.size
    figure = _figure(measured, f"{len(paths)} pictures of {data.name} at {height} x {width}")
    return Outcome(figure, numbers, markdown(rows, header))


def measure(
    paths: Iterable[Path], ranges: DegradationRanges | None, size: tuple[int, int], seed: int
) -> dict[str, NDArray[np.float64]]:
    """Return every score of every picture, [N] each."""
    scores: dict[str, list[float]] = {name: [] for name in SCORES}
    for place, path in enumerate(paths):
        picture = read_picture(path)
        if ranges is not None:
            picture = degrade(picture, draw_degradation(generator(seed, "sharpness", place), ranges))
        grey = cv2.cvtColor(resize(picture, size), cv2.COLOR_RGB2GRAY).astype(np.float64)
        for name, score in SCORES.items():
            scores[name].append(score(grey))
    return {name: np.array(values) for name, values in scores.items()}


def high_frequency_share(grey: NDArray[np.float64]) -> float:
    """Return the share of the spectrum's energy in high frequencies: sum of |F|^2 from `HIGH` on / sum of |F|^2.

    grey [H, W]; F is the Fourier transform of the picture without its mean, under a Hann window, because the jump
    from one border to the opposite one would count as a sharp edge. 0 for a picture of one colour.
    """
    check_shapes(grey=(grey, "H W"))
    window = np.outer(np.hanning(grey.shape[0]), np.hanning(grey.shape[1]))
    energy = np.abs(np.fft.fft2((grey - grey.mean()) * window)) ** 2  # [H, W]
    down, across = np.fft.fftfreq(grey.shape[0]), np.fft.fftfreq(grey.shape[1])
    high = np.hypot(down[:, None], across[None]) >= HIGH
    total = energy.sum()
    return float(energy[high].sum() / total) if total > 0 else 0.0


def laplacian_variance(grey: NDArray[np.float64]) -> float:
    """Return the variance of the Laplacian (Pech-Pacheco et al. 2000, "Diatom autofocusing in brightfield microscopy").

    grey [H, W], 0 to 255; the Laplacian is that of the four neighbours.
    """
    check_shapes(grey=(grey, "H W"))
    return float(cv2.Laplacian(grey, cv2.CV_64F).var())


def svd_share(grey: NDArray[np.float64]) -> float:
    """Return the share of the singular values' sum that is not in the largest tenth of them.

    grey [H, W]; one minus the singular value feature of Su, Lu and Tan 2011 ("Blurred image region detection and
    classification"), which is near 1 where a few smooth layers make up the picture. 0 for a picture that is black.
    """
    check_shapes(grey=(grey, "H W"))
    values = np.linalg.svd(grey, compute_uv=False)  # [min(H, W)], falling
    total, large = values.sum(), max(1, round(LARGE_SHARE * len(values)))
    return float(values[large:].sum() / total) if total > 0 else 0.0


SCORES = {
    "high frequencies": high_frequency_share,
    "Laplacian variance": laplacian_variance,
    "small singular values": svd_share,
}


def _spread(values: NDArray[np.float64]) -> dict[str, float]:
    low, median, high = np.percentile(values, [25, 50, 75])
    return {"mean": float(values.mean()), "q25": float(low), "median": float(median), "q75": float(high)}


def _figure(measured: Mapping[str, Mapping[str, NDArray]], title: str) -> Figure:
    """Draw a panel per score with a box per condition."""
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(SCORES)), SCORES, strict=True):
        boxes = axes.boxplot(
            [scores[name] for scores in measured.values()], widths=0.6, showfliers=False, patch_artist=True,
            medianprops={"color": "black"},
        )  # fmt: skip
        for number, box in enumerate(boxes["boxes"]):
            box.set_facecolor("#8fbfe0" if number == 0 else "#f3b279")
        axes.set_xticks(range(1, len(measured) + 1), list(measured), fontsize=8)
        axes.set_title(name, fontsize=9)
        axes.set_ylim(bottom=0)
        axes.tick_params(labelsize=8)
    figure.suptitle(title, fontsize=9)
    return figure
