"""gunicorn's logger, sending what it says through ours."""

from typing import Any

import gunicorn.glogging


class Logger(gunicorn.glogging.Logger):
    """Leaves handlers, levels and formats to :mod:`bellbuoy.logs`."""

    def setup(self, cfg: Any) -> None:
        """Propagate to the root logger instead of installing handlers."""
        self.cfg = cfg
        self.error_log.propagate = True
        # Every worker, signal and exit is an event of ours already.
        self.error_log.setLevel("WARNING")
        self._access_log_enabled = False
