"""What a user, a file or another process can cause: shown as a message, never as a traceback."""


class UserError(Exception):
    """The text says what is wrong, with the value, and what to do."""
