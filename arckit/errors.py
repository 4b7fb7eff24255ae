"""The one exception that means "what you gave me is wrong"; everything else is a fault of arckit's own."""


class InputError(ValueError):
    """Input from outside cannot be used.

    The message names the file, the task and the grid, what was found and what was expected.
    The command line prints it without a traceback and ends with exit code 2.
    """
