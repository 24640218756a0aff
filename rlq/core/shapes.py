"""Check the shapes of arrays and tensors, because broadcasting hides mistakes."""

from typing import Any


def check_shapes(**named: tuple[Any, str]) -> dict[str, int]:
    """Check arrays against patterns such as "B D" and return the size of every letter.

    A letter has the same size everywhere; a number is that size. Raise ValueError with all shapes.
    """
    sizes: dict[str, int] = {}
    for name, (array, pattern) in named.items():
        letters = pattern.split()
        agrees = array.ndim == len(letters) and all(
            size == (int(letter) if letter.isdigit() else sizes.setdefault(letter, size))
            for letter, size in zip(letters, array.shape, strict=True)
        )
        if not agrees:
            shapes = [f"{n} {list(a.shape)} (expected [{', '.join(p.split())}])" for n, (a, p) in named.items()]
            raise ValueError(f"{name} has the wrong shape: {', '.join(shapes)}")
    return sizes
