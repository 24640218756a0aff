import base64
import configparser
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from table_rows import made_up, material

import rlq
from rlq.ablation.table import Variant
from rlq.report.cells import grid
from rlq.report.comparison import section
from rlq.report.content import Drawing, Report, ReportOptions
from rlq.report.writers import html, latex, markdown

NASTY = r"SS_MSE [NT] & 8% <b>|$x^2$~#{}\ "
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 8
PUBLISHED = {"prcc": {"CC": (58.0, 59.4)}, "ltcc": {"CC": (41.1, 20.3)}}


def made(*, dataset="synthetic", authors_way=False, rows=None):
    """A section of BM, a row with a nasty name, one far better, one that was not run."""
    rows = rows or [
        *(made_up("BM", seed, dataset=dataset) for seed in (1, 2)),
        *(made_up(NASTY, seed, skill=0.012, dataset=dataset) for seed in (1, 2)),
        *(made_up("RLQ", seed, skill=0.3, dataset=dataset) for seed in (1, 2)),
    ]
    variants = (
        Variant(name="BM", published=PUBLISHED),
        Variant(name=NASTY),
        Variant(name="RLQ"),
        Variant(name="never run", published={"prcc": {"CC": (64.0, 63.2)}}),
    )
    return section(material(rows, variants=variants), ReportOptions(authors_way=authors_way))


def report(*sections, drawings=()):
    return Report("parts", f"Parts {NASTY}", "rlq report parts.yaml", sections or (made(),), tuple(drawings), ("left",))


def columns(found):
    return [f"{column.group} {column.title}".strip() for column in found.columns]


def test_a_grid_has_seeds_numbers_differences_and_what_was_published():
    found = grid(made(dataset="prcc"))
    pairs = ("CC", "CC against BM", "CC published")
    assert columns(found) == ["seeds", *(f"{group} {m}" for group in pairs for m in ("rank-1", "mAP"))]
    (name, cells), (_, noisy), (_, best), (_, missing) = found.rows
    assert name == "BM" and cells[0].text == "2" and cells[3].text == "-" and cells[5].text == "58.0"
    assert re.fullmatch(r"\d\d\.\d ± \d+\.\d", cells[2].text)
    assert re.fullmatch(r"[+]\d\.\d \[[+-]?\d\.\d, [+-]?\d\.\d\]", noisy[4].text) and noisy[4].faint
    assert re.fullmatch(r"\(\d+\.\d\)", noisy[4].aside)
    assert best[2].strong and not best[4].faint and not any(cell.strong for cell in (*cells, *noisy, *missing))
    assert [cell.text for cell in missing] == ["0", "-", "-", "-", "-", "64.0", "63.2"]


def test_published_numbers_of_other_data_are_marked():
    found = grid(made())
    assert columns(found)[-4:] == [f"CC published ({name}) {m}" for name in ("ltcc", "prcc") for m in ("rank-1", "mAP")]
    assert [column.quiet for column in found.columns] == [False] * 5 + [True] * 4
    assert any("ltcc, prcc" in note for note in made().notes)
    assert not any(column.quiet for column in grid(made(dataset="prcc")).columns)


def test_the_authors_way_has_columns_of_its_own():
    assert "CC best two rank-1" in columns(grid(made(authors_way=True)))
    assert "CC best two rank-1" not in columns(grid(made()))


def test_one_row_alone_is_not_the_best():
    found = grid(section(material([made_up("BM", 1)]), ReportOptions()))
    assert not any(cell.strong for _, cells in found.rows for cell in cells)


def test_rows_that_print_alike_are_both_the_best():
    same = made_up("BM", 1)
    found = grid(section(material([same, made_up("RLQ", 1, metrics=same.metrics)]), ReportOptions()))
    assert [cells[1].strong for _, cells in found.rows] == [True, True]


def test_markdown_has_a_table_of_even_lines_with_bold_and_italics():
    lines = markdown.table(made()).splitlines()
    assert len({len(line) for line in lines}) == 1 and len(lines) == 2 + 4
    assert re.search(r"\| RLQ .*\| \*\*\d\d\.\d ± \d+\.\d\*\* \|", lines[4])
    assert re.search(r"\| +\*[+]\d\.\d \[.*\] \(\d+\.\d\)\* \|", lines[3])
    assert lines[3].startswith(r"| SS_MSE [NT] & 8% \<b>\|$x^2$~#{}\\ ")


def test_markdown_names_its_figures_and_warnings():
    drawing = Drawing("synthetic", "synthetic-curves", "Curves", PNG, {}, "| a |", "A note.")
    warned = made(rows=[made_up("BM", 1), made_up("RLQ", 1, device="NVIDIA")])
    text = markdown.document(report(warned, drawings=[drawing]), {"synthetic-curves": "figures/c.png"})
    assert "![Curves](figures/c.png)\n\nA note.\n\n| a |" in text
    assert re.search(r"^- \*\*.+\*\* .*NVIDIA", text, re.MULTILINE) and text.endswith("- left\n")


