"""What `.ci/run` promises: an honest exit status, and pytest's summary line at the end."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.repository.tree import ROOT

PASSED = "=========== 3 passed, 1 warning in 12.05s ============"
FAILED = "=========== 1 failed, 2 passed in 73.10s (0:01:13) ============"
EMPTY = "=========== no tests ran in 0.01s ============"

STACK = "=========== 7 passed in 160.12s (0:02:40) ============"

NAME = "tests/test_x.py::test_it[no answer {}] - assert 0"
ALONE = "=========== 1 passed in 2.10s ============"

MAKE = """#!/bin/sh
[ $1 = lint ] && exit {lint}
[ $1 = test-stack ] && echo '{stack}' && exit {stack_test}
[ $1 = test-again ] && echo '{alone}' && exit {again}
echo '{output}'
echo 'TOTAL 99%'
exit {test}
"""


def ci(
    folder: Path,
    *,
    lint: int = 0,
    test: int = 0,
    output: str = "",
    stack_test: int = 0,
    again: int = 0,
) -> tuple[int, list[str]]:
    """Run .ci/run in a checkout whose `make` does as told; return exit status and output."""
    (folder / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", folder / ".ci" / "run")
    docker = folder / ".ci" / "docker"
    docker.write_text('#!/bin/sh\necho "$1" >> engine; [ $1 = start ] || rm -rf "$2"\n')
    docker.chmod(0o755)
    make = folder / "bin" / "make"
    make.parent.mkdir()
    make.write_text(
        MAKE.format(
            lint=lint,
            test=test,
            output=output,
            stack=STACK,
            stack_test=stack_test,
            alone=ALONE if again == 0 else FAILED,
            again=again,
        )
    )
    names = (
        "make",
        "curl",
        "nc",
        "chromium",
        "promtool",
        "ss",
        "haproxy",
        "nginx",
        "wrk",
        "pgbouncer",
        "kubectl",
        "python3",
    )
    for name in names:
        (folder / "bin" / name).touch()
        (folder / "bin" / name).chmod(0o755)
    run = subprocess.run(
        ["bash", ".ci/run"],
        cwd=folder,
        env={"PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}", "CI": "true"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return run.returncode, run.stdout.splitlines()


@pytest.mark.parametrize(
    "status, summary",
    [pytest.param(0, STACK, id="passed"), pytest.param(2, FAILED, id="failed")],
)
def test_the_last_line_is_the_summary_of_pytest(tmp_path: Path, status: int, summary: str) -> None:
    """Whatever is reported after pytest, its own line ends the output, and make's status counts."""
    code, lines = ci(tmp_path, test=status, output=FAILED if status else PASSED)
    assert (code, lines[-1]) == (status, summary)


def names(count: int) -> str:
    """Return what pytest says of so many tests that failed."""
    return "\n".join([*(f"FAILED {NAME.format(number)}" for number in range(count)), FAILED])


def test_what_failed_beside_others_may_pass_alone_and_is_named(tmp_path: Path) -> None:
    """Once, and the log ends with who needed it."""
    code, lines = ci(tmp_path, test=2, output=names(1))
    assert code == 0
    assert lines[-3:] == ["passed only when they ran alone:", NAME.format(0), STACK]


@pytest.mark.parametrize("count, again", [(1, 2), (4, 0), (0, 0)])
def test_what_fails_twice_or_in_numbers_fails(tmp_path: Path, count: int, again: int) -> None:
    """So does what has no name, as a suite that never began."""
    code, lines = ci(tmp_path, test=2, output=names(count), again=again)
    assert (code, lines[-1]) == (2, FAILED)


@pytest.mark.parametrize("status", [0, 2])
def test_the_engine_for_the_stack_test_is_stopped_whatever_comes_of_it(
    tmp_path: Path, status: int
) -> None:
    """It is started after the other tests; the status of the stack test counts like theirs."""
    code, lines = ci(tmp_path, output=PASSED, stack_test=status)
    assert (code, lines[-1]) == (status, STACK)
    assert PASSED in lines
    assert (tmp_path / "engine").read_text().split() == ["start", "stop"]


def test_a_coverage_failure_after_passed_tests_is_a_failure(tmp_path: Path) -> None:
    """The summary line says passed, the exit status does not."""
    code, lines = ci(tmp_path, test=2, output=PASSED)
    assert (code, lines[-1]) == (2, PASSED)


@pytest.mark.parametrize("output", [EMPTY, "nothing of the kind"])
def test_a_run_without_tests_is_a_failure(tmp_path: Path, output: str) -> None:
    """Even if everything else claims to be well."""
    code, _ = ci(tmp_path, output=output)
    assert code == 1


def test_nothing_is_tested_that_does_not_pass_lint(tmp_path: Path) -> None:
    """A failed check ends the run."""
    code, lines = ci(tmp_path, lint=2, output=PASSED)
    assert (code, lines) == (2, [])
