"""What is shown of texts that come from anywhere: task names and the messages of errors.

Law of this file: what it returns is short, can be encoded, and quotes no row of a database.
"""

from bellbuoy.names import VALUE_BYTES

MESSAGE_CHARACTERS = 200

_QUOTES = "\nDETAIL:"
"""Where PostgreSQL begins to quote: ``Key (email)=(...) already exists``; so does asyncpg."""


def name_of(text: str) -> str:
    """Return the part of a name that fits into an entry of the shared table."""
    # Characters first: a name may be a whole document.
    encoded = _encodable(text[:VALUE_BYTES]).encode()
    return encoded[:VALUE_BYTES].decode(errors="ignore")


def message(error: BaseException) -> str:
    """Return what may be shown; an exception that cannot tell it must not go uncounted."""
    try:
        return _encodable(str(error).partition(_QUOTES)[0][:MESSAGE_CHARACTERS])
    except Exception as failure:  # noqa: BLE001 - whatever a foreign __str__ raises
        return f"unprintable: {type(failure).__name__}"


def _encodable(text: str) -> str:
    """Replace lone surrogates, which neither JSON nor the exposition format can carry."""
    return text.encode(errors="replace").decode()
