"""The supervisor: all parts together, from the first start to the last reap.

Law of this file: a part is known before it is started, so whatever runs is also ended.
"""

from onebox.escalation import Escalation
from onebox.interruption import StopRequest
from onebox.part import Part
from onebox.waiting import wait_until

_REAP_SECONDS = 5.0  # after the last step, SIGKILL, only the kernel's work is left


class Supervisor:
    """Keeps parts running until the operator asks for the end.

    Args:
        stop: The operator.
    """

    def __init__(self, stop: StopRequest) -> None:
        """No parts yet."""
        self._stop = stop
        self._layers: dict[int, list[Part]] = {}

    def start(self, part: Part, *, layer: int) -> None:
        """Start a part and keep it running.

        Args:
            part: What to run.
            layer: 0 for what others stand on. Higher layers end first, members of one together.
        """
        self._layers.setdefault(layer, []).append(part)
        part.tick()

    def watch(self) -> None:
        """Look once at everything; called wherever onebox waits.

        Raises:
            Interrupted: The operator asked for the end.
            EnvironmentFault: A part keeps dying.
        """
        self._stop.check()
        for parts in self._layers.values():
            for part in parts:
                part.tick()

    def close(self) -> None:
        """End all parts.

        **Shutdown**: bounded by the parts' own steps. The operator's further presses shorten it.
        """
        for layer in sorted(self._layers, reverse=True):
            self._end(self._layers.pop(layer))

    def _end(self, parts: list[Part]) -> None:
        ways = [(part, part.escalation(self._stop.count)) for part in parts]
        longest = max(escalation.seconds for _, escalation in ways)
        wait_until(lambda: self._have_ended(ways), timeout=longest + _REAP_SECONDS)

    def _have_ended(self, ways: list[tuple[Part, Escalation]]) -> bool:
        for part, escalation in ways:
            if not part.has_ended():
                part.pursue(escalation, self._stop.count)
        return all(part.has_ended() for part, _ in ways)
