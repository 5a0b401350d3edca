"""The api's own migrations."""

from api.schema import migrations


def test_the_migrations_are_in_order() -> None:
    """Loading checks names, numbers and headers."""
    assert [file.version for file in migrations().files] == [*range(1, migrations().latest + 1)]
