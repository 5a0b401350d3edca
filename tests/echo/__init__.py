"""Tests of the echo service, one file for each of its files."""
