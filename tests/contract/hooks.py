"""Hooks of schemathesis."""

import uuid
from typing import Any

import schemathesis
from schemathesis import GenerationMode

KEY = "Idempotency-Key"


@schemathesis.hook
def before_call(_: schemathesis.HookContext, case: Any, __: dict[str, Any]) -> None:
    """Give each valid request a key of its own.

    A key that was drawn twice is answered with what came first, of which a later request may have
    removed the user; the checks take that for a fault. Our own tests try keys twice.
    """
    is_valid = case.meta is None or case.meta.generation.mode == GenerationMode.POSITIVE
    if is_valid and case.headers and KEY in case.headers:
        case.headers[KEY] = f'"{uuid.uuid4()}"'
