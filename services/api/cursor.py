"""Cursors: where a page of users ended, as clients hand it back.

They are opaque so that what they hold may change; today it is the last id.
"""

import base64
import binascii

from bellbuoy.host.web import Problem

_BYTES = 8

# Eight bytes, of which the first bit and the last two of the spelling are zero.
PATTERN = r"^[A-Za-f][A-Za-z0-9_-]{9}[AEIMQUYcgkosw048]$"
"""How cursors are spelt, for the OpenAPI document."""


def encode(last: int) -> str:
    """Return the cursor of the page that follows the user ``last``."""
    return base64.urlsafe_b64encode(last.to_bytes(_BYTES)).rstrip(b"=").decode()


def decode(cursor: str | None) -> int:
    """Return the id that a cursor holds; 0, which comes before all, without one.

    Raises:
        Problem: It is none of ours.
    """
    if cursor is None:
        return 0
    try:
        last = int.from_bytes(base64.b64decode(cursor + "=", altchars=b"-_", validate=True))
    except (ValueError, binascii.Error):
        last = -1
    # Only what we would write ourselves: one spelling for one place.
    if not 0 <= last < 1 << 63 or encode(last) != cursor:
        raise Problem(400, "after is not a cursor that this api gave out.")
    return last
