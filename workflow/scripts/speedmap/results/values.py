"""The values that fields of records take."""

from typing import Annotated

from msgspec import Meta

Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Time = Annotated[str, Meta(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}[+]00:00$")]
Moment = Annotated[str, Meta(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}[.][0-9]{6}[+]00:00$")]
Positive = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]
Shape = Annotated[str, Meta(pattern="^[0-9]+x[0-9]+$")]  # height x width
Share = Annotated[float, Meta(ge=-1, le=1)]
Number = int | float  # as it was given
Platform = dict[str, str | Number | None]  # what an engine depends on besides its graph
