"""Regulation as dated data that can be asked by day: tables, rules in words, differences."""
