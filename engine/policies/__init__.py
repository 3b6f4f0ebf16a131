"""Price-improvement policies that ship with the engine, one small file each."""

BUILTIN = ("none", "ticks", "midpoint")
