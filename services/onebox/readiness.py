"""Readiness: what an admin port says, and how addresses are written."""

import http.client

_SECONDS = 1.0  # one answer; an admin process that needs longer is not ready
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # compared, not bound


def is_ready(host: str, port: int) -> bool:
    """Return whether ``/readyz`` answers 200 there."""
    connection = http.client.HTTPConnection(reachable(host), port, timeout=_SECONDS)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def reachable(host: str) -> str:
    """Return the address by which a client on this machine reaches what is bound to ``host``."""
    return _WILDCARDS.get(host, host)


def url(host: str, port: int, path: str = "") -> str:
    """Return the URL by which a client on this machine reaches it."""
    name = reachable(host)
    return f"http://[{name}]:{port}{path}" if ":" in name else f"http://{name}:{port}{path}"
