"""The errors a user can meet. Each message says what is wrong, the value seen, and what to do."""


class OutgrowError(Exception):
    """Base of every error that outgrow raises on purpose.

    Attributes:
        exit_code: of the command line.
        echo: another process of the same launch tells the user.
    """

    exit_code = 1
    echo = False


class ConfigError(OutgrowError):
    """A recipe, an option or an argument is wrong."""

    exit_code = 2


class DataError(OutgrowError):
    """A file or table is wrong; the message names the file, the line or the column."""

    exit_code = 2


class PrerequisiteError(OutgrowError):
    """Something that must be there first is missing: an extra, a file, a number of answers."""

    exit_code = 2


class SealedError(OutgrowError):
    """Gold labels were asked for by a method that did not declare `uses_gold=True`."""


class TrainingError(OutgrowError):
    """Training cannot go on, for instance because the loss is not finite."""


class StoreError(OutgrowError):
    """The store cannot be read or written."""
