"""One noun, one file, and a test file in the same place for each."""

from pathlib import Path

from tests.repository.tree import ROOT, sources, text

MAX_LINES = 300
GRAB_BAGS = {"utils", "util", "helpers", "helper", "common", "constants", "misc", "base"}

WITHOUT_TEST_FILE: dict[str, str] = {
    # "services/…/x.py": the reason, and where it is tested instead
}

TOO_LONG_YET: dict[str, str] = {
    # "tests/…/test_x.py": the reason; split it by subject, as test_x.py and test_x_subject.py
    "tests/onebox/test_program.py": "grew while the others were split",
}

SERVICES = sources(".py", under="services")
CODE = [path for path in SERVICES if path.name != "__init__.py"]


def test_no_file_is_too_long_to_hold_one_noun() -> None:
    """No file of services/ or tests/ has more than 300 lines; an exception has its reason."""
    unexpected = {path: lines for path, lines in long().items() if path not in TOO_LONG_YET}
    assert unexpected == {}


def test_every_file_is_named_after_what_it_holds() -> None:
    """There is no place for things without a place."""
    assert [str(path) for path in SERVICES if GRAB_BAGS & {*path.parts, path.stem}] == []


def test_every_source_file_has_its_test_file() -> None:
    """tests/ mirrors services/ file by file; an exception is listed with its reason."""
    assert [
        f"{path} expects {mirror(path)}"
        for path in CODE
        if not (ROOT / mirror(path)).is_file() and str(path) not in WITHOUT_TEST_FILE
    ] == []


def test_every_test_file_has_its_source_file() -> None:
    """No test file in a mirrored folder outlives, or misspells, what it tests.

    The tests of x.py may be split by subject: test_x.py, test_x_subject.py.
    """
    packages = {path.parts[1] for path in SERVICES}
    mirrors = {mirror(path) for path in CODE}
    tests = [path for path in sources(".py", under="tests") if path.name.startswith("test_")]
    mirrored = [path for path in tests if path.parts[1] in packages]
    assert [str(path) for path in mirrored if not mirrors & {*wholes(path)}] == []


def test_every_exception_is_still_one() -> None:
    """What is listed exists, still has no test file or is too long, and there is a reason."""
    for path, reason in WITHOUT_TEST_FILE.items():
        assert (ROOT / path).is_file(), path
        assert not (ROOT / mirror(Path(path))).is_file(), path
        assert reason, path
    for path, reason in TOO_LONG_YET.items():
        assert path in long(), path
        assert reason, path


def long() -> dict[str, int]:
    """Return the files of services/ and tests/ that are too long, and their lines."""
    files = [*SERVICES, *sources(".py", under="tests")]
    lengths = {str(path): len(text(path).splitlines()) for path in files}
    return {path: lines for path, lines in lengths.items() if lines > MAX_LINES}


def mirror(path: Path) -> Path:
    """Return where the tests of a source file stand."""
    return Path("tests", *path.parts[1:-1], f"test_{path.stem.strip('_')}.py")


def wholes(test: Path) -> list[Path]:
    """Return a test file, and those that it may be one subject of: test_x for test_x_subject."""
    words = test.stem.split("_")
    return [test.with_stem("_".join(words[:count])) for count in range(2, len(words) + 1)]
