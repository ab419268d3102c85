"""What an engine takes besides time: energy and the GPU's memory."""

from collections.abc import Callable

from msgspec import UNSET

from speedmap.results.cell_result import CellResult
from speedmap.results.watch import Energy


def _energy(row: CellResult) -> Energy | None:
    return row.speed.watch.energy if row.speed and row.speed.inferences is not UNSET else None


def _watts(row: CellResult) -> float | None:
    return (energy := _energy(row)) and energy.joules / energy.seconds


def joules_per_image(row: CellResult) -> float | None:
    """Return the joules that an image takes, idle power included; None where the device does not tell."""
    return (energy := _energy(row)) and energy.joules / (row.speed.inferences * row.cell.batch)


def _images_per_joule(row: CellResult) -> float | None:
    return (joules := joules_per_image(row)) and 1 / joules


def _by(row: CellResult) -> str | None:
    return (energy := _energy(row)) and energy.by


def _engine(row: CellResult) -> float | None:
    return row.speed and row.speed.session.engine_mib


def _activations(row: CellResult) -> float | None:
    """Return the memory of the activations beside that of the engine; older records note but the one."""
    return row.speed.session.activations_mib if row.speed and row.speed.session.engine_mib is not None else None


def _most(name: str) -> Callable[[CellResult], float | None]:
    return lambda row: row.speed.watch.ranges[name][1] if row.speed and name in row.speed.watch.ranges else None


COLUMNS: dict[str, Callable[[CellResult], object]] = {
    "W": _watts,
    "J/image": joules_per_image,
    "images/J": _images_per_joule,
    "energy by": _by,
    "engine MiB": _engine,
    "activations MiB": _activations,
    "process MiB": _most("process_mib"),
    "GPU MiB": _most("used_mib"),
}
FORMATS = {"W": ".0f", "J/image": ".3g", "images/J": ".3g", "activations MiB": ".0f", "engine MiB": ".0f",
           "process MiB": ".0f", "GPU MiB": ".0f"}  # fmt: skip
NOTE = (
    "W, J/image, images/J: of the device while the engine ran, with dynamic input also while it took images of another "
    "size; idle power is not subtracted. engine MiB: memory that the opened engine took, weights and kernels; process "
    "MiB, GPU MiB: the most that this process and that all processes held."
)
