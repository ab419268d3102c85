"""Judge published folders as strangers hand them in."""

from pathlib import Path

from speedmap.publishing import check
from speedmap.run.job import run_step


def check_published(folders: list[str], log: str) -> None:
    """Print what speaks against each folder, a line each, and fail if anything does; the log keeps it."""
    wrong = [line for folder in folders for line in check.problems(Path(folder))]
    print(*(wrong or [f"{len(folders)} published folders: whole, of one machine each, no sign of editing"]), sep="\n")
    if wrong:
        Path(log).write_text("\n".join(wrong) + "\n", "utf-8")
        raise SystemExit(1)


if __name__ == "__main__":
    run_step(check_published, snakemake)
