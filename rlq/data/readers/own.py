"""Any other data, described by a table: pictures.csv, with a row per picture.

Columns   path, pid, camera, split (train, query, gallery); and, where known, clothes, tracklet, gender, pose.
          Paths are relative to the table's folder and lie below it.
Camera    may be empty in all rows: then no match is junk.
Clothes   of all training pictures or of none, and of all test pictures or of none; numbered within a person. Without
          test clothes there is no CC and no SC.
Gender    m, f or u (in doubt, counted as f); pose: a class from 0.
Split     query and gallery, or neither; training pictures may be absent.
"""

from collections.abc import Sequence
from pathlib import Path

from rlq.core.errors import DataError
from rlq.core.text import listed, nearest
from rlq.data.readers.listing import absent, foreign_links, is_hidden
from rlq.data.readers.tables import SHOWN, Row, read_table
from rlq.data.records import Protocol, Record, ReidData

TABLE = "pictures.csv"
LAYOUT = (
    "pictures.csv (or one .csv of another name) with the columns path, pid, camera, split and, where known, clothes, "
    "tracklet, gender, pose"
)
REQUIRED = ("path", "pid", "camera", "split")
OPTIONAL = ("clothes", "tracklet", "gender", "pose")
LONGEST = 9  # digits of a class
MISSPELT = 0.75  # similarity from which a column's name counts as a misspelling of ours
SPLITS = ("train", "query", "gallery")
GENDERS = {"m": 1, "male": 1, "1": 1, "1.0": 1, "f": 0, "female": 0, "0": 0, "0.0": 0, "u": 0}

GENERAL = Protocol("General", "GENERAL")
BY_CLOTHES = (Protocol("CC", "CC"), Protocol("SC", "SC"))
NO_CLOTHES = "the table has no clothes of query and gallery pictures"


def holds_own(place: Path) -> bool:
    """Return whether this is a table, or a folder with one."""
    return _table_of(place) is not None


def read_own(root: Path, name: str = "csv") -> ReidData:
    """Read all pictures of a table, in the order of their paths."""
    named_table = _table_of(root) or root / TABLE
    named_folder = named_table.parent.absolute()
    folder = named_folder.resolve()
    table = folder / named_table.name
    rows = list(read_table(table, REQUIRED, "table of pictures"))
    if not rows:
        raise DataError(f"{table}: has no row; a row is a picture, with {', '.join(REQUIRED)}")
    _check_columns(table, rows[0])
    _check_splits(table, rows)
    paths = _paths(table, rows, named_folder)
    has_cameras = _all_or_none(table, rows, "camera", "rows")
    tests = [row for row in rows if row["split"] != "train"]
    trains = [row for row in rows if row["split"] == "train"]
    train_clothes = _all_or_none(table, trains, "clothes", "training rows")
    test_clothes = _all_or_none(table, tests, "clothes", "query and gallery rows")
    splits: dict[str, list[Record]] = {split: [] for split in SPLITS}
    for number, (path, row) in enumerate(sorted(zip(paths, rows, strict=True), key=lambda pair: pair[0])):
        camera = row["camera"] if has_cameras else str(number)  # one per picture, so that no two agree
        has_clothes = train_clothes if row["split"] == "train" else test_clothes
        splits[row["split"]].append(_record(folder, path, row, camera, has_clothes=has_clothes))
    # without test pictures, held-out training people are ranked, by clothes if theirs are known
    ranks_clothes = test_clothes if tests else train_clothes
    return ReidData(
        name,
        folder,
        splits["train"],
        splits["query"],
        splits["gallery"],
        protocols=(*BY_CLOTHES, GENERAL) if ranks_clothes else (GENERAL,),
        clothes_known=train_clothes or not trains,
        refused={} if ranks_clothes else {"CC": NO_CLOTHES, "SC": NO_CLOTHES},
        lists=(table,),
        attributes=_attributes(folder, paths, rows),
    )


def _record(folder: Path, path: str, row: Row, camera: str, *, has_clothes: bool) -> Record:
    clothes = f"{row['pid']}/{row['clothes']}" if has_clothes else row["pid"]
    return Record(folder / path, row["pid"], camera, clothes, row["split"], path, row.get("tracklet", ""))


def _table_of(place: Path) -> Path | None:
    """Return a table itself, a folder's pictures.csv, or the only .csv in a folder; None for any other place."""
    if place.is_file():
        return place
    if (place / TABLE).is_file():
        return place / TABLE
    tables = [path for path in place.glob("*.csv") if not is_hidden(path)]
    return tables[0] if len(tables) == 1 else None


