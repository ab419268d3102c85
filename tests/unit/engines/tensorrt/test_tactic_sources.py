import ctypes
import subprocess

import pytest

from speedmap.engines.tensorrt import tactic_sources

STAND_IN = "int cudnnGetProperty(int kind, int *value) { return 1; }\nint cudnnCreate(void) { return 1; }\n"
BARE = "int cudnnCreate(void) { return 1; }\n"
REAL = "int cudnnGetProperty(int kind, int *value) { *value = kind ? 9 : 8; return 0; }\n"


@pytest.fixture
def compiled(tmp_path):
    def compile_library(source):
        (tmp_path / "library.c").write_text(source)
        library = tmp_path / "libcudnn.so.8"
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, tmp_path / "library.c"], check=True)
        return library

    return compile_library


@pytest.mark.parametrize(
    ("source", "version"), [(STAND_IN, 0), (BARE, 0), (REAL, 8)], ids=["stands in", "bare", "real"]
)
def test_a_library_is_real_when_it_knows_its_version(compiled, source, version):
    library = compiled(source)
    assert tactic_sources.major_version(ctypes.CDLL(str(library)), "cudnn") == version
    assert tactic_sources.real("cudnn", ("libabsent.so.1", str(library))) == (version > 0)


def test_sources_of_libraries_that_are_not_there_are_left_out(monkeypatch):
    monkeypatch.setattr(tactic_sources, "LIBRARIES", {"CUDNN": ("cudnn", ("libabsent.so.1",))})
    assert tactic_sources.usable({"CUDNN": 1, "JIT_CONVOLUTIONS": 2}) == {"JIT_CONVOLUTIONS": 2}
