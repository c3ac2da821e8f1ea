"""One file a page; ``ui`` is what they share."""
