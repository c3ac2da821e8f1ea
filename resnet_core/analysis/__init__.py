"""What can be said about a net: its complexity by arithmetic (no torch needed) and as measured. Knows nothing of pages."""
