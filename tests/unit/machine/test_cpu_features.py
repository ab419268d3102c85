import pytest

from speedmap.engines import registry
from speedmap.engines.openvino import OpenVINO
from speedmap.machine import cpu_features

X86 = "processor\t: 0\nmodel name\t: A CPU\nflags\t\t: fpu sse4_1 avx avx2 {}\nbugs\t\t: \n"


@pytest.mark.parametrize(
    ("flags", "limit", "expected"),
    [
        ("", "", True),
        ("avx512f avx512bw avx512vl", "", True),
        ("avx_vnni", "", False),
        ("avx512f avx512_vnni", "", False),
        ("avx512_vnni amx_int8", "AVX512_CORE_VNNI", False),
        ("avx512_vnni amx_int8", "avx2", True),
    ],
)
def test_sums_saturate_without_vnni_or_where_it_is_not_to_be_used(flags, limit, expected):
    assert cpu_features.saturates(X86.format(flags), limit) == expected


@pytest.mark.parametrize("text", ["", "processor\t: 0\nFeatures\t: fp asimd asimddp i8mm\n"])
def test_other_processors_are_not_held_to_saturate(text):
    assert not cpu_features.saturates(text, "AVX2")


def test_a_platform_of_openvino_says_it_when_planned_as_when_built(monkeypatch):
    monkeypatch.setattr(cpu_features, "saturates", lambda cpuinfo, limit: True)
    assert registry.platform("openvino") == OpenVINO().platform()
    assert registry.platform("openvino")["int8_sums"] == cpu_features.SATURATING
    with pytest.raises(registry.BackendError, match="planned for int8_sums 32 bits, but this node has 16 bits"):
        registry.demand(OpenVINO().platform() | {"int8_sums": cpu_features.WIDE}, OpenVINO().platform())
