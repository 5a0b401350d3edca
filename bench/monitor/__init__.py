"""What AsyncMonitor costs, beside what it replaces and what else there is."""
