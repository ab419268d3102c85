"""A GPU and what is beside it as NVML shows them: clocks, power, memory, processes, and how busy the host is."""

import time
from dataclasses import asdict
from pathlib import PurePath
from typing import Any

from speedmap.machine.cpu_counters import CpuSource
from speedmap.machine.nvml import Gpu
from speedmap.machine.sample import Sample

DRAWS = 5  # percent of the SMs: above it a desktop is not idle

REASONS = {  # bits of NVML's clocks event reasons
    0x1: "gpu idle",
    0x2: "application clocks setting",
    0x4: "sw power cap",
    0x8: "hw slowdown",
    0x10: "sync boost",
    0x20: "sw thermal slowdown",
    0x40: "hw thermal slowdown",
    0x80: "hw power brake",
    0x100: "display clock setting",
}


def decode(bits: int) -> list[str]:
    """Name the reasons in NVML's bit mask; bits that this version does not know keep their number."""
    known = [name for bit, name in REASONS.items() if bits & bit]
    return known + [hex(bit) for bit in (1 << index for index in range(64)) if bits & bit and bit not in REASONS]


class GpuSource:
    """Samples a GPU through NVML, and what else the host is doing: its other GPUs, and the processors.

    What this GPU or virtual machine does not tell is None in every sample.
    """

    def __init__(self, gpu: Gpu | None = None, cpu: CpuSource | None = None) -> None:
        self.gpu, self.cpu = gpu or Gpu(), cpu or CpuSource()
        self.names: dict[str, str] = {}
        self._asked_us = int(time.time() * 1e6)  # NVML keeps older samples, of before the watch
        self._desktop = self._listed("Graphics") or set()
        self.others = {str(other.place().index): other for other in self.gpu.others()}

    def setting(self) -> dict[str, Any]:
        """Return what does not change in a run: identity, persistence, power limit, and whether clocks are locked."""
        ask, library = self.gpu.ask, self.gpu.library
        applied, default = (
            ask(name, library.NVML_CLOCK_SM) for name in ("ApplicationsClock", "DefaultApplicationsClock")
        )
        return {
            **asdict(self.gpu.identity()),
            **self.gpu.place()._asdict(),
            "others": {index: other.place().uuid for index, other in self.others.items()},
            "max_sm_mhz": ask("MaxClockInfo", library.NVML_CLOCK_SM),
            "application_sm_mhz": applied,
            "clocks_locked": None if applied is None or default is None else applied != default,
            "persistence": ask("PersistenceMode"),
            "power_limit_w": _scaled(ask("EnforcedPowerLimit")),
            "processes": self.names,
            "mig": (ask("MigMode") or [None])[0],
        }

    def sample(self) -> Sample:
        """Read all that NVML tells of the GPU, and how busy the others and the processors were."""
        ask, library = self.gpu.ask, self.gpu.library
        bits = ask("CurrentClocksEventReasons")
        bits = ask("CurrentClocksThrottleReasons") if bits is None else bits  # its name before driver 535
        return Sample(
            sm_mhz=ask("ClockInfo", library.NVML_CLOCK_SM),
            memory_mhz=ask("ClockInfo", library.NVML_CLOCK_MEM),
            power_w=_scaled(ask("PowerUsage")),
            temperature_c=ask("Temperature", library.NVML_TEMPERATURE_GPU),
            reasons=None if bits is None else decode(bits),
            pids=self._pids(),
            neighbours={index: _busy(other) for index, other in self.others.items()},
            others_share=self.cpu.others_share(),
            energy_j=_scaled(ask("TotalEnergyConsumption")),
            **self._memory(),
        )

    def _memory(self) -> dict[str, int | None]:
        info, processes = self.gpu.ask("MemoryInfo"), self.gpu.ask("ComputeRunningProcesses") or ()
        held = processes[0].usedGpuMemory if len(processes) == 1 else None
        return {"used_mib": info and info.used >> 20, "process_mib": held and held >> 20}

    def busiest(self) -> dict[str, float]:
        """Return the busiest other processes of the host's processors."""
        return self.cpu.busiest()

    def _pids(self) -> list[int] | None:
        """List the processes on the GPU, without what only draws, was there before, and is idle: a desktop."""
        compute, graphics = self._listed("Compute"), self._listed("Graphics")
        if compute is None and graphics is None:
            return None
        pids = (compute or set()) | ((graphics or set()) - (self._desktop - self._drawing()))
        self.names |= {str(pid): self._name(pid) for pid in pids if str(pid) not in self.names}
        return sorted(pids)

    def _listed(self, kind: str) -> set[int] | None:
        processes = self.gpu.ask(f"{kind}RunningProcesses")
        return None if processes is None else {process.pid for process in processes}

    def _drawing(self) -> set[int]:
        """List the processes that used the GPU since the last call; none where the GPU does not tell."""
        used = self.gpu.ask("ProcessUtilization", self._asked_us) or ()
        self._asked_us = max((each.timeStamp for each in used), default=self._asked_us)
        return {each.pid for each in used if each.smUtil > DRAWS}

    def _name(self, pid: int) -> str:
        """Name a process's executable without its folder, "" where neither NVML nor the system tells."""
        try:
            name = self.gpu.library.nvmlSystemGetProcessName(pid)
        except (self.gpu.library.NVMLError, AttributeError):
            return ""
        return PurePath(name.decode(errors="replace") if isinstance(name, bytes) else name).name


def _busy(gpu: Gpu) -> int | None:
    rates = gpu.ask("UtilizationRates")
    return None if rates is None else rates.gpu


def _scaled(milli: int | None) -> float | None:
    return None if milli is None else round(milli / 1000, 1)
