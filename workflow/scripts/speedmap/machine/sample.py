"""What a watch reads at one moment."""

from msgspec import UNSET, Struct, UnsetType


class Sample(Struct, frozen=True, kw_only=True):
    """The state of a machine at_s seconds after the watch began; None for what it does not tell.

    UNSET for what was not asked: a GPU's counters where only processors are watched, theirs beside a GPU.
    neighbours: percent of the time that each other GPU was busy, by index. others_share: of all processors, 0..1.
    energy_j: since some time before. used_mib, process_mib: of the GPU's memory, and what the only process on it holds.
    """

    at_s: float | UnsetType = UNSET
    sm_mhz: int | UnsetType | None = UNSET
    memory_mhz: int | UnsetType | None = UNSET
    power_w: float | UnsetType | None = UNSET
    temperature_c: int | UnsetType | None = UNSET
    reasons: list[str] | UnsetType | None = UNSET
    pids: list[int] | UnsetType | None = UNSET
    neighbours: dict[str, int | None] | UnsetType = UNSET
    cpu_mhz: float | UnsetType | None = UNSET
    others_share: float | UnsetType | None = UNSET
    energy_j: float | UnsetType | None = UNSET
    used_mib: int | UnsetType | None = UNSET
    process_mib: int | UnsetType | None = UNSET
