"""LEI (ISO 17442): form and check digits."""

import re

LEI_FORM = re.compile(r"[A-Z0-9]{18}[0-9]{2}")
MODULUS = 97  # ISO 7064, MOD 97-10


def check_digits(first_eighteen: str) -> str:
    """Characters 19 and 20: with them, the number that the letters spell is 1 modulo 97."""
    return f"{98 - _remainder(first_eighteen + '00'):02d}"


def is_valid(text: str) -> bool:
    """Eighteen capitals or digits, and the right two check digits."""
    return LEI_FORM.fullmatch(text) is not None and check_digits(text[:18]) == text[18:]


def _remainder(text: str) -> int:
    """Letters become 10..35."""
    return int("".join(str(int(char, 36)) for char in text)) % MODULUS
