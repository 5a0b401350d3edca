"""The schema that the api is written for."""

from pathlib import Path

from bellbuoy.database import Migrations


def migrations() -> Migrations:
    """Return the api's migrations.

    Raises:
        SchemaError: The files are not in order.
    """
    return Migrations.load(Path(__file__).with_name("migrations"))
