"""Strategies for broken inputs: valid files with bytes, words, lines and ends changed, and words that break parsers."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from fuzzing import Files
from hypothesis import strategies as st

WORDS = (  # what has broken parsers before
    "",
    " ",
    "\x00",
    "\ufeff",
    "\r",
    "\r\n",
    "\n\n",
    "\t",
    "\u2028",
    "\u0660",
    "é",
    "\U0001f9e5",
    "-1",
    "0",
    "1e999999",
    "-1e999999",
    "1e-999999",
    "9" * 5000,
    "99999999999999999999",
    "0x10",
    "1_000",
    "NaN",
    "nan",
    "Infinity",
    "-inf",
    ".nan",
    ".inf",
    "null",
    "~",
    "true",
    "yes",
    "..",
    "../",
    "../../x",
    "/etc/passwd",
    "C:\\x",
    "..\\..\\x",
    "a/b",
    "%2e%2e%2f",
    "%s%n{0}",
    "${HOME}",
    "`id`",
    "<script>alert(1)</script>",
    "'; DROP TABLE x; --",
    '"',
    "'",
    ",",
    ";",
    ":",
    "{",
    "}",
    "[",
    "]",
    "{}",
    "[]",
    "&a [*a]",
    "*a",
    "!!python/object/apply:os.system [id]",
    "!!binary aaaa",
    "<<: {a: 1}",
    "? [a, b]",
    "--- ---",
    "# ",
    "|",
    ">",
    "[" * 2000,
    "{a: " * 500,
    "x" * 200_000,
)
TOKENS = (
    *(word.encode() for word in WORDS),
    b"\xff\xfe",
    b"\xff",
    b"\x80",
    b"\xed\xa0\x80",
    b"\xc0\xaf",
    b"\x1a",
    b"\x00" * 64,
    b"\xff" * 8,
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"PK\x03\x04",
    b"\x80\x04\x95",
    b"cos\nsystem\n(S'true'\ntR.",
)
Value = TypeVar("Value")
WIDE = 2**16  # places are drawn from so many and scaled to the input

Edit = Callable[[bytes, int, int, bytes], bytes]  # content, two places, a token


def changed_seeds(seeds: Sequence[Files]) -> st.SearchStrategy[Files]:
    """One of the seeds with one to four edits in one of its files."""
    places = [(files, name) for files in seeds for name, content in files.items() if isinstance(content, bytes)]
    place = st.integers(0, WIDE - 1)
    edit = st.tuples(one_of(EDITS), place, place, one_of(TOKENS))
    drawn = st.tuples(one_of(places), st.lists(edit, min_size=1, max_size=4))
    return drawn.map(lambda found: _changed(*found))


def one_of(values: Sequence[Value]) -> st.SearchStrategy[Value]:
    """One of these, which may be long: hypothesis writes down what `sampled_from` is given."""
    return st.integers(0, len(values) - 1).map(lambda place: values[place])


def one_file(name: str, content: st.SearchStrategy[bytes]) -> st.SearchStrategy[Files]:
    """Inputs of a single file."""
    return content.map(lambda found: {name: found})


def json_values() -> st.SearchStrategy[object]:
    """Any JSON, with words and numbers that break parsers."""
    leaves = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.sampled_from(WORDS[:-3]),
        st.sampled_from((10**400, -(10**30), 2**63, 1e308)),
    )
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS[:-3]), inner, max_size=4),
        max_leaves=8,
    )


def words() -> st.SearchStrategy[str]:
    """Any text: odd words, letters, and both."""
    return st.one_of(st.sampled_from(WORDS[:-3]), st.text(max_size=12))


def _changed(place: tuple[Files, str], edits: list[tuple[Edit, int, int, bytes]]) -> dict[str, bytes | Path]:
    files, name = place
    content = files[name]
    assert isinstance(content, bytes)
    for edit, one, other, token in edits:
        at, to = one * (len(content) + 1) // WIDE, other * (len(content) + 1) // WIDE
        content = edit(content, at, to, token)
    return {**files, name: content}


def _insert(content: bytes, at: int, _: int, token: bytes) -> bytes:
    return content[:at] + token + content[at:]


def _overwrite(content: bytes, at: int, _: int, token: bytes) -> bytes:
    return content[:at] + token + content[at + len(token) :]


def _flip(content: bytes, at: int, to: int, _: bytes) -> bytes:
    return content[:at] + bytes([content[at] ^ (1 << to % 8)]) + content[at + 1 :] if at < len(content) else content


def _set(content: bytes, at: int, to: int, _: bytes) -> bytes:
    return content[:at] + bytes([to % 256]) + content[at + 1 :]


def _cut(content: bytes, at: int, _to: int, _: bytes) -> bytes:
    return content[:at]


def _remove(content: bytes, at: int, to: int, _: bytes) -> bytes:
    return content[: min(at, to)] + content[max(at, to) :]


def _remove_few(content: bytes, at: int, to: int, _: bytes) -> bytes:
    return content[:at] + content[at + 1 + to % 8 :]


def _repeat(content: bytes, at: int, to: int, _: bytes) -> bytes:
    return content[: max(at, to)] + content[min(at, to) :]


def _replace_word(content: bytes, at: int, _: int, token: bytes) -> bytes:
    """The word around a place: what lies between signs."""
    ends = b" \t\r\n,;:=\"'[]{}()/"
    low = high = at
    while low > 0 and content[low - 1] not in ends:
        low -= 1
    while high < len(content) and content[high] not in ends:
        high += 1
    return content[:low] + token + content[high:]


def _replace_line(content: bytes, at: int, _: int, token: bytes) -> bytes:
    start = content.rfind(b"\n", 0, at) + 1
    end = content.find(b"\n", at)
    return content[:start] + token + (content[end:] if end >= 0 else b"")


def _swap_lines(content: bytes, at: int, to: int, _: bytes) -> bytes:
    lines = content.split(b"\n")
    one, other = at % len(lines), to % len(lines)
    lines[one], lines[other] = lines[other], lines[one]
    return b"\n".join(lines)


def _other_ends(content: bytes, at: int, _to: int, _: bytes) -> bytes:
    return content.replace(b"\n", (b"\r\n", b"\r", b"\n\n", b"\x0b")[at % 4])


def _other_code(content: bytes, at: int, _to: int, _: bytes) -> bytes:
    text = content.decode("utf-8", "replace")
    return text.encode(("utf-16", "utf-8-sig", "utf-16-le", "utf-32")[at % 4])


EDITS: tuple[Edit, ...] = (
    *(_insert, _insert, _overwrite, _flip, _flip, _set, _cut, _remove, _remove_few, _repeat),
    *(_replace_word, _replace_word, _replace_word, _replace_line, _swap_lines, _other_ends, _other_code),
)
