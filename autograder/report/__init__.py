"""The faces of a record: a table in the terminal, Gradescope's results.json and an HTML page.

They know nothing of the checks. Messages may quote what a student's code said, so every face
takes all text for hostile: it is shown, and never obeyed.
"""

from autograder.report.files import ReportError, write_atomically
from autograder.report.gradescope import as_text, gradescope
from autograder.report.page import page
from autograder.report.terminal import print_record

__all__ = ["ReportError", "as_text", "gradescope", "page", "print_record", "write_atomically"]
