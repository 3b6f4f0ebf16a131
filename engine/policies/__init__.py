"""Price-improvement policies that ship with the engine, one small file each (README.md)."""

BUILTIN = ("none", "ticks", "fraction", "midpoint", "inventory", "volatility", "toxicity")
