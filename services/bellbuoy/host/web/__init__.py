"""HTTP on the host: an aiohttp application as a server that is bounded, counted and drained.

aiohttp's own sites and gunicorn workers are not used: they call ``listen()`` with a backlog of
128, wait twice for the shutdown, and know no drain that tells clients to go elsewhere.
"""

from bellbuoy.host.web.concurrency import measure
from bellbuoy.host.web.forwarded import Forwarded, network_of
from bellbuoy.host.web.problem import FieldError, Problem, ProblemDetails
from bellbuoy.host.web.server import HttpServer, serve
from bellbuoy.host.web.settings import WebSettings
from bellbuoy.host.web.telemetry import FAMILIES
from bellbuoy.host.web.traffic import Traffic

__all__ = [
    "FAMILIES",
    "FieldError",
    "Forwarded",
    "HttpServer",
    "Problem",
    "ProblemDetails",
    "Traffic",
    "WebSettings",
    "measure",
    "network_of",
    "serve",
]
