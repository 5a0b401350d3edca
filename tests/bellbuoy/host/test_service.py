"""What a service may leave out."""

from bellbuoy.host import Server, Service
from tests.bellbuoy.host.services import Recorder, Silence


class Plain(Recorder):
    """A server that says nothing about readiness and nothing about a coming drain."""

    announce_drain = Server.announce_drain


async def test_a_server_is_ready_and_tells_nobody_unless_it_says_so() -> None:
    """Both have a default that does nothing."""
    server = Plain()
    await server.ready()
    server.announce_drain()
    assert server.asked == []


def test_a_service_needs_no_base_class() -> None:
    """It is what has a name, families and ``open``."""
    service: Service = Silence()
    assert service.name == "silence"
