"""Files that tests hold what is made against: tests/golden, rewritten by `pytest --fix`, to be read before a commit."""

from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser):
    parser.addoption("--fix", action="store_true", help="rewrite the files in tests/golden")


@pytest.fixture
def golden(request):
    """Hold a text against the golden file of a name."""

    def check(name, text):
        if request.config.option.fix:
            (GOLDEN / name).write_text(text, "utf-8")
        assert text == (GOLDEN / name).read_text("utf-8")

    return check
