"""Colour histograms: a baseline that sees the colours of the clothes and nothing else."""

import numpy as np

STRIPES, BINS = 8, 4


def colour_histogram(picture: np.ndarray) -> np.ndarray:
    """Return the RGB histograms of 8 horizontal stripes, 4 x 4 x 4 bins each: picture [H, W, 3] uint8 -> float32 [512].

    Each stripe's histogram sums to one before the square root. The result has unit length, so a dot product is the
    cosine (the mean Bhattacharyya coefficient of the stripes).
    """
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or len(picture) < STRIPES:
        raise ValueError(
            f"a histogram needs a uint8 picture [H, W, 3] of at least {STRIPES} rows, "
            f"found {picture.dtype} {list(picture.shape)}"
        )
    levels = picture.astype(np.int64) * BINS // 256
    bins = (levels[..., 0] * BINS + levels[..., 1]) * BINS + levels[..., 2]  # [H, W]
    shares = [np.bincount(stripe.ravel(), minlength=BINS**3) / stripe.size for stripe in np.array_split(bins, STRIPES)]
    roots = np.sqrt(np.concatenate(shares))  # [512]
    return (roots / np.linalg.norm(roots)).astype(np.float32)
