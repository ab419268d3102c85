"""Each class's AP in FP16 and INT8, since people deploy for a few classes, not for a mean."""

from dataclasses import dataclass

from speedmap.reporting.detection_pictures import pairs
from speedmap.results.cell_result import CellResult


@dataclass(frozen=True)
class ClassLine:
    """A class's AP50-95 in points, and how many objects it has in the images."""

    name: str
    objects: int
    first: float
    second: float

    @property
    def change(self) -> float:
        return self.second - self.first


def tables(rows: list[CellResult]) -> dict[str, list[ClassLine]]:
    """Hold the APs of INT8 against those of FP16 by model, the largest loss first; without those of no objects.

    Of the first input mode in which both were scored; a model whose records do not know its classes is left out.
    """
    by_model = {second.cell.model: _lines(first, second) for first, second in pairs(rows)}
    return {model: lines for model, lines in by_model.items() if lines}


def _lines(first: CellResult, second: CellResult) -> list[ClassLine]:
    if first.accuracy.dataset.sha256 != second.accuracy.dataset.sha256:
        return []
    both = zip(first.accuracy.classes, second.accuracy.classes, strict=False)
    listed = [ClassLine(one.name, one.objects, 100 * one.ap, 100 * other.ap) for one, other in both if one.objects]
    return sorted(listed, key=lambda line: line.change)
