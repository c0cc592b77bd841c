"""The report as a PDF, with nothing to install but what the kit has."""

import os
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import matplotlib as mpl
from fpdf import FPDF, FontFace, TextStyle
from fpdf.errors import FPDFException
from markdown_it import MarkdownIt

from fewshot.analysis import AnalysisError

FONTS = Path(mpl.get_data_path(), "fonts", "ttf")  # matplotlib brings DejaVu along
FACES = {"": "", "B": "-Bold", "I": "-Oblique", "BI": "-BoldOblique"}
BLACK = (0, 0, 0)
STYLES = {
    "h1": TextStyle(color=BLACK, font_size_pt=17, font_style="B", b_margin=2),
    "h2": TextStyle(color=BLACK, font_size_pt=13, font_style="B", t_margin=5, b_margin=2),
    "h3": TextStyle(color=BLACK, font_size_pt=10.5, font_style="B", t_margin=3, b_margin=1),
    "code": FontFace(family="Mono"),
    "pre": TextStyle(font_family="Mono", font_size_pt=9),
}
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
TABLE = re.compile(r"<table>.*?</table>", re.DOTALL)


def write_pdf(report: Path) -> Path:
    """Write a Markdown file as a PDF beside it.

    Returns:
        The PDF.

    Raises:
        AnalysisError: the report, or a picture in it, cannot be read, or the PDF not be written.
    """
    try:
        text = report.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AnalysisError(f"{report} cannot be read as UTF-8 text: name another file.") from error
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    html = TABLE.sub(lambda found: with_widths(found[0]), COMMENT.sub("", html))
    html = re.sub(r'<img src="([^"]*)"', lambda found: local(found[1], report), html)

    pdf = FPDF(format="A4")
    pdf.set_title(report.stem)
    pdf.set_margins(20, 18)
    for style, face in FACES.items():
        pdf.add_font("DejaVu", style, FONTS / f"DejaVuSans{face}.ttf")
    pdf.add_font("Mono", "", FONTS / "DejaVuSansMono.ttf")
    pdf.set_font("DejaVu", size=9)
    pdf.add_page()
    out, partial = report.with_suffix(".pdf"), report.with_suffix(".partial")
    try:
        pdf.write_html(html, tag_styles=STYLES, table_line_separators=True)
        pdf.output(partial)
        os.replace(partial, out)
    except OSError as error:
        raise AnalysisError(f"Cannot write {out} ({error.strerror}).") from error
    except (FPDFException, NotImplementedError, ValueError) as error:
        raise AnalysisError(f"{report} cannot be set: {error}") from error
    return out


def local(source: str, report: Path) -> str:
    """The start of a picture's tag, as wide as the page; pictures are files, never fetched."""
    file = report.parent / unquote(source)
    if not file.is_file():
        raise AnalysisError(
            f"{report} shows {source}, which is not there: make the figures first with "
            "python -m fewshot.analysis problem3 and problem4."
        )
    return f'<img width="482" src="{file}"'


def with_widths(table: str) -> str:
    """A table whose columns are as wide as what is in them."""
    cells = Cells()
    cells.feed(table)
    widths = [max(map(len, column)) + 2 for column in zip(*cells.rows, strict=True)]
    shares = iter([f'<th width="{100 * width // sum(widths)}%"' for width in widths])
    return re.sub("<th", lambda _: next(shares), re.sub("<thead>|</thead>", "", table))


class Cells(HTMLParser):
    """The text of each cell of a table, row by row."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []

    def handle_starttag(self, tag: str, attributes: list) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip()
