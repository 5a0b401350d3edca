"""Tests of the status page, without a browser; tests/integration has the one with."""
