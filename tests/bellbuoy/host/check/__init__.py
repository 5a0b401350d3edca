"""Tests of bellbuoy.host.check."""
