"""Print what engines would be built for on this machine, as config for a run that is planned on another one.

srun --gpus=a100:1 python workflow/scripts/describe_platform.py > a100.yaml
"""

import sys

import yaml

from speedmap.engines import registry
from speedmap.errors import UserError


def main(wanted: str) -> None:
    """Print the config keys `backend` and `platform`."""
    try:
        backend, platform = registry.planned(wanted, None)
    except UserError as error:
        sys.exit(f"error: {error}")
    print(yaml.safe_dump({"backend": backend, "platform": platform}, sort_keys=False), end="")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "auto")
