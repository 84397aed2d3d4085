"""Finished runs side by side: one page that opens from a file."""
