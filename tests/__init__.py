"""Tests, the oracle, and the counterparties that they run against."""
