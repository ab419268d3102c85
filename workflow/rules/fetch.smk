"""Downloads: whatever the config names a source for, below resources/ and nowhere else.

A failed attempt leaves a .part beside the target, which is no output of the rule, so that a retry goes on from it.
A file that was put at the target's path by hand is taken as it is. Archives may be deleted once they are unpacked.
"""

from speedmap.run import downloads

DOWNLOADS = downloads.downloads(
    SETTINGS.models.values(), SETTINGS.dataset
)  # path below resources/ -> how to get it, in all of these
IMAGES = downloads.unpacked(SETTINGS.dataset, "images")
ANNOTATIONS = downloads.unpacked(SETTINGS.dataset, "annotations")
CALIBRATION = downloads.calibration(SETTINGS.dataset)
SOURCES = DOWNLOADS | IMAGES | ANNOTATIONS | CALIBRATION


rule fetch:
    output:
        "resources/{path}",
    log:
        "logs/fetch/{path}.log",
    wildcard_constraints:
        path=downloads.pattern(DOWNLOADS),
    priority: 1
    retries: 3
    localrule: True
    conda:
        ENVIRONMENT
    params:
        source=download_of,
    script:
        "../scripts/fetch.py"


rule unpack_annotations:
    input:
        archive_of,
    output:
        "resources/{path}",
    log:
        "logs/unpack/{path}.log",
    wildcard_constraints:
        path=downloads.pattern(ANNOTATIONS),
    localrule: True
    conda:
        ENVIRONMENT
    params:
        source=download_of,
    script:
        "../scripts/unpack.py"


use rule unpack_annotations as unpack_images with:
    output:
        directory("resources/{path}"),
    wildcard_constraints:
        path=downloads.pattern(IMAGES),


rule fetch_calibration:
    input:
        archive_of,
    output:
        directory("resources/{path}"),
    log:
        "logs/fetch_calibration/{path}.log",
    wildcard_constraints:
        path=downloads.pattern(CALIBRATION),
    retries: 3
    localrule: True
    conda:
        ENVIRONMENT
    params:
        source=download_of,
    script:
        "../scripts/fetch_calibration.py"
