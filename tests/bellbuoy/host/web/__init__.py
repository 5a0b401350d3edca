"""Tests of HTTP on the host."""
