"""Which files are images, in folders and in lists; nothing but the standard library, since every plan asks."""

import glob
from pathlib import Path

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


def below(folder: Path) -> list[Path]:
    """List the image files below a folder by name, hidden ones apart, those behind links to folders among them."""
    names = glob.iglob("**/*", root_dir=folder, recursive=True)  # noqa: PTH207 Path.glob passes links to folders by
    return sorted(folder / name for name in names if name.lower().endswith(SUFFIXES))


def listed(file: Path) -> list[Path]:
    """Read the paths in a text file, one a line; relative ones start at the file's folder, or else where one stands."""
    lines = file.read_text("utf-8-sig").splitlines()
    names = [Path(line.strip()) for line in lines if line.strip()]
    return [name if not (file.parent / name).exists() and name.exists() else file.parent / name for name in names]
