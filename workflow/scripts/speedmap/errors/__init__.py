"""The one kind of error that a user is meant to read."""


class UserError(Exception):
    """Something wrong with the input or the machine; the message names what, the cause and the remedy, in one line."""
