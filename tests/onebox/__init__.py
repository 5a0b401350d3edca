"""Tests of onebox, file by file."""
