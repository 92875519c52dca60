"""How the educational value of texts is judged; imports nothing heavy."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Judging:
    """Who judges how much texts teach, and what is left out.

    Parameters
    ----------
    judge
        Chat model that gives points by a rubric, such as `openai:MODEL`. Empty: nothing is judged.
    judged
        Texts that it reads; a classifier learns from four fifths of them and judges the others. Default: 1000: on
        a fifth of them a share of 0.8 has a standard error of 0.03. FineWeb-Edu (2406.17557) had half a million.
    least
        Least points, 0 to 5, of a text that stays. Default: 3, as FineWeb-Edu has it (2406.17557, section 4).
    """

    judge: str = ""
    judged: int = 1000
    least: float = 3.0
