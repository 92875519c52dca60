"""Languages' codes in one spelling, so that what two sources call a language can be compared."""

from functools import cache

UNKNOWN = "und"


@cache
def spelled(label: str) -> str:
    """Return a language's code as BCP-47 has it.

    Examples
    --------
    >>> spelled("eng"), spelled("cmn"), spelled("pt_BR"), spelled("zh-Hant"), spelled("no"), spelled("C")
    ('en', 'zh', 'pt', 'zh', 'nb', 'und')
    """
    import langcodes

    try:
        language = langcodes.get(langcodes.standardize_tag(label, macro=True)).language or UNKNOWN
    except langcodes.LanguageTagError:
        return UNKNOWN
    return {"no": "nb"}.get(language, language)
