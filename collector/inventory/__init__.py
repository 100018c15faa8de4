"""Ansible's inventories: which hosts there are, and what is known of each."""
