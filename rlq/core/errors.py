"""Our own errors: what the user can mend. The command line prints them in one line, without a traceback."""


class RlqError(Exception):
    """Base of every error whose message tells the user what to do."""


class SettingsError(RlqError):
    """An experiment file, or a change to it, that cannot be used."""


class DataError(RlqError):
    """A data set, side file, picture or array that is missing, broken or contradictory."""


class TrainingError(RlqError):
    """A training run that cannot go on, such as one with a non-finite loss."""


class Pruned(RlqError):
    """Raised by whoever observes a run, to end it early: its evaluations so far promise too little."""
