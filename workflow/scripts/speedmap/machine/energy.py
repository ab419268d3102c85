"""The energy that a run took: by a counter of the device, else by samples of its power."""

import re
from itertools import pairwise
from pathlib import Path

from speedmap.machine.sample import Sample
from speedmap.results.watch import Energy

POWERCAP = Path("/sys/class/powercap")
PACKAGE = re.compile(r"intel-rapl:\d+")  # of a processor; intel-rapl:0:0 is a part of it. AMD's has the same name


class CpuCounters:
    """The energy counters of the host's processors, which Linux shows to those who may read them."""

    def __init__(self, powercap: Path = POWERCAP) -> None:
        self._zones = [path for path in sorted(powercap.glob("intel-rapl:*")) if PACKAGE.fullmatch(path.name)]
        self._last, self._wrapped = self._read(), 0

    def joules(self) -> float | None:
        """Return the joules of all processors since some time before; None where nobody tells or this user may not."""
        now, before = self._read(), self._last
        if now is None or before is None:
            return None
        ranges = [int((zone / "max_energy_range_uj").read_text()) for zone in self._zones]
        self._wrapped += sum(size for size, new, old in zip(ranges, now, before, strict=True) if new < old)
        self._last = now
        return (sum(now) + self._wrapped) / 1e6

    def _read(self) -> list[int] | None:
        try:
            return [int((zone / "energy_uj").read_text()) for zone in self._zones] or None
        except (OSError, ValueError):
            return None


def energy(samples: list[Sample], seconds: float) -> Energy | None:
    """Return the energy of a run of some seconds, by samples of a counter or of the power; None where there is neither.

    The mean power between the first and the last sample stands for all of the run. What a GPU's counter and its power
    lag behind is the same at both ends. Idle power is a part of it.
    """
    counted = [(sample.at_s, sample.energy_j) for sample in samples if isinstance(sample.energy_j, float)]
    if len(counted) > 1 and (spent := counted[-1][1] - counted[0][1]) > 0:
        return Energy(joules=spent / (counted[-1][0] - counted[0][0]) * seconds, seconds=seconds, by="counter")
    powers = [(sample.at_s, sample.power_w) for sample in samples if isinstance(sample.power_w, float)]
    if len(powers) > 1 and powers[-1][0] > powers[0][0]:
        spent = sum((end - start) * (one + other) / 2 for (start, one), (end, other) in pairwise(powers))
        return Energy(joules=spent / (powers[-1][0] - powers[0][0]) * seconds, seconds=seconds, by="power samples")
    return None
