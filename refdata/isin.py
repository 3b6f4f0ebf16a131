"""ISIN (ISO 6166): form and check digit."""

import re
from functools import lru_cache

ISIN_FORM = re.compile(r"[A-Z]{2}[A-Z0-9]{9}[0-9]")


#: Letters count as 10..35, digit by digit.
DIGITS = str.maketrans({chr(code): str(code - 55) for code in range(ord("A"), ord("Z") + 1)})
#: What a digit adds to the sum where it is doubled: 7 becomes 14, which adds 1 + 4.
DOUBLED = dict(zip("0123456789", (0, 2, 4, 6, 8, 1, 3, 5, 7, 9), strict=True))


def check_digit(first_eleven: str) -> str:
    """The twelfth character: letters become 10..35, then Luhn from the right, doubling first."""
    digits = first_eleven.translate(DIGITS)[::-1]
    total = sum(map(DOUBLED.__getitem__, digits[::2])) + sum(map(int, digits[1::2]))
    return str(-total % 10)


@lru_cache(maxsize=1 << 17)  # every file of a build names the same instruments
def is_valid(text: str) -> bool:
    """Two letters, nine letters or digits, and the right check digit."""
    return ISIN_FORM.fullmatch(text) is not None and check_digit(text[:11]) == text[11]
