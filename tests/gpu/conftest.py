"""After `pytest -m gpu`: one block with versions, GPU and results, to paste into an issue."""

from speedmap.engines.tensorrt import library
from speedmap.errors import UserError
from speedmap.machine import environment

OUTCOMES = ("passed", "failed", "error", "skipped")


def block(reports):
    """Write what ran and on what. reports: (passed, failed, error or skipped, pytest's report of a test)."""
    try:
        platform = library.platform()
    except UserError as error:
        platform = {"tensorrt": str(error)}
    facts = environment.versions() | platform | {"commit": environment.commit().get("commit", "unknown")}
    results = (f"{outcome:<8} {report.nodeid.split('::')[-1]}{reason(report)}" for outcome, report in reports)
    return ["```", *(f"{name}: {value}" for name, value in facts.items()), "", *results, "```"]


def reason(report):
    """Return why a test failed, in one line; "" for one that did not."""
    crash = getattr(report.longrepr, "reprcrash", None)
    return ": " + crash.message.partition("\n")[0] if crash else ""


def pytest_terminal_summary(terminalreporter, config):
    if config.option.markexpr != "gpu":
        return
    reports = {outcome: terminalreporter.stats.get(outcome, []) for outcome in OUTCOMES}
    listed = [(outcome, report) for outcome, of_one in reports.items() for report in of_one]
    terminalreporter.section("please paste this into an issue, whatever it says")
    terminalreporter.write("\n".join(block(listed)) + "\n")
