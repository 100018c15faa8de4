"""Hosts to try ssm-triage on: for the demo, the tests and the scoring."""
