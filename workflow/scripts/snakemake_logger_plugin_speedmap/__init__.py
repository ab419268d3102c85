"""Snakemake's logger plugin of speedmap: `--logger speedmap` shows a run in one line, and leaves the rest to its log.

Snakemake looks for packages of such names on Python's path, so that PYTHONPATH=workflow/scripts is all it takes.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from snakemake_interface_logger_plugins.base import LogHandlerBase

from speedmap.run.terminal import Terminal


class LogHandler(LogHandlerBase):
    """Hands what Snakemake logs to the terminal's line."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = True
    has_formatter = True
    needs_rulegraph = False

    def __post_init__(self) -> None:
        self.terminal = Terminal(dry=self.common_settings.dryrun)

    def emit(self, record) -> None:
        try:
            self.terminal.take(record)
        except Exception:  # what is shown must not end a run
            self.handleError(record)

    def close(self) -> None:
        self.terminal.close()
        super().close()
