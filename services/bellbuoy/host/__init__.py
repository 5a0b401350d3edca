"""The host: runs a service in supervised worker processes, with an admin port beside them."""

import gc
import math
import sys
from pathlib import Path
from typing import Any, NoReturn

import gunicorn.app.base

from bellbuoy import logs
from bellbuoy.host.admin import Admin
from bellbuoy.host.arbiter import Arbiter, announce, assign_slot
from bellbuoy.host.connections import Connections
from bellbuoy.host.families import FAMILIES
from bellbuoy.host.gunicornlog import Logger
from bellbuoy.host.listeners import listen
from bellbuoy.host.plan import Plan, traffic_workers
from bellbuoy.host.service import Server, Service, Worker
from bellbuoy.host.worker import Worker as WorkerProcess
from bellbuoy.scoreboard import Scoreboard
from bellbuoy.settings import HostSettings

__all__ = ["Connections", "Server", "Service", "Worker", "run"]


def run(service: Service, settings: HostSettings, *, port: int, admin_port: int) -> NoReturn:
    """Run ``service`` until told to stop, and exit: 0 after a drain.

    SIGTERM and SIGINT drain; a second one hurries the drain.

    Args:
        service: What to run.
        settings: The host's settings.
        port: Where clients connect; 0 lets the kernel choose.
        admin_port: Where probes and Prometheus connect; 0 lets the kernel choose.

    Raises:
        EnvironmentFault: A port cannot be listened on.
        SettingsError: The admin token cannot be read.
    """
    logs.configure(settings.log_level, service=service.name)
    name = service.name.upper()
    workers = traffic_workers(settings)
    # A slot for each traffic worker, one for the admin process, one for the supervisor.
    board = Scoreboard((*FAMILIES, *service.families), workers + 2)
    admin = Admin(service.name, settings, board)
    listener = listen(settings.host, port, settings.backlog, f"BUOY_{name}_PORT")
    admin_listener = listen(
        settings.admin_host, admin_port, 128, f"BUOY_{name}_ADMIN_PORT", "BUOY_ADMIN_HOST"
    )
    plan = Plan(service, admin, settings, listener, admin_listener, board)
    # What is loaded now is for ever: no worker's collector need walk and so copy it, at the latest
    # at its exit, which takes 0.03 instead of 0.12 s of processor time (measured).
    gc.freeze()
    _Application(plan, workers + 1).run()
    sys.exit(1)  # the arbiter exits by itself


class _Application(gunicorn.app.base.BaseApplication):
    """The few of gunicorn's settings that the host uses; none come from its environment."""

    def __init__(self, plan: Plan, processes: int) -> None:
        self._plan = plan
        self._processes = processes
        super().__init__()

    def load_config(self) -> None:
        settings: dict[str, Any] = {
            "workers": self._processes,
            "worker_class": WorkerProcess,
            "timeout": math.ceil(self._plan.settings.watchdog_seconds),
            "graceful_timeout": math.ceil(self._plan.stop_timeout),
            "logger_class": Logger,
            "loglevel": self._plan.settings.log_level,
            "proc_name": f"bellbuoy-{self._plan.service.name}",
            "control_socket_disable": True,
            "when_ready": announce,
            "pre_fork": assign_slot,
        }
        if Path("/dev/shm").is_dir():  # noqa: S108 - heartbeats off the disk, as gunicorn advises
            settings["worker_tmp_dir"] = "/dev/shm"  # noqa: S108
        for name, value in settings.items():
            self.cfg.set(name, value)

    def run(self) -> None:
        Arbiter(self, self._plan).run()
