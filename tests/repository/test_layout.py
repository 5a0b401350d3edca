"""One noun, one file, and a test file in the same place for each."""

from pathlib import Path

from tests.repository.tree import ROOT, sources, text

MAX_LINES = 300
GRAB_BAGS = {"utils", "util", "helpers", "helper", "common", "constants", "misc", "base"}

WITHOUT_TEST_FILE: dict[str, str] = {
    # "services/…/x.py": the reason, and where it is tested instead
}

SERVICES = sources(".py", under="services")
CODE = [path for path in SERVICES if path.name != "__init__.py"]


def test_no_file_is_too_long_to_hold_one_noun() -> None:
    """No file of services/ has more than 300 lines."""
    lengths = {str(path): len(text(path).splitlines()) for path in SERVICES}
    assert {path: lines for path, lines in lengths.items() if lines > MAX_LINES} == {}


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
    """No test file in a mirrored folder outlives, or misspells, what it tests."""
    packages = {path.parts[1] for path in SERVICES}
    mirrors = {mirror(path) for path in CODE}
    tests = [path for path in sources(".py", under="tests") if path.name.startswith("test_")]
    mirrored = [path for path in tests if path.parts[1] in packages]
    assert [str(path) for path in mirrored if path not in mirrors] == []


def test_every_exception_is_still_one() -> None:
    """What is listed exists, has no test file after all, and the list gives a reason."""
    for path, reason in WITHOUT_TEST_FILE.items():
        assert (ROOT / path).is_file(), path
        assert not (ROOT / mirror(Path(path))).is_file(), path
        assert reason, path


def mirror(path: Path) -> Path:
    """Return where the tests of a source file stand."""
    return Path("tests", *path.parts[1:-1], f"test_{path.stem.strip('_')}.py")
