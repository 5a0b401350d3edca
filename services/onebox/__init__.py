"""Onebox: PostgreSQL, migrations and both services in one terminal, for machines without Docker."""
