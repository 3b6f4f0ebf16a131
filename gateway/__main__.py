"""`python -m gateway` is `si`."""

from gateway.cli import app

app(prog_name="si")
