"""Turn whatever ends a job into one line that a person can act on."""

import re

from speedmap.errors import UserError, known

KILLED = re.compile(r"\.(\w+)\.py' (died with <Signals\.\w+: \d+>)")  # as Snakemake's log says it
LONGEST = 300  # characters of a foreign message; the log has it in full


def explain(error: BaseException) -> str:
    """Return in a line what an error means: its own message if that is meant for users, else cause and remedy if known.

    An error is known when the catalogue has its message or that of an error behind it, the first cause first.
    """
    if isinstance(error, UserError):
        return f"error: {_one_line(str(error))}"
    for link in reversed(_chain(error)):
        if said := known.said(_text(link)):
            return f"error: {said} ({_first_line(link)})"
    return f"error: unexpected {type(error).__name__}: {_one_line(str(error))[:LONGEST]}"


def killed(log: str) -> list[str]:
    """Explain each job in the log of a run that was killed, and so could not explain itself, in one line."""
    found = dict.fromkeys(KILLED.findall(log))
    return [f"error: {step}: {known.said(end) or 'a signal ended it'} ({end})" for step, end in found]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _chain(error: BaseException) -> list[BaseException]:
    """List an error and those behind it as a traceback shows them, the last raised first."""
    chain: list[BaseException] = []
    while error is not None and error not in chain:  # a chain may be closed by hand
        chain.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return chain


def _text(error: BaseException) -> str:
    """Write what is to be searched: type, message, notes, and what a command that failed had said."""
    said = getattr(error, "stderr", None) or ""
    said = said.decode(errors="replace") if isinstance(said, bytes) else said
    return "\n".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", []), str(said)])


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or ["no message"]
    return f"{type(error).__name__}: {lines[0]}"[:LONGEST]
