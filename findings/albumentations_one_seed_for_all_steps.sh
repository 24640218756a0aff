#!/usr/bin/env bash
# Expected: after Compose.set_random_seed(seed), steps of one pipeline with p=0.5 are drawn independently: over many
#   seeds, a horizontal and a vertical flip happen together in about half of the cases in which either happens.
# What happens: every step gets a generator of its own that starts from the same seed, so the two steps always draw the
#   same first number: both flips happen, or neither. Augmentations that should be independent are fully correlated.
# Versions: albumentations 2.0.8, NumPy 2.2.6.
# Source: albumentations/core/composition.py, Compose.set_random_seed and BasicTransform.set_random_seed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q albumentations==2.0.8 numpy==2.2.6
NO_ALBUMENTATIONS_UPDATE=1 "$folder/venv/bin/python" - <<'PY'
import sys
from collections import Counter

import albumentations as A
import numpy as np

print("albumentations", A.__version__, "NumPy", np.__version__)
picture = np.arange(16, dtype=np.uint8).reshape(4, 4, 1).repeat(3, axis=2)
pipeline = A.Compose([A.HorizontalFlip(p=0.5), A.VerticalFlip(p=0.5)])
seen = Counter()
for seed in range(400):
    pipeline.set_random_seed(seed)
    flipped = pipeline(image=picture)["image"][..., 0]
    across = flipped[0, 0] in (picture[0, -1, 0], picture[-1, -1, 0])
    down = flipped[0, 0] in (picture[-1, 0, 0], picture[-1, -1, 0])
    seen[bool(across), bool(down)] += 1
for (across, down), count in sorted(seen.items()):
    print(f"horizontal {across!s:5}  vertical {down!s:5}  {count:3} of 400 seeds")
alike = seen[True, True] + seen[False, False]
print(f"both or neither: {alike} of 400 (independent steps: about 200)")
sys.exit(0 if alike == 400 else 1)
PY
