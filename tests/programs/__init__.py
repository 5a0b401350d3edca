"""Programs that tests start as processes; each runs on the host."""
