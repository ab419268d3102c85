"""A line of what the doctor says."""

from typing import NamedTuple

OK, MISSING, WARNING = "ok", "missing", "warning"


class Line(NamedTuple):
    """One line of the report: ok, missing or warning; what it is on; what was found; what to do about it."""

    state: str
    what: str
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        text = "; ".join(filter(None, (self.found, self.remedy)))
        return f"{self.state:<8} {self.what:<9} {' '.join(text.split())}"
