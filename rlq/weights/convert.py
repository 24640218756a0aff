"""Import published weights, and export weights for other programs."""

from pathlib import Path

from rlq.core.console import Console
from rlq.core.errors import RlqError
from rlq.core.files import folder_written_whole, parsed_json
from rlq.core.settings import TrackingSettings
from rlq.methods.base import CONFIG, SOURCE, WEIGHTS
from rlq.methods.catalogue import find_method
from rlq.methods.weights_folder import FIRST_METHOD, read_config
from rlq.runs.folder import find_weights


def import_weights(
    file: Path,
    *,
    method: str = FIRST_METHOD,
    output: Path | None = None,
    dataset: str | None = None,
    root: str = "data",
    force: bool = False,
    console: Console | None = None,
) -> Path:
    """Turn a file published by a method's authors into a weights folder, and return the folder.

    The folder is runs/imported/<stem> by default. Raises DataError for a file that does not hold exactly one of the
    published networks, and RlqError if the folder holds other weights, unless `force`.
    """
    console = console or Console()
    output = output or Path(TrackingSettings().folder) / "imported" / _stem(file)
    imported = find_method(method).import_checkpoint(file, dataset=dataset, root=root)
    _check_free(output, imported.digest, force)
    with folder_written_whole(output) as draft:
        imported.write(draft)
    for line in imported.lines:
        console.line(line)
    console.line(f"written   {output}; rlq evaluate {output} ranks {imported.dataset} with it")
    return output


def export_weights(word: str, output: Path, *, which: str = "best", console: Console | None = None) -> None:
    """Write the inference network of a run or weights folder as .safetensors or .onnx, by the suffix of `output`."""
    console = console or Console()
    if output.suffix not in (".safetensors", ".onnx"):
        raise RlqError(f"--output {output} should end in .safetensors or .onnx")
    if output.is_dir():
        raise RlqError(f"--output {output} is a folder; it should name a file")
    if output.name == WEIGHTS and (output.parent / CONFIG).exists():
        raise RlqError(
            f"--output {output} would replace the weights that {output.parent / CONFIG} describes; name another file"
        )
    source, _ = find_weights(word, which, Path(TrackingSettings().folder))
    find_method(read_config(source).method).export(source, output, console)
    console.line(f"written  {output}, from {source}")


def _stem(file: Path) -> str:
    return file.name.removesuffix(".tar").removesuffix(".pth")


def _check_free(output: Path, digest: str, force: bool) -> None:
    """Raise RlqError for a folder that holds other files than weights, or other weights unless forced."""
    if not output.exists():
        return
    if not output.is_dir():
        raise RlqError(f"--output {output} is a file; it should name a folder")
    names = sorted(path.name for path in output.iterdir())
    others = [name for name in names if name not in (WEIGHTS, CONFIG, SOURCE)]
    if others:
        raise RlqError(f"{output} holds {others[0]}, which is not a part of imported weights; name another --output")
    if names and not force and _digest_in(output) != digest:
        raise RlqError(f"{output} holds other weights; --force replaces them, or name another folder by --output")


def _digest_in(folder: Path) -> str | None:
    """Return the SHA-256 digest of the file that a folder was imported from; None if it is not known."""
    try:
        source = parsed_json((folder / SOURCE).read_text())
    except (OSError, ValueError):  # the weights were not imported
        return None
    return source.get("sha256") if isinstance(source, dict) else None
