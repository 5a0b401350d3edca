"""The echo service: every byte back as it came."""
