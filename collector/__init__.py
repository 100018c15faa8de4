"""From an inventory to evidence: inventory, connections, probes, evidence."""
