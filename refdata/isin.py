"""ISIN (ISO 6166): form and check digit."""

import re

ISIN_FORM = re.compile(r"[A-Z]{2}[A-Z0-9]{9}[0-9]")


def check_digit(first_eleven: str) -> str:
    """The twelfth character: letters become 10..35, then Luhn from the right, doubling first."""
    digits = "".join(str(int(char, 36)) for char in first_eleven)
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled // 10 + doubled % 10
    return str(-total % 10)


def is_valid(text: str) -> bool:
    """Two letters, nine letters or digits, and the right check digit."""
    return ISIN_FORM.fullmatch(text) is not None and check_digit(text[:11]) == text[11]
