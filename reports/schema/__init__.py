"""The published JSON Schemas of what reports write."""
