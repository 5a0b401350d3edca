"""The status page: what an operator sees on the admin port, without Grafana, at night."""

from bellbuoy.host.statuspage.page import StatusPage

__all__ = ["StatusPage"]
