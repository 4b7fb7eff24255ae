"""The exceptions that mean something to a user; every other one is a fault of arckit's own."""


class InputError(ValueError):
    """Input from outside cannot be used.

    The message names the file, the task and the grid, what was found and what was expected.
    The command line prints it without a traceback and ends with exit code 2.
    """


class NotFinite(RuntimeError):
    """The loss or the gradients are not finite; nothing of it has reached weights, rows or averages.

    The message names the step and the tasks. The command line prints it and ends with exit code 1.
    """
