"""One echo connection of a real server and a real kernel: however it fills, empties and ends."""

import asyncio
import dataclasses
import math
from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from echo.connection import CUT
from echo.families import CLOSED, RECEIVED, SENT
from tests.clients import pattern
from tests.echo.serving import SETTINGS, Bench
from tests.echo.wire import Wire

SMALL = dataclasses.replace(
    SETTINGS,
    echo_write_buffer_bytes=4000,
    echo_write_budget_bytes=20_000,
    echo_idle_timeout_seconds=20.0,
    echo_half_close_timeout_seconds=4.0,
)

LONG = 100
"""Seconds in which every one of the timeouts is over."""


async def served(age: float) -> Bench:
    """Return a server, which wants a loop to be made in."""
    return Bench(dataclasses.replace(SMALL, echo_max_age_seconds=age))


class Filling(RuleBasedStateMachine):
    """Whoever is slow, however it ends, and whenever the server looks: the account is even."""

    @initialize(age=st.sampled_from([0.0, 5.0]))
    def begin(self, age: float) -> None:
        """Be connected to a server where connections grow old, or do not."""
        self.age = age
        self.bench = asyncio.run(served(age))
        self.ends = Counter[str]()
        self.received = self.delivered = 0  # of those that have ended
        self.connect()

    def connect(self) -> None:
        """Another client."""
        self.wire = Wire(self.bench.server.protocol())
        self.sent = b""
        self.reason = "client"
        self.is_draining = False
        self.made, self.fin = self.bench.now, math.inf

    @property
    def is_read(self) -> bool:
        """Whether the loop reads from it."""
        return self.wire.transport.is_reading()

    @property
    def is_finishing(self) -> bool:
        """Whether it is read from only to see the client's FIN."""
        is_echoing = self.wire.transport.protocol is self.wire.connection
        return not is_echoing and not self.wire.transport.is_closing()

    @property
    def is_cut(self) -> bool:
        """Whether what was unsent is lost."""
        return self.wire.connection.reason in CUT

    @precondition(lambda self: self.is_read)
    @rule(size=st.sampled_from([1, 700, 2500, 9000, 25_000]))
    def receive(self, size: int) -> None:
        """The client sends."""
        data = pattern(len(self.sent), size)
        if self.wire.receive(data):
            self.sent += data

    @precondition(lambda self: self.is_read)
    @rule(size=st.sampled_from([700, 2500]))
    def read_and_receive(self, size: int) -> None:
        """It makes room with the kernel, and sends more."""
        self.read()
        self.receive(size)

    @rule()
    def read(self) -> None:
        """It reads; who is finished, up to FIN."""
        self.wire.read()
        if self.is_finishing and not self.wire.transport.held:
            assert self.wire.has_fin

    @rule()
    def move(self) -> None:
        """The loop finds the socket writable."""
        self.wire.transport.move()

    @rule()
    def sweep(self) -> None:
        """The server counts: what the kernel was given, and nothing else, is sent."""
        self.bench.server.sweep()
        if not self.wire.transport.is_closing():
            assert self.bench.count(SENT) == self.delivered + self.wire.delivered

    @rule(seconds=st.sampled_from([0.1, 0.1, 3.0, 12.0]))
    def pass_time(self, seconds: float) -> None:
        """Whose time is over is ended, as old ones are."""
        self.bench.now += seconds
        self.bench.server.expire()
        if self.is_draining:
            self.wire.connection.linger(self.bench.now)
        is_late = self.bench.now >= self.fin + SMALL.echo_half_close_timeout_seconds
        assert self.is_cut or not (is_late and self.wire.transport.held)
        is_old = self.bench.now > self.made + 1.1 * self.age > self.made
        assert not is_old or self.is_finishing or self.wire.transport.is_closing()

    @rule(how=st.sampled_from(["FIN", "drain", "deadline"]))
    def end(self, how: str) -> None:
        """The client sends no more, or a drain begins, or has lasted long enough."""
        if how == "deadline":
            self.bench.server.abort()
        elif how == "drain":
            self.is_draining = True
            self.wire.connection.finish("drain")
        elif self.is_read:
            if not self.is_finishing:
                self.fin = self.bench.now
            self.wire.say_fin()

    @rule()
    def end_turn(self) -> None:
        """Who was closed is gone, and somebody else comes."""
        self.wire.transport.end_turn()
        if self.wire.transport.is_lost:
            self.settle()
            self.connect()

    def settle(self) -> None:
        """It has got everything and FIN, unless it was cut; and was counted once."""
        self.it_ends_for_one_reason()
        self.wire.read()
        assert self.wire.has_fin
        assert self.is_cut or self.wire.came == self.sent
        self.ends[self.wire.connection.reason] += 1
        self.received += len(self.sent)
        self.delivered += len(self.wire.came)
        counts = {each: self.bench.count(CLOSED, reason=each) for each in CLOSED.labels["reason"]}
        assert +Counter(counts) == self.ends
        assert (self.bench.count(RECEIVED), self.bench.count(SENT)) == (
            self.received,
            self.delivered,
        )
        assert len(self.bench.server.connections) == 0
        self.wire.close()

    @invariant()
    def what_comes_back_is_the_beginning_of_what_was_sent(self) -> None:
        """In order, and nothing twice."""
        assert self.sent.startswith(self.wire.came)

    @invariant()
    def every_byte_is_somewhere(self) -> None:
        """With the kernel or held for it, unless it was cut; and counted, or to be counted."""
        connection, wire = self.wire.connection, self.wire
        held = len(wire.transport.held)
        uncounted = 0 if self.is_cut else connection.received + connection.unsent - held
        assert self.is_cut or len(self.sent) == wire.delivered + held
        assert self.bench.count(SENT) + uncounted == self.delivered + wire.delivered
        received = self.bench.count(RECEIVED) + connection.received
        assert received == self.received + len(self.sent)

    @invariant()
    def a_slow_reader_is_not_read_from(self) -> None:
        """From the high mark until the low one; who ends is read from, so that it sees the end."""
        transport = self.wire.transport
        if self.is_finishing:
            assert self.is_read
        elif not transport.is_closing():
            assert not self.is_read or len(transport.held) <= SMALL.echo_write_buffer_bytes
            assert self.is_read or len(transport.held) > SMALL.echo_write_buffer_bytes // 4

    @invariant()
    def it_ends_for_one_reason(self) -> None:
        """Except that who is to end in order may be cut."""
        reason = self.wire.connection.reason
        assert self.reason in (reason, "client") or self.is_cut
        assert reason == self.reason or self.reason not in CUT
        self.reason = reason

    def teardown(self) -> None:
        """Nobody stays for ever, though nothing moves any more."""
        try:
            self.wait_for_the_end()
            self.settle()
            self.bench.server.sweep()
            assert (self.bench.server._held, self.bench.server._condemned) == (0, 0)
        finally:
            self.wire.close()

    def wait_for_the_end(self) -> None:
        """Let time pass; who does not read in a drain is waited for until its deadline."""
        end = self.bench.now + LONG
        while not self.wire.transport.is_lost and self.bench.now < end:
            self.pass_time(3.0)
            self.wire.transport.end_turn()
        if self.is_draining:
            self.bench.server.abort()
            self.wire.transport.end_turn()
        assert self.wire.transport.is_lost


TestFilling = Filling.TestCase
TestFilling.settings = settings(deadline=None, max_examples=300, stateful_step_count=30)
