"""`si audit`: a day of the journal, recounted against the obligations of a Systematic Internaliser.

Rule of this package: nothing here calls a function of `engine` that decides (step, quoting, bbo,
zones, gate, checks, ticks). What the engine did is in the journal; whether it was right is counted
again from the same inputs.
"""
