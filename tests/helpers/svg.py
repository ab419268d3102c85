"""What an SVG of Vega's shows."""

import re

SVG = "{http://www.w3.org/2000/svg}"


def texts(root):
    return ["".join(element.itertext()) for element in root.iter(f"{SVG}text")]


def marks(root, name):
    """List the marks of a layer."""
    groups = [group for group in root.iter(f"{SVG}g") if name in group.get("class", "").split()]
    return [child for group in groups for child in group]


def place(mark):
    return tuple(map(float, re.match(r"translate\(([^,]+),([^)]+)\)", mark.get("transform")).groups()))


def length(mark):
    return abs(float(mark.get("x2") or 0)), abs(float(mark.get("y2") or 0))


def luminance(colour):
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    """The contrast of two colours as WCAG defines it."""
    dark, light = sorted(map(luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)
