"""Picking and placing elements: take, repeat, diagonals, triangles, sorting."""
