"""What ran for a record, and where: artefact, engine, images, machine and software."""

from typing import Annotated, Any

from msgspec import Meta

from speedmap.results.records import Strict
from speedmap.results.values import Moment, Platform, Sha256


class Place(Strict, kw_only=True):
    """A GPU of the host."""

    index: int
    uuid: str


class Run(Strict, kw_only=True):
    """What ran for a record, when, and on which GPU; None on none."""

    gpu: Place | None
    start: Moment
    end: Moment


class Artefact(Strict, kw_only=True, omit_defaults=True):
    """The files that were measured."""

    engine_sha256: Sha256
    onnx_sha256: Sha256 | None = None
    weights_sha256: Sha256 | None = None


class Environment(Strict, kw_only=True, omit_defaults=True):
    """The machine and the software. commit_from: git, or the variable that named the commit. dirty: only git knows.

    code: fingerprint of the code that measured.
    """

    cpu: str
    system: str
    versions: dict[str, str]
    platform: Platform
    code: Annotated[str, Meta(pattern="^[0-9a-f]{12}$")]
    commit: Annotated[str, Meta(pattern="^[0-9a-f]{40}$")] | None = None
    commit_from: str = "git"
    dirty: bool | None = None

    @property
    def device(self) -> str:
        """What figures are of: the GPU, else the processor."""
        return self.platform.get("gpu") or self.platform.get("device") or self.cpu

    @property
    def driver(self) -> str | None:
        """The GPU's driver, None where no backend tells."""
        return self.platform.get("driver")

    @property
    def short_commit(self) -> str:
        return (self.commit or "unknown")[:12]


class Images(Strict, kw_only=True):
    """The data set that was measured on."""

    name: str
    images: int
    sha256: Sha256
    calibration_sha256: Sha256


class Opened(Strict, kw_only=True, omit_defaults=True):
    """How a backend ran an engine, as far as it tells.

    threads, streams: on a CPU. stream, graphs: of CUDA. profile: least, likeliest and largest input. engine_mib,
    activations_mib: the memory that the opened engine and its activations took.
    """

    precision: str | None = None
    mode: str | None = None
    memory_format: str | None = None
    cudnn_benchmark: bool | None = None
    tf32: bool | None = None
    threads: int | None = None
    streams: int | None = None
    stream: str | None = None
    tensorrt: str | None = None
    libnvinfer: str | None = None
    profile: dict[str, list[int]] | None = None
    engine_mib: float | None = None
    activations_mib: float | None = None
    graphs: dict[str, Any] | None = None
