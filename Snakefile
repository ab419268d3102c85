# results/{backend}/{model}-{precision}-{shape}/: model.onnx -> engine -> speed.json, accuracy.json; all of them -> table
from copy import deepcopy

from snakemake.utils import min_version

min_version("9.25")


given = deepcopy(config)  # by --configfile and --config


configfile: "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/inputs.smk"
include: "workflow/rules/fetch.smk"
include: "workflow/rules/build.smk"
include: "workflow/rules/measure.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/publish.smk"


rule all:
    default_target: True
    input:
        "results/table.md",
        "results/pareto.svg",
        "results/report.html",
