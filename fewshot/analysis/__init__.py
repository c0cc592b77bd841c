"""Problems 3 and 4: runs → figures and tables."""


class AnalysisError(Exception):
    """Why there are no figures, in a sentence."""
