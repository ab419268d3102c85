import pytest
from msgspec import structs

from speedmap.machine.energy import CpuCounters, energy
from speedmap.machine.sample import Sample


def power(at, watts, joules=None):
    return Sample(at_s=at, power_w=watts and float(watts), energy_j=joules)


def test_a_counter_tells_the_energy_of_the_whole_run():
    told = energy([power(0.5, 100, 1000.0), power(2.5, None, 1400.0), power(4.5, 90, 1800.0)], 5.0)
    assert (told.joules, told.seconds, told.by) == (pytest.approx(200 * 5), 5.0, "counter")


def test_without_a_counter_the_power_is_integrated_over_uneven_steps():
    told = energy([power(0.0, 100), power(1.0, 300), power(4.0, 300)], 4.0)
    assert (told.joules, told.by) == (pytest.approx(200 + 900), "power samples")


def test_counter_and_power_agree_on_a_run_that_changes_its_power():
    watts = [300 if 50 <= tick < 150 else 120 for tick in range(201)]
    joules = [sum(watts[:tick]) / 10 for tick in range(201)]
    samples = [power(tick / 10, watts[tick], joules[tick]) for tick in range(201)]
    counted, integrated = (
        energy(samples, 20.0),
        energy([structs.replace(each, energy_j=None) for each in samples], 20.0),
    )
    assert counted.by != integrated.by
    assert counted.joules == pytest.approx(integrated.joules, rel=0.01)


@pytest.mark.parametrize(
    "samples", [[], [power(0.0, 100, 5.0)], [power(0.0, None), power(1.0, None)], [Sample(at_s=0.0), Sample(at_s=1.0)]]
)
def test_a_device_that_does_not_tell_has_no_energy(samples):
    assert energy(samples, 1.0) is None


def test_a_counter_that_stands_still_gives_way_to_the_power():
    assert energy([power(0.0, 50, 7.0), power(1.0, 50, 7.0)], 1.0).by == "power samples"


@pytest.fixture
def powercap(tmp_path):
    """Write the counters of processors, in microjoules; a part of a processor has one, too."""

    def write(**counters):
        for name, value in {"0_0": 999_000_000, **counters}.items():
            zone = tmp_path / f"intel-rapl:{name.strip('p').replace('_', ':')}"
            zone.mkdir(exist_ok=True)
            (zone / "energy_uj").write_text(f"{value}\n")
            (zone / "max_energy_range_uj").write_text("10000000\n")
        return tmp_path

    return write


def test_processors_are_summed_up_and_counters_wrap(powercap):
    counters = CpuCounters(powercap(p0=8_000_000, p1=1_000_000))
    start = counters.joules()
    powercap(p0=9_500_000, p1=2_000_000)
    assert counters.joules() - start == pytest.approx(2.5)
    powercap(p0=500_000, p1=2_000_000)
    assert counters.joules() - start == pytest.approx(3.5)


def test_processors_that_do_not_tell_have_no_energy(tmp_path, powercap):
    assert CpuCounters(tmp_path / "none").joules() is None
    folder = powercap(p0=1)
    (folder / "intel-rapl:0/energy_uj").unlink()
    assert CpuCounters(folder).joules() is None
