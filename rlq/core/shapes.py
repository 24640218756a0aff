"""Check the shapes of arrays and tensors at the door, because broadcasting never complains."""

from typing import Any


def check_shapes(**named: tuple[Any, str]) -> dict[str, int]:
    """Check arrays against patterns such as "B D": each letter is one size throughout, a number is itself.

    Returns the size of every letter. Raises ValueError that prints all shapes.
    """
    sizes: dict[str, int] = {}
    for name, (array, pattern) in named.items():
        letters = pattern.split()
        agrees = array.ndim == len(letters) and all(
            size == (int(letter) if letter.isdigit() else sizes.setdefault(letter, size))
            for letter, size in zip(letters, array.shape, strict=True)
        )
        if not agrees:
            found = ", ".join(f"{n} {list(a.shape)} (wanted [{', '.join(p.split())}])" for n, (a, p) in named.items())
            raise ValueError(f"{name} does not fit: {found}")
    return sizes
