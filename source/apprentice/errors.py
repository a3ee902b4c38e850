"""The one exception that means: the user can fix this."""


class UserError(Exception):
    """Something the user can put right.

    The message is one sentence that says what was expected, what was found and what to do. The command line prints it
    without a traceback and exits with 1.
    """
