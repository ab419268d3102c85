"""All that one needs to know to take the same figures again."""

import hashlib
import json
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import structs, to_builtins

from speedmap.results.accuracy import Accuracy
from speedmap.results.cell_result import CellResult
from speedmap.results.reported import Experiment, Machine, Origin, Provenance, Source
from speedmap.results.speed import Speed


def describe(rows: list[CellResult], config: Experiment) -> Provenance:
    """Join what the records say of themselves: the config, the machine, and each figure's code, commit and hashes."""
    config = structs.replace(config, models={name: _without_places(model) for name, model in config.models.items()})
    taken = {f"{row.title}/{_kind(record)}": record for row in rows for record in row.measured}
    first = next(iter(taken.values())).environment
    content = json.dumps(to_builtins(config), sort_keys=True)
    return Provenance(
        config=config,
        config_sha256=hashlib.sha256(content.encode()).hexdigest(),
        machine=Machine(cpu=first.cpu, system=first.system, versions=first.versions),
        watched=next((record.watch.setting for record in taken.values() if isinstance(record, Speed)), {}),
        platforms={name.split("/")[0]: record.environment.platform for name, record in taken.items()},
        datasets={record.dataset.name: record.dataset for record in taken.values()},
        figures={name: _origin(record) for name, record in taken.items()},
    )


def _without_places(model: Source) -> Source:
    """Take from a model's config the folders of the user, and what a url may hold besides host and path."""
    plain = structs.replace(model, weights=Path(model.weights).name, onnx=model.onnx and Path(model.onnx).name)
    if model.url is None:
        return plain
    parts = urlsplit(model.url)
    return structs.replace(plain, url=f"{parts.scheme}://{parts.hostname}{parts.path}")


def _kind(record: Speed | Accuracy) -> str:
    return "speed" if isinstance(record, Speed) else "accuracy"


def _origin(record: Speed | Accuracy) -> Origin:
    environment = record.environment
    return Origin(
        measured=record.measured,
        protocol=structs.asdict(record.protocol),
        code=environment.code,
        commit=environment.commit,
        commit_from=environment.commit_from if environment.commit else None,
        dirty=environment.dirty,
        **structs.asdict(record.artefact),
    )
