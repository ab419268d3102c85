import pytest

from kill import prepare


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Give a working directory with the sample in it."""
    return prepare(tmp_path_factory.mktemp("run"))
