"""rlq score: evaluate features from other programs by our protocols."""

from pathlib import Path

import click

from rlq.cli.errors import one_line_errors
from rlq.cli.options import FILE


@click.command(short_help="Evaluate features that were made elsewhere.")
@click.argument("file", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, rates and mAP as fractions.")
def score(file: Path, as_json: bool) -> None:
    """Rank the features of FILE and print rank-k and mAP in percent.

    FILE is a NumPy .npz of f_query, f_gallery (features, one row per picture), q_pid, g_pid, q_cam, g_cam (labels) and,
    for the clothes-aware rules CC and SC, q_clothes, g_clothes. Similarity is the cosine.
    """
    with one_line_errors():
        from rlq.evaluation.score_file import score_file

        results = score_file(file)
    if as_json:
        import json

        click.echo(json.dumps(results, allow_nan=False))
        return
    from rlq.core.scores import RANKING_COLUMNS
    from rlq.core.text import table

    counts = ["queries", "valid_queries", "gallery"]
    rows = [
        [rule, *(score.text(result[score.key]) for score in RANKING_COLUMNS), *(str(result[count]) for count in counts)]
        for rule, result in results.items()
    ]
    headings = [score.heading for score in RANKING_COLUMNS]
    click.echo(table(rows, header=["rule", *headings, "queries", "valid", "gallery"]))
