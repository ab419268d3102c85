# What `snakemake` finds in a clone; modules and catalogues look for workflow/Snakefile, where all of it stands.
include: "workflow/Snakefile"


workflow.default_target = workflow.default_target or rules.all.rule.name  # includes leave it as it was: none
