"""What the Snakefile asks: settings, videos, corrections, requests for memory, and digests; light imports only."""
