"""Names and contents of the market data files that the tests write."""

from pathlib import Path

from engine.enums import Phase

ISIN, OTHER = "DEZZ00000007", "GBZZ00000023"
GOING = Phase.CONTINUOUS
SEMICOLON = f"xetra_{ISIN}_20260608.txt"
GETTEX = "pretrade.20260608.21.00.munc.csv"


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path
