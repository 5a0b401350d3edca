"""Tests of the host, one file for each of its files."""
