"""The registry of connections: who is open, who is coming, and from where."""

import asyncio

from bellbuoy.host.connections import Connections


def test_what_is_coming_counts_and_is_not_yet_there() -> None:
    """Until it is added; then it counts once."""
    connections: Connections[str] = Connections()
    connections.expect("a")
    assert (len(connections), list(connections), "a" in connections) == (1, [], False)
    connections.add("a")
    assert (len(connections), list(connections), "a" in connections) == (1, ["a"], True)
    connections.discard("a")
    connections.discard("a")
    assert len(connections) == 0


def test_what_never_came_can_be_forsaken() -> None:
    """What came cannot: its end is its own."""
    connections: Connections[str] = Connections()
    connections.expect("a")
    assert connections.forsake("a")
    assert not connections.forsake("a")
    connections.add("b")
    assert not connections.forsake("b")
    assert list(connections) == ["b"]


def test_connections_may_leave_while_they_are_gone_through() -> None:
    """As they do when they are cut."""
    connections: Connections[int] = Connections()
    for number in range(3):
        connections.add(number)
    for number in connections:
        connections.discard(number)
    assert len(connections) == 0


def test_peers_are_counted_from_the_first_to_the_last() -> None:
    """And then forgotten."""
    connections: Connections[str] = Connections()
    for name, peer in (("a", "p"), ("b", "p"), ("c", "q"), ("d", "")):
        connections.expect(name, peer)
        connections.add(name)
    assert [connections.of_peer(peer) for peer in ("p", "q", "")] == [2, 1, 0]
    for name in "abcd":
        connections.discard(name)
    assert [connections.of_peer(peer) for peer in ("p", "q")] == [0, 0]
    assert (connections._counts, connections._peers) == ({}, {})


async def test_emptiness_can_be_waited_for() -> None:
    """By any number of tasks; who is coming is waited for as well."""
    connections: Connections[str] = Connections()
    await connections.until_empty()
    connections.add("a")
    connections.expect("b")
    waiting = [asyncio.ensure_future(connections.until_empty()) for _ in range(2)]
    connections.discard("a")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    connections.discard("b")
    done, _ = await asyncio.wait(waiting, timeout=10)
    assert (len(done), len(connections)) == (2, 0)
