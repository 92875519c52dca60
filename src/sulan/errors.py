"""Every error that Sulan raises on purpose, ordered by cause.

Each child is also the standard error that it resembles, so a caller may catch either. On the command line an
error is one line, `error: ...`, a second line `hint: ...` where there is one, and `exit_code`.
"""


class SulanError(Exception):
    """The root of the tree.

    Parameters
    ----------
    message
        One line that says what is wrong, with the offending value.
    hint
        One line that says what to type or change; empty when nothing helps.
    """

    exit_code: int = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


# The user's mistake: exit code 2.


class InputError(SulanError, ValueError):
    """A value, a file's content or a configuration key that cannot be used."""


class MissingFile(SulanError, FileNotFoundError):
    """A path that should exist does not."""


class MissingColumn(SulanError, KeyError):
    """A corpus lacks a column; the hint is the command that makes it."""


class MissingExtra(SulanError, ImportError):
    """An optional dependency is not installed; the hint is the pip line."""

    def __init__(self, package: str, *, extra: str) -> None:
        super().__init__(
            f"{package} is not installed",
            hint=f'pip install -c constraints.txt -e ".[{extra}]"',
        )


class BrokenArtefact(SulanError, ValueError):
    """A file or folder on disk is damaged, half-made or of another schema."""


# Somebody else's failure: exit code 3.


class BackendError(SulanError, RuntimeError):
    """A remote service or a local engine failed after every retry."""

    exit_code = 3


class BudgetExceeded(BackendError):
    """The next call would cost more than `max_cost`; what was made so far is kept."""
