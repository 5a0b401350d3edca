"""The service: what the host runs."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from api import schema
from api.app import application
from api.auth import Gate
from api.settings import ApiSettings
from api.status import Status
from api.users import OPERATIONS, UserRoutes, Users
from bellbuoy.database import DatabasePool, families
from bellbuoy.host import Worker, web
from bellbuoy.metrics import Family
from bellbuoy.settings import read_secret
from bellbuoy.tokenwatch import TokenWatch


class ApiService:
    """The api.

    Args:
        settings: Its settings.

    Raises:
        SettingsError: A secret cannot be read.
        SchemaError: The program's migrations are not in order.
    """

    name = "api"
    families: Sequence[Family] = (*web.FAMILIES, *families(OPERATIONS))

    def __init__(self, settings: ApiSettings) -> None:
        """Read the secrets; open nothing yet."""
        self._settings = settings
        self._gate = Gate(TokenWatch("BUOY_API_TOKENS_FILE", settings.api_tokens_file))
        read_secret("BUOY_DB_PASSWORD_FILE", settings.db_password_file)
        self._schema = schema.migrations().latest

    @asynccontextmanager
    async def open(self, worker: Worker) -> AsyncIterator[web.HttpServer]:
        """Open the api in a worker; PostgreSQL need not be there."""
        traffic = web.Traffic()
        async with self._database(worker) as database:
            users = UserRoutes(Users(database, worker.monitor), self._gate)
            app = application(Status(traffic), users)
            async with web.serve(
                app,
                worker.instruments,
                traffic,
                database.compatible,
                bulkhead=self._settings.bulkhead(("/users",), self._settings.db_pool_size),
                access_log_sample=self._settings.access_log_sample,
            ) as server:
                yield server

    def _database(self, worker: Worker) -> DatabasePool:
        return DatabasePool(
            self._settings,
            worker.instruments,
            worker.monitor,
            application="bellbuoy-api",
            operations=OPERATIONS,
            schema=self._schema,
        )
