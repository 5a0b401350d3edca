"""What clients are told about the service."""

from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from api.status import Status
from bellbuoy.host.web.traffic import Traffic


def shown(response: web.Response) -> tuple[int, object]:
    """Return status and body."""
    return response.status, response.body


async def test_health_turns_when_the_drain_begins() -> None:
    """200 healthy, then 503 draining."""
    traffic = Traffic()
    status, request = Status(traffic), make_mocked_request("GET", "/health")
    assert shown(await status.health(request)) == (200, b'{"status":"healthy"}\n')
    traffic.draining = True
    assert shown(await status.health(request)) == (503, b'{"status":"draining"}\n')
