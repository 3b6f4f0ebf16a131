"""How fast the engine is, measured against what the machine allows."""
