"""The service: what the host runs."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiohttp import web as aiohttp

from api import schema
from api.app import application
from api.auth import Gate
from api.documents import Documents
from api.guard import Guard
from api.idempotency import Idempotency
from api.limits import Limit
from api.purge import PURGE, Purge
from api.routes import table
from api.settings import ApiSettings
from api.status import Status
from api.userroutes import CREATED, UserRoutes
from api.users import OPERATIONS as USER_OPERATIONS
from api.users import Users
from bellbuoy.database import DatabasePool, families
from bellbuoy.host import Worker, web
from bellbuoy.metrics import Family
from bellbuoy.settings import read_secret
from bellbuoy.tokenwatch import TokenWatch

OPERATIONS = (*USER_OPERATIONS, PURGE)


class ApiService:
    """The api.

    Args:
        settings: Its settings.

    Raises:
        SettingsError: A secret cannot be read.
        SchemaError: The program's migrations are not in order.
    """

    name = "api"
    families: Sequence[Family] = (*web.FAMILIES, *families(OPERATIONS), CREATED)

    def __init__(self, settings: ApiSettings) -> None:
        """Read the secrets; open nothing yet."""
        self._settings = settings
        self._tokens = TokenWatch("BUOY_API_TOKENS_FILE", settings.api_tokens_file)
        self._forwarded = settings.forwarded
        self._documents = Documents()
        read_secret("BUOY_DB_PASSWORD_FILE", settings.db_password_file)
        self._schema = schema.migrations().latest

    @asynccontextmanager
    async def open(self, worker: Worker) -> AsyncIterator[web.HttpServer]:
        """Open the api in a worker; PostgreSQL need not be there."""
        traffic = web.Traffic()
        async with self._database(worker) as database:
            limiter = self._settings.limiter(self._settings.db_pool_size)
            web.measure(limiter, worker.instruments)
            users = Users(database, worker.monitor, limiter)
            app = self._application(worker, traffic, users, Idempotency(database, limiter))
            async with (
                web.serve(
                    app,
                    worker.instruments,
                    traffic,
                    database.compatible,
                    access_log_sample=self._settings.access_log_sample,
                ) as server,
                _purging(database, worker),
            ):
                yield server

    def _application(
        self, worker: Worker, traffic: web.Traffic, users: Users, keys: Idempotency
    ) -> aiohttp.Application:
        answering = UserRoutes(users, keys, worker.instruments.counter(CREATED))
        routes = table(Status(traffic), answering, self._documents)
        self._documents.describe(routes)
        return application(routes, self._guard())

    def _guard(self) -> Guard:
        settings = self._settings
        return Guard(
            Gate(self._tokens),
            self._forwarded,
            Limit("token", settings.api_token_rate),
            Limit("address", settings.api_address_rate),
            Limit("greeting", settings.api_greeting_rate),
        )

    def _database(self, worker: Worker) -> DatabasePool:
        return DatabasePool(
            self._settings,
            worker.instruments,
            worker.monitor,
            application="bellbuoy-api",
            operations=OPERATIONS,
            schema=self._schema,
            callers=self._settings.concurrency_limit,
        )


@asynccontextmanager
async def _purging(database: DatabasePool, worker: Worker) -> AsyncIterator[None]:
    purge = Purge(database, worker.monitor)
    task = worker.monitor.create_task(purge.run(), name="idempotency.purging")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
