"""All that one needs to know to take the same figures again."""

import hashlib
import json
from pathlib import Path
from urllib.parse import urlsplit

from speedmap.results.cell_result import CellResult

MACHINE = ("cpu", "system", "versions")


def describe(rows: list[CellResult], config: dict) -> dict:
    """Join what the records say of themselves: the config, the machine, and each figure's code, commit and hashes."""
    config = config | {"models": {name: _without_places(model) for name, model in config["models"].items()}}
    taken = {f"{row.cell.backend}/{row.cell.name}/{kind}": record for row in rows for kind, record in _records(row)}
    first = next(iter(taken.values()))
    return {
        "config": config,
        "config_sha256": hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest(),
        "machine": {key: first["environment"][key] for key in MACHINE},
        "watched": next((record["watch"]["setting"] for record in taken.values() if "watch" in record), {}),
        "platforms": {name.split("/")[0]: record["environment"]["platform"] for name, record in taken.items()},
        "datasets": {record["dataset"]["name"]: record["dataset"] for record in taken.values()},
        "figures": {name: _origin(record) for name, record in taken.items()},
    }


def _without_places(model: dict) -> dict:
    """Take from a model's config the folders of the user, and what a url may hold besides host and path."""
    plain = {"weights": Path(model["weights"]).name}
    if "url" in model:
        parts = urlsplit(model["url"])
        plain["url"] = f"{parts.scheme}://{parts.hostname}{parts.path}"
    return model | plain


def _records(row: CellResult) -> list[tuple[str, dict]]:
    return [(kind, record) for kind, record in (("speed", row.speed), ("accuracy", row.accuracy)) if record]


def _origin(record: dict) -> dict:
    environment = record["environment"]
    known = {key: environment[key] for key in ("code", "commit", "commit_from", "dirty") if key in environment}
    return {"measured": record["measured"], "protocol": record["protocol"], **known, **record["artefact"]}
