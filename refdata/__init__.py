"""Loaders: they turn what regulators, venues and the firm publish into frozen tables."""
