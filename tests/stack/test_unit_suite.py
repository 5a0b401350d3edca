"""The unit tests, run inside the api's image: the interpreter and libraries of production."""

import os

from tests.stack.stack import Stack, docker

FOLDERS = ("tests/bellbuoy", "tests/echo", "tests/api")


WHERE = "import sys, bellbuoy; print(bellbuoy.__file__, sys.version_info[:2])"


def test_the_unit_tests_pass_in_the_image(stack: Stack) -> None:
    """The code under test is the image's own, on its Python, as its user."""
    image = "bellbuoy-suite:test"
    stack.build("test", image)
    python = ("--entrypoint", "python", image)
    assert docker("run", "--rm", *python, "-c", WHERE) == "/app/bellbuoy/__init__.py (3, 13)"
    output = docker(
        *("run", "--rm", "--init", "--read-only", "--tmpfs", "/tmp:exec,mode=1777"),  # noqa: S108
        *(*python, "-m", "pytest", *FOLDERS, "-n", str(os.cpu_count()), "-p", "no:cacheprovider"),
    )
    assert " passed" in output
    assert " failed" not in output
