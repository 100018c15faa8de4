"""What can be wrong: one module a family of rules, each from facts and log episodes to findings."""
