"""Tests of the chassis, one file for each of its files."""
