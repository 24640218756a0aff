"""What a message must name, whatever its words are."""


def assert_names(message: object, *pieces: object) -> None:
    """Assert that every piece (a file, a key, a value) occurs in a message, in any order."""
    text = str(message)
    missing = [str(piece) for piece in pieces if str(piece) not in text]
    assert not missing, f"{missing} not in: {text}"
