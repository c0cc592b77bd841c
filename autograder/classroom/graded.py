"""A submission of a class with its grading, as all lists and pages about the class take it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Person:
    """Who handed in, as far as the download says; what is not known is "".

    Attributes:
        name: as a teacher knows them.
        canvas: Canvas's number of the user.
        sis: the number in the university's own system, which Gradescope calls the student id.
        email: address, or the login.
    """

    name: str
    canvas: str = ""
    sis: str = ""
    email: str = ""


@dataclass(frozen=True)
class Graded:
    """One submission.

    Attributes:
        folder: its name in the folder of grades, different for each, safe in a path and a link.
        people: its authors, one or more.
        results: results.json, as `report.gradescope` makes it. `results["extra_data"]["look"]` is
            a list of reasons, whole sentences, why a person should look at it; usually empty.
    """

    folder: str
    people: tuple[Person, ...]
    results: dict
