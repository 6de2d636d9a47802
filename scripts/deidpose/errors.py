"""The one exception that means "the user can fix this"."""


class UserError(Exception):
    """A mistake in the input, reported in one sentence: what is wrong, where, what to do.

    Scripts print the sentence without a traceback. It must never contain a source file name or path when it
    is raised inside a job, because it ends up under ``logs/``.
    """
