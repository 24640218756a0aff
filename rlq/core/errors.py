"""Errors that a user can correct. The command line prints them in one line, without a traceback."""


class RlqError(Exception):
    """Base class of errors whose message says what the user can do."""


class SettingsError(RlqError):
    """An experiment file, or a change to it, that cannot be used."""


class DataError(RlqError):
    """A data set, side file, picture or array that is missing, broken or contradictory."""


class TrainingError(RlqError):
    """A training run that cannot continue, such as one with a non-finite loss."""


class Pruned(RlqError):
    """Raised by the observer of a run to end it early, because its evaluations are not good enough."""
