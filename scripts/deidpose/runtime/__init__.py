"""How a job runs: its log, its progress, its threads, and the networks that it holds."""
