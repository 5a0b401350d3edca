"""The server's log stays small, and never ends the stack."""

from pathlib import Path

import structlog

from onebox.serverlog import ServerLog, last_words


def test_the_last_words_are_ten_lines(tmp_path: Path) -> None:
    """Of a log that may be absent."""
    log = tmp_path / "log"
    assert last_words(log) == ""
    log.write_text("x\n" * 20)
    assert last_words(log) == "\n".join("x" * 10)


def test_the_log_is_kept_small(tmp_path: Path) -> None:
    """Two files of 8 MB at most, however long it runs; a small one is left alone."""
    log = tmp_path / "log"
    ServerLog(log).tick()
    log.write_text("x")
    ServerLog(log).tick()
    assert log.read_text() == "x"
    log.write_bytes(b"y\n" * (5 << 20))
    ServerLog(log).tick()
    assert log.stat().st_size == 0
    assert (tmp_path / "log.1").stat().st_size == 10 << 20


def test_it_looks_once_a_second(tmp_path: Path) -> None:
    """A server does not write 8 MB in less."""
    now = [0.0]
    server_log = ServerLog(tmp_path / "log", clock=lambda: now[0])
    server_log.tick()
    (tmp_path / "log").write_bytes(b"y" * (9 << 20))
    now[0] = 0.9
    server_log.tick()
    assert not (tmp_path / "log.1").exists()
    now[0] = 1.0
    server_log.tick()
    assert (tmp_path / "log.1").exists()


def test_what_cannot_be_moved_aside_is_a_warning_and_tried_again(tmp_path: Path) -> None:
    """Once; when it works again, the next failure is news."""
    now = [0.0]
    log, old = tmp_path / "log", tmp_path / "log.1"
    old.mkdir()
    server_log = ServerLog(log, clock=lambda: now[0])
    with structlog.testing.capture_logs() as events:
        for _ in range(3):
            log.write_bytes(b"y" * (9 << 20))
            server_log.tick()
            now[0] += 1.0
    (event,) = events
    assert (event["event"], event["log_level"]) == ("log cannot be trimmed", "warning")
    assert str(old) in event["reason"]
    old.rmdir()
    server_log.tick()
    assert log.stat().st_size == 0
