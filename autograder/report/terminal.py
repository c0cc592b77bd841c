"""A record in the terminal."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from autograder.record import Record
from autograder.report.words import SIGNS, amount, clean, not_graded_here, sections

WIDEST = 100  # columns; longer lines are hard to read
STYLES = {"passed": "green", "failed": "red", "waiting": "yellow", "not graded": "dim"}
ASCII = str.maketrans("✓✗…–→", "+x.->")  # for consoles that cannot show the signs


def print_record(record: Record, console: Console | None = None) -> None:
    """Print notes, every check by part, the total and the protections.

    Args:
        record: what to print.
        console: where; standard output by default.
    """
    console = console or Console()
    width = min(console.width, WIDEST)

    def text(string: str, style: str = "") -> Text:  # a Text, because rich obeys markup in a str
        string = clean(string)
        if not console.encoding.startswith("utf"):
            string = string.translate(ASCII)
            string = string.encode(console.encoding, "replace").decode(console.encoding)
        return Text(string, style)

    for note in record.notes:
        console.print(text(f"Note: {note}"), width=width)

    for title, results in sections(record):
        score = amount(sum(result.score for result in results))
        worth = amount(sum(result.check.points for result in results))
        heading = Table.grid(padding=(0, 1), expand=True)
        heading.add_column(ratio=1)
        heading.add_row(text(title, "bold"), text(f"{score} / {worth}", "bold"))
        rows = Table.grid(padding=(0, 1), expand=True)
        rows.add_column(width=1)
        rows.add_column(width=4)
        rows.add_column(ratio=1)
        rows.add_column(justify="right", no_wrap=True)
        for result in results:
            check, style = result.check, STYLES[result.status]
            rows.add_row(
                text(SIGNS[result.status], style),
                text(check.number, style),
                text(check.title),
                text(f"{amount(result.score)} / {amount(check.points)}", style),
            )
            if result.status == "passed":
                continue
            rows.add_row("", "", text(result.message, style))
            if result.mistake:
                rows.add_row("", "", text(result.mistake.why, "bold"))
                rows.add_row("", "", text(f"→ {result.mistake.look}", "cyan"))
        console.print()
        console.print(heading, rows, width=width)

    total = f"Total {amount(record.score)} / {amount(record.max_score)}"
    protections = ", ".join(record.protections) or "none"
    console.print()
    console.print(text(total, "bold"))
    console.print(text(f"Protections: {protections}"), soft_wrap=True)
    if record.public_only:
        console.print(text(not_graded_here(record)), soft_wrap=True)
