"""Downloads that go on where they stopped, and that are verified and in place or not there at all."""

import re
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import requests
from requests.exceptions import (
    ChunkedEncodingError,
    InvalidProxyURL,
    InvalidSchema,
    InvalidURL,
    MissingSchema,
    ProxyError,
)
from tqdm import tqdm

from speedmap import storage
from speedmap.errors import UserError

TIMEOUT = (10, 60)  # seconds to connect, and of silence; a slow server that goes on sending is waited for
CHUNK = 1 << 16  # bytes; a broken connection costs at most this much of what had come
WHOLE, RANGE, NOTHING_LEFT = 200, 206, 416


class FetchError(UserError):
    """A download that failed; the message names the url, the cause and the remedy."""


class UnreachableError(FetchError):
    """A server that does not answer, as on a machine that is offline."""


def fetch(url: str, target: Path, sha256: str | None = None, progress: bool = True) -> None:
    """Download a file over http(s) to `target`.

    It grows as `target`.part, which a failed attempt leaves behind for the next to go on from; only where there is a
    sha256, though, because nothing else tells whether the two pieces belong together. Raises FetchError, after which
    there is no `target`.
    """
    part = target.with_name(f"{target.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    have = part.stat().st_size if sha256 and part.exists() else 0
    remedy = f"get it elsewhere and put it at {target}" + (f" (sha256 {sha256})" if sha256 else "")
    with _request(url, have, target.name, remedy) as response:
        if response.status_code != NOTHING_LEFT:  # else all of it is there already, and the hash says if it is right
            _receive(response, part, have, progress)
    if sha256:
        _verify(part, sha256, url)
    part.replace(target)


def require_space(folder: Path, needed: int, purpose: str) -> None:
    """Raise FetchError unless the disk of a folder has `needed` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise FetchError(f"{folder}: {purpose} needs {needed / 1e6:.0f} MB of disk, {free / 1e6:.0f} MB are free; "
                         "make room, or put the folder on another disk")  # fmt: skip


def _request(url: str, have: int, name: str, remedy: str) -> requests.Response:
    # Compressed in transit, a file's length and ranges would be those of another one.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        response = requests.get(url, headers=headers, stream=True, timeout=TIMEOUT)
    except (InvalidProxyURL, ProxyError) as error:
        raise _no_proxy(name, error, remedy) from error
    except (InvalidSchema, MissingSchema, InvalidURL) as error:  # requests follows a redirect to http and https only
        if "SOCKS" in str(error):
            raise _no_proxy(name, error, remedy) from error
        raise FetchError(f"{url}: leads to something that is not http(s) ({error}); correct the url") from error
    except (requests.ConnectionError, requests.Timeout) as error:
        host, cause = urlsplit(error.request.url).netloc, type(error).__name__  # GitHub sends on to another host
        raise UnreachableError(f"cannot reach {host} to fetch {name} ({cause}); {remedy}") from error
    except requests.RequestException as error:
        raise FetchError(f"{url}: {error}; correct the url, or {remedy}") from error
    if response.status_code not in (WHOLE, RANGE) and not (have and response.status_code == NOTHING_LEFT):
        response.close()
        answer = f"{response.status_code} {response.reason}"
        raise FetchError(f"{url}: the server says {answer}; correct the url, or {remedy}")
    return response


def _no_proxy(name: str, error: Exception, remedy: str) -> UnreachableError:
    return UnreachableError(
        f"cannot fetch {name} by the proxy in http_proxy or https_proxy ({error}); correct or unset it, or {remedy}"
    )


def _receive(response: requests.Response, part: Path, have: int, progress: bool) -> None:
    start, total = _extent(response, part, have)
    # JPEGs do not shrink in a zip: what comes out of one will need about as much space again.
    copies = 2 if part.stem.endswith(".zip") else 1
    require_space(part.parent, copies * (total or 0) - start, f"fetching {part.stem}")
    bar = {"desc": part.stem, "total": total, "initial": start, "unit": "B", "unit_scale": True}
    try:
        with tqdm(**bar, disable=None if progress else True) as shown, part.open("ab" if start else "wb") as file:
            for chunk in response.iter_content(CHUNK):
                shown.update(file.write(chunk))
    except (ChunkedEncodingError, requests.ConnectionError, requests.Timeout) as error:
        raise _broken(response, part, total, type(error).__name__) from error
    if total not in (None, part.stat().st_size):
        raise _broken(response, part, total, "end of data")


def _extent(response: requests.Response, part: Path, have: int) -> tuple[int, int | None]:
    """Return the offset at which a response starts, and the size of the whole file if it says so."""
    if response.status_code == WHOLE:
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if length.isdigit() else None
    said = response.headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", said)
    if not match or int(match[1]) != have:
        part.unlink(missing_ok=True)  # so that the next attempt asks for the whole file
        raise FetchError(f"{_asked(response)}: asked for the bytes from {have} on, it sends {said!r}; run again")
    return have, int(match[2]) if match[2] != "*" else None


def _broken(response: requests.Response, part: Path, total: int | None, cause: str) -> FetchError:
    got = f"{part.stat().st_size} of {total or 'unknown'} bytes"
    return FetchError(f"{_asked(response)}: broken off after {got} ({cause}); run again to go on from there")


def _asked(response: requests.Response) -> str:
    return (response.history or [response])[0].url  # what redirects lead to is long, signed and soon outdated


def _verify(part: Path, expected: str, url: str) -> None:
    got = storage.sha256(part)
    if got != expected:
        part.unlink()
        raise FetchError(f"{url}: wrong content: expected sha256 {expected}, got {got}; run again, or correct the url")
