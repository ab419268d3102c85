"""After `pytest -m gpu`: one block with versions, GPU and results, to paste into an issue."""

from speedmap.engines.tensorrt import library
from speedmap.errors import UserError
from speedmap.machine import environment

OUTCOMES = ("passed", "failed", "error", "skipped")


def block(outcomes):
    """Write what ran and on what. outcomes: (test, passed, failed, error or skipped)."""
    try:
        platform = library.platform()
    except UserError as error:
        platform = {"tensorrt": str(error)}
    facts = platform | environment.versions() | {"commit": environment.commit().get("commit", "unknown")}
    return ["```", *(f"{name}: {value}" for name, value in facts.items()), "",
            *(f"{outcome:<8} {test.split('::')[-1]}" for test, outcome in outcomes), "```"]  # fmt: skip


def pytest_terminal_summary(terminalreporter, config):
    if config.option.markexpr != "gpu":
        return
    reports = {outcome: terminalreporter.stats.get(outcome, []) for outcome in OUTCOMES}
    outcomes = [(report.nodeid, outcome) for outcome, listed in reports.items() for report in listed]
    terminalreporter.section("please paste this into an issue, whatever it says")
    terminalreporter.write("\n".join(block(outcomes)) + "\n")
