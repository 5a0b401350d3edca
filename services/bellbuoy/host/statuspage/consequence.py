"""The consequence: what clients see of an outage of the database, by the routes they asked for."""

from bellbuoy.host.statuspage.interval import Interval


def consequence(interval: Interval) -> str:
    """Return what clients see of an outage, by the routes that were asked."""
    failing, working = set(), set()
    for labels, gain in interval.gains("http_requests_total"):
        if gain and labels["status"] == "503":
            failing.add(labels["route"])
        elif gain and labels["status"] < "400":
            working.add(labels["route"])
    text = "What needs the database answers 503 at once; everything else goes on"
    if failing:
        text = f"{_list(failing)} {_verb(failing)} 503"
    if failing and (well := working - failing):
        text += f"; {_list(well)} {_works(well)}"
    return f"{text}."


def _list(names: set[str]) -> str:
    *most, last = sorted(names)
    return f"{', '.join(most)} and {last}" if most else last


def _verb(names: set[str]) -> str:
    return "answers" if len(names) == 1 else "answer"


def _works(names: set[str]) -> str:
    return "works" if len(names) == 1 else "work"
