"""The processors as /proc shows them: their clock, and what other processes take."""

import os
import re
from pathlib import Path
from typing import Any

from speedmap.machine.energy import POWERCAP, CpuCounters
from speedmap.machine.sample import Sample

PROC = Path("/proc")
KERNEL = "2"  # number of the process that all threads of the kernel come from
NAMED, LEAST = 3, 0.02  # of the other processes: how many are named, and from which share of all processors on
CPUFREQ = Path("/sys/devices/system/cpu")


class CpuSource:
    """Samples the clock of the processors and the share of them that other processes took since the sample before."""

    def __init__(self, proc: Path = PROC, cpufreq: Path = CPUFREQ, powercap: Path = POWERCAP) -> None:
        self._proc, self._cpufreq, self._energy = proc, cpufreq, CpuCounters(powercap)
        self._before = self._ticks()
        self._start = self._before[0], self._by_process()

    def setting(self) -> dict[str, Any]:
        """Return the governor of the clocks and the number of processors, None where the machine does not tell."""
        governor = self._cpufreq / "cpu0/cpufreq/scaling_governor"
        return {"governor": governor.read_text().strip() if governor.is_file() else None, "cpus": os.cpu_count()}

    def sample(self) -> Sample:
        """Read the fastest processor's clock, the share of all processors that others used, and their energy."""
        return Sample(cpu_mhz=self._clock(), others_share=self.others_share(), energy_j=self._energy.joules())

    def others_share(self) -> float | None:
        """Return the share 0..1 of all processors that other processes used since the last call."""
        now = self._ticks()
        total, busy, own = (after - before for after, before in zip(now, self._before, strict=True))
        self._before = now
        return max(0.0, (busy - own) / total) if total > 0 else None

    def busiest(self) -> dict[str, float]:
        """Return the share 0..1 of all processors that the busiest other programs used since the start.

        By name and number of the process, those of the kernel left out.
        """
        (total, before), now = self._start, self._by_process()
        passed = self._ticks()[0] - total
        used = {pid: ticks - before.get(pid, ("", 0))[1] for pid, (_, ticks) in now.items()}
        top = sorted(used, key=used.get, reverse=True)[:NAMED]
        shares = {f"{now[pid][0]} ({pid})": round(used[pid] / passed, 3) for pid in top if passed > 0}
        return {name: share for name, share in shares.items() if share >= LEAST}

    def _by_process(self) -> dict[int, tuple[str, int]]:
        """Read name and ticks of every other program, by the number of its process."""
        programs = {}
        for path in self._proc.glob("[0-9]*/stat"):
            try:
                number, _, rest = path.read_text(errors="replace").partition(" (")
            except OSError:  # it has just ended
                continue
            name, _, fields = rest.rpartition(") ")
            _, parent, *_ = numbers = fields.split()
            if KERNEL not in (number, parent) and number != str(os.getpid()):
                programs[int(number)] = name, sum(map(int, numbers[11:13]))
        return programs

    def _ticks(self) -> tuple[int, int, int]:
        """Read the ticks since boot: of all processors, of these not idle, of the own process."""
        first = (self._proc / "stat").read_text().split("\n", 1)[0]
        fields = [int(field) for field in first.split()[1:9]]  # user nice system idle iowait irq softirq steal
        own = (self._proc / "self/stat").read_text().rsplit(")", 1)[1].split()
        return sum(fields), sum(fields) - fields[3] - fields[4], int(own[11]) + int(own[12])

    def _clock(self) -> float | None:
        found = re.findall(r"^cpu MHz\s*:\s*([\d.]+)", (self._proc / "cpuinfo").read_text(), re.MULTILINE)
        return max(map(float, found)) if found else None
