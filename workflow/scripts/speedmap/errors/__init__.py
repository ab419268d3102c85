"""The one kind of error that a user is meant to read, and a remedy that many of them have."""


class UserError(Exception):
    """Something wrong with the input or the machine; the message names what, the cause and the remedy, in one line."""


def anew(*paths: object) -> str:
    """Say how files of a run are made anew: a finished table does not ask for those that are only deleted."""
    return f"make it anew by `snakemake --cores 1 -f {' '.join(map(str, paths))}`"
