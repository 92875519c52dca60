"""Files of an archive's mirror, over HTTP."""

import httpx2
import stamina

import sulan
from sulan.errors import BackendError, MissingFile

LARGEST = 1 << 26
"""Bytes that a packed index may have; `Packages.xz` of Debian 12 has 9 MB."""

ATTEMPTS = 4
TIMEOUT = 60.0
"""Seconds for connecting and between two pieces of an answer."""


class Mirror:
    """The root of an archive, such as `https://deb.debian.org/debian`."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def fetch(self, path: str) -> bytes:
        """Return the file at a path under the root.

        Raises
        ------
        MissingFile
            The mirror has no such file.
        BackendError
            It does not answer, or the file is larger than it can be.
        """
        url = f"{self._url}/{path}"
        try:
            for attempt in stamina.retry_context(on=httpx2.TransportError, attempts=ATTEMPTS):
                with attempt:
                    return _get(url)
        except httpx2.HTTPStatusError as error:
            if error.response.status_code == 404:
                raise MissingFile(
                    f"the mirror has no {path}", hint="another --suite or --languages"
                ) from error
            raise BackendError(f"{url}: {error.response.status_code}", hint="try again later") from error
        except (httpx2.TransportError, httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
            raise BackendError(
                f"{url}: {error}", hint="is there a network? --mirror names another archive"
            ) from error
        raise AssertionError("the loop above returns or raises")


def _get(url: str) -> bytes:
    headers = {"User-Agent": f"sulan/{sulan.__version__}"}
    with httpx2.stream("GET", url, headers=headers, timeout=TIMEOUT, follow_redirects=True) as answer:
        answer.raise_for_status()
        found = bytearray()
        for piece in answer.iter_bytes():
            found += piece
            if len(found) > LARGEST:
                raise BackendError(f"{url} is larger than {LARGEST >> 20} MB")
        return bytes(found)
