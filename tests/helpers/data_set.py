"""A data set in a folder, as a config names it."""

from speedmap.results.asked import Asked


def asked(folder, images="images", annotations="truth.json", calibration="calibration", **changes):
    """Name the parts of a data set in a folder; changes: of the other keys."""
    parts = {"images": images, "annotations": annotations, "calibration": calibration}
    places = {part: str(folder / name) for part, name in parts.items()}
    return Asked(**{"name": "x", "limit": None, "imgsz": 64, **places, **changes})
