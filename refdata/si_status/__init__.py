"""Systematic Internaliser status: the assessment, the register of status, the notification."""