def test_latex_has_the_structure_of_booktabs():
    text = latex.table(report(), made(dataset="prcc"))
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {len(re.sub(r"\\&", "", row).split("&")) for row in rows[1:]} == {8}
    assert r"\begin{tabular}{lrrrrrrr}" in text
    assert rows[0] == (
        r" &  & \multicolumn{2}{c}{CC} & \multicolumn{2}{c}{CC against BM} & \multicolumn{2}{c}{CC published} \\"
    )
    assert r"\cmidrule(lr){3-4}\cmidrule(lr){5-6}\cmidrule(lr){7-8}" in text
    order = [r"\begin{table}", r"\toprule", r"\midrule", r"\bottomrule", r"\end{tabular}", r"\end{table}"]
    places = [text.index(word) for word in order]
    assert places == sorted(places)
    assert re.search(r"\\textbf\{\d\d\.\d \$\\pm\$ \d+\.\d\}", text) and r"\textit{+" in text


def test_latex_escapes_what_has_a_meaning_and_signs_minus_as_mathematics():
    assert latex.escaped(NASTY) == (
        r"SS\_MSE {[}NT{]} \& 8\% \textless{}b\textgreater{}\textbar{}\$x\textasciicircum{}2\$"
        r"\textasciitilde{}\#\{\}\textbackslash{} "
    )
    worse = made(rows=[made_up("BM", 1), made_up("RLQ", 1, skill=-0.3)])
    text = latex.table(report(), worse)
    body = text[text.index(r"\midrule") :]
    assert re.search(r"& \$-\$\d+\.\d \{\[\}\$-\$\d+\.\d, \$-\$\d+\.\d\{\]\} &", body)
    assert not re.search(r"(?<!\$)-\d", body)


def test_latex_leaves_published_numbers_of_other_data_out():
    assert "published" not in latex.table(report(), made()).partition(r"\begin{tabular}")[2]


def test_a_latex_comment_stays_in_its_line():
    text = latex.tables(Report("x", "two\nlines", "", (made(),)))
    assert text.startswith("% two lines\n")


class Cells(HTMLParser):
    """The rows of a page's table as texts, its tags, and all that it would load."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.tags, self.loads, self.open = [], [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.loads += [value for name, value in attributes if name in ("src", "href")]
        if tag == "tr":
            self.rows.append([])
        self.open = tag in ("td", "th", "button")
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data):
        if self.open:
            self.rows[-1][-1] += data

    def handle_endtag(self, tag):
        self.open = self.open and tag not in ("td", "th")


def test_the_page_shows_the_table_and_loads_nothing():
    drawing = Drawing("synthetic", "c", "Curves <of> it", PNG, {}, "| a & b |", "A note.")
    text = html.page(report(drawings=[drawing]))
    found = Cells(text)
    assert found.rows[1] == ["row", *(column.title for column in grid(made()).columns)]
    assert [row[0] for row in found.rows[2:]] == ["BM", NASTY, "RLQ", "never run"]
    assert found.loads == [f"data:image/png;base64,{base64.b64encode(PNG).decode()}"]
    assert "link" not in found.tags and "b" not in found.tags and "url(" not in text and "@import" not in text
    assert "default-src 'none'" in text and "<pre>| a &amp; b |</pre>" in text


def test_the_page_escapes_every_word():
    evil = '"><script>alert(1)</script>'
    rows = [made_up("BM", 1), made_up(evil, 1, device=evil)]
    whole = Report("x", evil, evil, (section(material(rows, base=evil), ReportOptions()),), (), (evil,))
    text = html.page(whole)
    assert Cells(text).tags.count("script") == 1 and "<script>alert" not in text


def test_the_page_sorts_by_full_numbers_and_marks_gain_and_noise():
    text = html.page(report())
    values = [float(value) for value in re.findall(r'data-value="([^"]+)"', text)]
    assert made().lines[2].scores["CC", "mAP"].spread.mean in values
    assert re.search(r'<td class="first up" data-value="0\.\d+" title="[^"]*\b59\b', text)
    assert re.search(r'<td class="noise" [^>]*>[+]\d', text)
    assert '<tr class="reference"><td data-value="1">BM</td>' in text


@pytest.mark.parametrize("count", [1, 2])
def test_every_section_has_its_table_in_every_format(count):
    whole = report(*[made()] * count)
    assert html.page(whole).count("<table>") == count
    assert latex.tables(whole).count(r"\begin{tabular}") == count
    assert markdown.document(whole, {}).count("\n## synthetic\n") == count


def test_the_template_of_the_page_is_delivered_with_the_package():
    setup = configparser.ConfigParser()
    setup.read(Path(rlq.__file__).parents[1] / "setup.cfg")
    delivered = setup["options.package_data"]["rlq.report.writers"].split()
    assert delivered == [path.name for path in Path(html.__file__).parent.glob("*.html")]
