"""Downloads: whatever the config names a source for, below resources/ and nowhere else.

A failed attempt leaves a .part beside the target, which is no output of the rule, so that a retry goes on from it.
A file that was put at the target's path by hand is taken as it is. Archives may be deleted once they are unpacked.
"""

FILES = downloads.files(SETTINGS.models.values(), SETTINGS.dataset)  # path below resources/ -> how to get it
FOLDERS = downloads.folders(SETTINGS.dataset)
WANTED = FILES | FOLDERS


rule fetch:
    input:
        archive_of,
    output:
        target="resources/{path}",
    log:
        "logs/fetch/{path}.log",
    wildcard_constraints:
        path=downloads.pattern(FILES),
    priority: 1
    retries: 3
    localrule: True
    conda:
        ENVIRONMENT
    params:
        source=source_of,
    script:
        "../scripts/fetch.py"


use rule fetch as fetch_folder with:
    output:
        target=directory("resources/{path}"),
    wildcard_constraints:
        path=downloads.pattern(FOLDERS),
