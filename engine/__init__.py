"""The deterministic core of a Systematic Internaliser: no clock, no I/O, no floats."""
