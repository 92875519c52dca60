"""`sulan neurons show`: one neuron."""

from pathlib import Path

from sulan.reports.report import Report


def show(neuron: str, *, tables: Path) -> Report:
    """Show one neuron: what triggers it, where, at which positions, what it promotes and suppresses.

    Parameters
    ----------
    neuron
        `layer.neuron`, both from 0, such as `5.123`; `L5N123` works as well.
    tables
        What `sulan neurons classify` wrote.

    Returns
    -------
    Report
        Its class, triggers, contexts, frequency by position, promoted and suppressed tokens.

    Raises
    ------
    InputError
        There is no such neuron.
    """
    from sulan.neurons import options, portrait
    from sulan.neurons import tables as stored

    layer, number = options.neuron(neuron)
    return portrait.of(stored.read(tables), layer, number)