def _check_columns(table: Path, row: Row) -> None:
    """Refuse a column whose name is nearly one of ours, which is probably misspelt; other columns are ignored."""
    for name in row:
        near = nearest(name, OPTIONAL, similar=MISSPELT)
        if near and name not in OPTIONAL:
            raise DataError(f"{table}: has a column {name!r}; did you mean {near!r}? If not, give it another name")


def _check_splits(table: Path, rows: Sequence[Row]) -> None:
    for row in rows:
        if row["split"] not in SPLITS:
            raise DataError(f"{row.place}: split {row['split']!r} is none of {', '.join(SPLITS)}")
        if not row["pid"]:
            raise DataError(f"{row.place}: has no pid")
    test_splits = {row["split"] for row in rows} & {"query", "gallery"}
    if len(test_splits) == 1:
        raise DataError(f"{table}: has {test_splits.pop()} rows only; testing needs query and gallery")


def _paths(table: Path, rows: Sequence[Row], named_folder: Path) -> list[str]:
    """Return each row's POSIX path below the table's folder. Raises DataError for repeated and missing files.

    `named_folder` is the same folder before links were resolved; absolute paths may be below either.
    """
    row_of: dict[str, Row] = {}
    for row in rows:
        path = _below((table.parent, named_folder), row)
        if path in row_of:
            raise DataError(f"{row.place}: {path} is in {row_of[path].place} already")
        row_of[path] = row
    paths = list(row_of)
    missing = absent(table.parent, paths)
    if missing:
        shown = listed((f"{rows[place].place}: {paths[place]}" for place in missing), SHOWN, "; ")
        raise DataError(
            f"{len(missing)} of {len(paths)} pictures do not exist: {shown}; paths are relative to {table.parent}"
        )
    links = foreign_links(table.parent, paths)
    if links:
        row = rows[links[0]]
        raise DataError(
            f"{row.place}: {paths[links[0]]} is or lies behind a link that leads out of {table.parent}; the table "
            "should be in the folder that really holds its pictures"
        )
    return paths


def _below(folders: tuple[Path, Path], row: Row) -> str:
    path = Path(row["path"])
    for folder in folders:
        if path.is_absolute() and path.is_relative_to(folder):
            path = path.relative_to(folder)
    if path.is_absolute() or ".." in path.parts or path == Path():
        raise DataError(f"{row.place}: path {row['path']!r} should name a file below {folders[0]}")
    return path.as_posix()


def _all_or_none(table: Path, rows: Sequence[Row], column: str, what: str) -> bool:
    """Return whether these rows fill a column. Raises DataError if only some of them do."""
    empty = [row for row in rows if not row.get(column)]
    if 0 < len(empty) < len(rows):
        places = listed((row.place.removeprefix(f"{table}: ") for row in empty), SHOWN)
        raise DataError(
            f"{table}: {len(empty)} of {len(rows)} {what} have no {column} ({places}); fill the column in all or none"
        )
    return bool(rows) and not empty


def _attributes(folder: Path, paths: Sequence[str], rows: Sequence[Row]) -> dict[str, dict[Path, int]]:
    """Return gender and pose of the pictures that have them; empty and missing columns are left out."""
    attributes: dict[str, dict[Path, int]] = {"gender": {}, "pose": {}}
    people: dict[tuple[bool, str], tuple[int, Row]] = {}
    for path, row in zip(paths, rows, strict=True):
        if row.get("gender"):
            gender = _gender(row)
            # equal pids in training and test can be two people
            first_gender, first = people.setdefault((row["split"] == "train", row["pid"]), (gender, row))
            if first_gender != gender:
                raise DataError(f"{row.place}: {row['pid']} is {row['gender']}, but {first['gender']} in {first.place}")
            attributes["gender"][folder / path] = gender
        if row.get("pose"):
            attributes["pose"][folder / path] = _pose(row)
    return {column: labels for column, labels in attributes.items() if labels}


def _gender(row: Row) -> int:
    gender = GENDERS.get(row["gender"].lower())
    if gender is None:
        raise DataError(f"{row.place}: gender {row['gender']!r} is none of m, f, u (in doubt), male, female, 1, 0")
    return gender


def _pose(row: Row) -> int:
    """Return a class, which can be written as 10 or 10.0."""
    digits = row["pose"].removesuffix(".0")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= LONGEST):
        raise DataError(f"{row.place}: pose {row['pose']!r} is not a class (0, 1, 2, ...)")
    return int(digits)
