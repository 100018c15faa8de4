"""Typed values parsed from evidence; or unknown, with the reason."""
