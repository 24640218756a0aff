"""Which picture a parser's mask is of, by its name."""

from collections.abc import Sequence
from pathlib import Path

from rlq.core.errors import DataError
from rlq.core.text import listed
from rlq.data.readers.listing import is_hidden
from rlq.data.records import Record

SHOWN = 3


def mask_files(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """The files below a folder that may be masks, sorted; of NAME.png and NAME.npy the first: the other is logits."""
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder of masks")
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in suffixes
        and not any(is_hidden(Path(part)) for part in path.relative_to(folder).parts)
        and path.is_file()
    ]
    pictures = {path.with_suffix("") for path in found if path.suffix.lower() == ".png"}
    return [path for path in found if path.suffix.lower() == ".png" or path.with_suffix("") not in pictures]


def match_masks(files: Sequence[Path], folder: Path, records: Sequence[Record], root: Path) -> dict[Path, Record]:
    """File -> the record whose picture it shows, for those that show one; names are compared without suffix.

    A name is the picture's path below the set, any end of that path (of a flat folder: its stem), the picture's key,
    or <pid>_<stem>; a whole path goes before an end. Raises DataError when a name fits several pictures, or a picture
    has several masks.
    """
    whole = {_below(record.path, root): [record] for record in records}
    others: dict[str, list[Record]] = {}
    for name, (record,) in whole.items():
        parts = name.split("/")
        names = {"/".join(parts[start:]) for start in range(1, len(parts))}
        for known in names | {record.key, f"{record.pid}_{parts[-1]}"}:
            others.setdefault(known, []).append(record)
    fitting = {file: whole.get(name) or others.get(name, []) for file in files if (name := _below(file, folder))}
    unclear = {file: found for file, found in fitting.items() if len(found) > 1}
    if unclear:
        file, found = next(iter(unclear.items()))
        examples = listed((record.path.relative_to(root).as_posix() for record in found), SHOWN)
        splits = sorted({record.split for record in found})
        raise DataError(
            f"{len(unclear)} of {len(files)} masks in {folder} have names that fit several pictures, such as "
            f"{file.relative_to(folder).as_posix()}: {examples}; name masks by "
            "their pictures' paths below the set"
            + (f", or say which split they are of (here {', '.join(splits)})" if len(splits) > 1 else "")
        )
    matched = {file: found[0] for file, found in fitting.items() if found}
    first: dict[Path, Path] = {}
    for file, record in matched.items():
        if first.setdefault(record.path, file) != file:
            raise DataError(f"{first[record.path]} and {file} are both masks of {record.path}; leave one of them")
    return matched


def _below(path: Path, root: Path) -> str:
    return path.relative_to(root).with_suffix("").as_posix()
