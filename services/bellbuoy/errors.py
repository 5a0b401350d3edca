"""Errors, named by who must act.

::

    BellbuoyError
    ├── SettingsError        the operator: a setting or a secret is missing or wrong
    ├── EnvironmentFault     the machine: a port is taken, a directory is held
    ├── Refused              the caller: come back later; nothing was done
    │   ├── Overloaded            … because too many others are served now
    │   └── DatabaseUnavailable   … because PostgreSQL cannot be reached or is full
    ├── QueryFailed          us: the statement was wrong
    │   ├── ConstraintViolated    … or its values are: they break a named rule of a table
    │   └── OutcomeUnknown        nobody: it was sent, and whether it was done cannot be known
    └── SchemaError          the operator: migrations and program do not fit together

Foreign exceptions become one of these once, at the boundary, with ``__cause__`` kept.
"""

from collections.abc import Sequence


class BellbuoyError(Exception):
    """The root of every error that Bellbuoy raises on purpose."""


class SettingsError(BellbuoyError):
    """Settings that cannot be used, all of them at once.

    Args:
        problems: One sentence each, naming the variable and what it takes.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        """Keep every problem and join them, one a line, as the message."""
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class EnvironmentFault(BellbuoyError):
    """The machine does not offer what the program needs; the message says what to change."""


class Refused(BellbuoyError):
    """The work was refused before any of it was done.

    Args:
        detail: Why, in words that may be shown to the caller.
        retry_after: Seconds after which trying again makes sense.
    """

    def __init__(self, detail: str, retry_after: float) -> None:
        """Keep the advice beside the message."""
        super().__init__(detail)
        self.retry_after = retry_after


class Overloaded(Refused):
    """A limiter had no turn for this.

    Args:
        reason: ``full``, refused at once, or ``late``, after waiting.
    """

    def __init__(self, detail: str, retry_after: float, reason: str) -> None:
        """Keep the reason beside the advice."""
        super().__init__(detail, retry_after)
        self.reason = reason


class DatabaseUnavailable(Refused):
    """PostgreSQL cannot serve this request now: unreachable, starting, or its pool is full."""


class QueryFailed(BellbuoyError):
    """A statement that PostgreSQL refused or whose outcome is unknown.

    Args:
        operation: The statement's name, never its text.
        sqlstate: PostgreSQL's five-character code, or ``None`` when no answer came.
    """

    def __init__(self, operation: str, sqlstate: str | None) -> None:
        """Name the statement; DETAIL and SQL text stay out of the message."""
        super().__init__(f"{operation} failed with SQLSTATE {sqlstate or 'unknown'}")
        self.operation = operation
        self.sqlstate = sqlstate


class ConstraintViolated(QueryFailed):
    """A statement whose values break a rule of a table; nothing was done.

    Args:
        operation: The statement's name.
        sqlstate: 23505 for a duplicate, 23503 for a missing reference, and so on.
        constraint: The rule's name in the schema, such as ``users_email_key``.
    """

    def __init__(self, operation: str, sqlstate: str | None, constraint: str) -> None:
        """Name the rule; the values stay out of the message."""
        super().__init__(operation, sqlstate)
        self.constraint = constraint


class OutcomeUnknown(QueryFailed):
    """A write that was sent and whose answer never came: it was done wholly or not at all.

    Asking for the same again is safe only under a key that makes it idempotent.
    """


class SchemaError(BellbuoyError):
    """Migrations that cannot be applied: a gap, an edited or missing file."""
