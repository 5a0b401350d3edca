"""TLS with the echo service: who is let in, what is kept of the other promises."""

import asyncio
import signal
import socket
import ssl
import time

import pytest
import trustme

from bellbuoy.startup import MISCONFIGURED
from tests.certificates import NAME, Authority, authority
from tests.clients import Conversation, connect, is_echoed, pattern, read_exactly, reset, stream
from tests.integration.test_drain import Witness
from tests.program import Program, loop, running
from tests.waiting import eventually

__all__ = ["authority", "loop"]

pytestmark = pytest.mark.slow

REJECTED = "bellbuoy_connections_rejected_total"
ACCEPTED = "bellbuoy_connections_accepted_total"
CLOSED = "echo_connections_closed_total"


def secure(program: Program, context: ssl.SSLContext, *, small: bool = False) -> ssl.SSLSocket:
    """Return a connection after its handshake; with ``small``, little waits unread."""
    return context.wrap_socket(connect(program.address, small=small), server_hostname=NAME)


def is_let_in(program: Program, context: ssl.SSLContext) -> bool:
    """Return whether a client is served; with TLS 1.3 a refusal comes after its own handshake."""
    try:
        with secure(program, context) as client:
            return is_echoed(client)
    except (ssl.SSLError, ConnectionError):
        return False


def common_name(client: ssl.SSLSocket) -> str:
    """Return whom the server says it is."""
    names = dict(part[0] for part in (client.getpeercert() or {})["subject"])  # type: ignore[misc]
    return str(names["commonName"])


def test_bytes_come_back_through_tls(loop: str, authority: Authority) -> None:
    """All of them; and a client's close_notify is answered with ours."""
    with running("echo", {"BUOY_LOOP": loop, **authority.environ()}) as program:
        program.await_workers(1)
        data = pattern(0, 300_000)
        with secure(program, authority.anonymous()) as client:
            assert client.version() == "TLSv1.3"
            assert is_echoed(client, data)
            client.unwrap().close()
        eventually(lambda: program.metrics().value(CLOSED, reason="client") == 1)
        assert program.metrics().value("echo_sent_bytes_total") == len(data)
        assert program.stop() == 0


def test_only_who_is_entitled_gets_in(loop: str, authority: Authority) -> None:
    """Everybody else is counted, and no error: strangers knock at every port."""
    with running("echo", {"BUOY_LOOP": loop, **authority.environ(mutual=True)}) as program:
        program.await_workers(1)
        assert is_let_in(program, authority.client())
        refused = {
            "without a certificate": authority.anonymous(),
            "an expired one": authority.client(expired=True),
            "another authority's": authority.client(signed_by=trustme.CA()),
            "TLS 1.1": authority.outdated(),
        }
        assert [name for name, context in refused.items() if is_let_in(program, context)] == []
        with connect(program.address) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert b"HTTP" not in _rest(plain)
        reset(connect(program.address))
        connect(program.address).close()
        eventually(lambda: program.metrics().value(REJECTED, reason="tls") == len(refused) + 3)
        assert is_let_in(program, authority.client())
        eventually(lambda: program.metrics().value(CLOSED) == 2)
        assert program.metrics().value(ACCEPTED) == 2
        assert program.metrics().value("bellbuoy_connections_active") == 0
        assert program.stop() == 0


def _rest(client: socket.socket) -> bytes:
    try:
        return read_exactly(client, 1000)
    except ConnectionError:
        return b""


def test_a_handshake_that_stalls_is_refused(loop: str, authority: Authority) -> None:
    """Within some ten seconds, whether it has begun or not; others are served meanwhile."""
    hello = ssl.MemoryBIO()
    half = authority.anonymous().wrap_bio(ssl.MemoryBIO(), hello, server_hostname=NAME)
    with pytest.raises(ssl.SSLWantReadError):
        half.do_handshake()
    with running("echo", {"BUOY_LOOP": loop, **authority.environ()}) as program:
        program.await_workers(1)
        began = time.monotonic()
        with connect(program.address) as silent, connect(program.address) as stalled:
            stalled.sendall(hello.read()[:100])
            assert is_let_in(program, authority.anonymous())
            for client in (silent, stalled):
                assert _rest(client) == b""
            assert 5 <= time.monotonic() - began < 20
        eventually(lambda: program.metrics().value(REJECTED, reason="tls") == 2)
        assert program.stop() == 0


def test_certificates_are_replaced_without_a_restart(loop: str, authority: Authority) -> None:
    """New connections see the new one, old connections live on."""
    with running("echo", {"BUOY_LOOP": loop, **authority.environ()}) as program:
        workers = program.await_workers(1)
        with secure(program, authority.anonymous()) as early:
            assert common_name(early) == "first"
            authority.renew("second")

            def is_new() -> bool:
                with secure(program, authority.anonymous()) as late:
                    return common_name(late) == "second"

            eventually(is_new)
            assert is_echoed(early)
        assert program.traffic() == workers
        assert program.stop() == 0


def test_files_that_cannot_be_used_stop_the_start(authority: Authority) -> None:
    """Before anything listens, with one message."""
    authority.key.write_bytes(b"no PEM")
    with running("echo", authority.environ(), complaints=["echo: TLS files"]) as program:
        assert program.wait() == MISCONFIGURED
    assert program.logged("listening") == []


def test_unfinished_handshakes_do_not_hold_up_the_stop(loop: str, authority: Authority) -> None:
    """They are dropped; who is served is finished."""
    with running("echo", {"BUOY_LOOP": loop, **authority.environ()}) as program:
        program.await_workers(1)
        with secure(program, authority.anonymous()) as served, connect(program.address):
            assert is_echoed(served)
            eventually(lambda: program.metrics().value("bellbuoy_connections_active") == 2)
            program.send(signal.SIGTERM)
            assert served.recv(1) == b""
            served.close()
            assert program.wait(10) == 0
    assert program.logged("drain cut short") == []


def test_a_client_that_says_nothing_is_left_after_a_while(loop: str, authority: Authority) -> None:
    """It has everything and does not answer close_notify: it spoils no drain, and delays none."""
    with running("echo", {"BUOY_LOOP": loop, **authority.environ()}) as program:
        program.await_workers(1)
        with secure(program, authority.anonymous()) as silent:
            assert is_echoed(silent)
            began = time.monotonic()
            program.send(signal.SIGTERM)
            assert program.wait() == 0
            assert time.monotonic() - began < 8  # a linger of 2 s; close_notify has 10 s
        assert program.logged("drain cut short") == []


async def test_a_drain_loses_no_byte_that_was_read(loop: str, authority: Authority) -> None:
    """50 clients stream into SIGTERM: a prefix, and close_notify."""
    context = authority.anonymous()
    with running("echo", {"BUOY_LOOP": loop, **authority.environ()}) as program:
        talks = [Conversation() for _ in range(50)]
        clients = [
            asyncio.create_task(stream(program.address, talk, tls=context)) for talk in talks
        ]
        await asyncio.to_thread(eventually, lambda: all(talk.received for talk in talks))
        witness = await asyncio.to_thread(Witness, program)
        program.send(signal.SIGTERM)
        await asyncio.wait_for(asyncio.gather(*clients), 30)
        final = await asyncio.to_thread(witness.final_metrics, 1)
        assert await asyncio.to_thread(program.wait) == 0
    assert all(talk.is_prefix for talk in talks)
    assert {talk.end for talk in talks} == {"fin"}
    received = sum(talk.received for talk in talks)
    assert final.value("echo_received_bytes_total") == received
    assert final.value("echo_sent_bytes_total") == received
