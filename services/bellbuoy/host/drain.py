"""The drain: how a worker leaves without losing anything, each step bounded.

Law of this file: the order of :func:`drain` is the promise. Closing the listener before clients
were told costs the requests that were on their way; closing it without sweeping resets the
connections the kernel has queued.
"""

import asyncio

import structlog

from bellbuoy import timeouts
from bellbuoy.host.acceptor import Acceptor
from bellbuoy.host.service import Server
from bellbuoy.lifecycle import State
from bellbuoy.scoreboard import Slot

_log = structlog.get_logger("bellbuoy.host.drain")


async def drain(
    server: Server,
    acceptor: Acceptor,
    slot: Slot,
    hurry: asyncio.Event,
    *,
    delay: float,
    most: float,
) -> bool:
    """Leave; return whether everything in flight was finished.

    Args:
        server: Whose connections.
        acceptor: What feeds it.
        slot: Where the world sees the state.
        delay: Seconds to go on accepting.
        most: Seconds that finishing may take afterwards.
        hurry: Set by a second signal: what is left may take two seconds.
    """
    # 1. Readiness fails at once; clients are told to go elsewhere, and served.
    slot.step(State.DRAINING)
    server.announce_drain()
    # 2. Balancers and proxies take a moment to notice.
    await _happens(hurry, delay)
    # 3. Whoever the kernel has accepted for us is served; then nobody else is.
    await acceptor.close()
    # 4. What is in flight is finished.
    finished = await _bounded(server, most, hurry)
    # 5. What takes too long is cut.
    if not finished:
        _log.warning("drain cut short", connections=len(server.connections))
        server.abort()
        await asyncio.sleep(0)
    return finished


async def _bounded(server: Server, seconds: float, hurry: asyncio.Event) -> bool:
    draining = asyncio.ensure_future(server.drain())
    hurried = asyncio.ensure_future(hurry.wait())
    try:
        await asyncio.wait(
            {draining, hurried}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        if not draining.done() and hurried.done():
            await asyncio.wait({draining}, timeout=min(seconds, timeouts.HURRY))
        if not draining.done():
            return False
        if error := draining.exception():
            _log.error("drain failed", exc_info=error)
        return error is None
    finally:
        draining.cancel()
        hurried.cancel()
        await asyncio.gather(draining, hurried, return_exceptions=True)


async def _happens(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
