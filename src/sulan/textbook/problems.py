"""Problems with known answers, made up without end by reasoning-gym, and solutions worked step by step.

A solution is worked out only where the problem's own facts give the steps; others have the answer alone. Problems of a
test are drawn from other seeds than those of the texts, and `refine` can still look for them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import gcd
from typing import Any

from sulan.errors import InputError, MissingExtra
from sulan.runs import seeds


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A problem and what solves it; `steps` may be empty."""

    question: str
    steps: str
    answer: str


def draw(name: str, *, count: int, seed: int, item: str) -> list[Problem]:
    """Return problems of a generator, which depend on (seed, item) alone.

    Raises
    ------
    InputError
        reasoning-gym has no such generator.
    MissingExtra
        It is not installed.
    """
    try:
        import reasoning_gym
        from reasoning_gym.factory import DATASETS
    except ImportError as error:
        raise MissingExtra("reasoning-gym", extra="textbook") from error
    if name not in DATASETS:
        raise InputError(f"reasoning-gym has no problems {name!r}", hint=f"such as {', '.join(WORKED)}")
    key = seeds.key(seed, f"problems {name} {item}") % 2**31
    made = reasoning_gym.create_dataset(name, size=count, seed=key)
    found = []
    for number in range(count):
        entry = made[number]
        worked = WORKED.get(name, _no_steps)(entry["metadata"])
        found.append(Problem(question=entry["question"].strip(), steps=worked, answer=str(entry["answer"])))
    return found


def running_sum(metadata: Mapping[str, Any]) -> str:
    """Return the partial results of a sum.

    Examples
    --------
    >>> running_sum({"expression": "4 + 3 - 5"})
    '4 + 3 = 7. 7 - 5 = 2.'
    """
    words = str(metadata["expression"]).split()
    total, said = int(words[0]), []
    for sign, term in zip(words[1::2], words[2::2], strict=True):
        result = total + int(term) if sign == "+" else total - int(term)
        said.append(f"{total} {sign} {term} = {result}.")
        total = result
    return " ".join(said)


def product(metadata: Mapping[str, Any]) -> str:
    """Return a product of two, the second taken apart into its digits.

    Examples
    --------
    >>> product({"expression": "12 * 34"})
    '34 is 30 + 4. 12 * 30 = 360. 12 * 4 = 48. Together 408.'
    """
    words = str(metadata["expression"]).split(" * ")
    if len(words) != 2:
        return ""
    first, second = map(int, words)
    parts = [int(digit) * 10**place for place, digit in enumerate(reversed(str(second))) if digit != "0"][
        ::-1
    ]
    if len(parts) < 2:
        return ""
    said = [f"{first} * {part} = {first * part}." for part in parts]
    return f"{second} is {' + '.join(map(str, parts))}. {' '.join(said)} Together {first * second}."


def euclid(metadata: Mapping[str, Any]) -> str:
    """Return the steps of Euclid's algorithm for two numbers.

    Examples
    --------
    >>> euclid({"numbers": [69, 21]})
    '69 = 3 * 21 + 6. 21 = 3 * 6 + 3. 6 = 2 * 3 + 0. The last divisor is 3.'
    """
    if len(metadata["numbers"]) != 2:
        return ""
    large, small = sorted(metadata["numbers"], reverse=True)
    said = []
    while small:
        said.append(f"{large} = {large // small} * {small} + {large % small}.")
        large, small = small, large % small
    return f"{' '.join(said)} The last divisor is {large}."


def multiple(metadata: Mapping[str, Any]) -> str:
    """Return how two numbers' least common multiple follows from their greatest common divisor.

    Examples
    --------
    >>> multiple({"numbers": [4, 6]})
    'The greatest common divisor of 4 and 6 is 2. 4 * 6 = 24, and 24 / 2 = 12.'
    """
    if len(metadata["numbers"]) != 2:
        return ""
    first, second = metadata["numbers"]
    shared = gcd(first, second)
    return (
        f"The greatest common divisor of {first} and {second} is {shared}. "
        f"{first} * {second} = {first * second}, and {first * second} / {shared} = {first * second // shared}."
    )


def rule(metadata: Mapping[str, Any]) -> str:
    """Return the rule of a sequence.

    Examples
    --------
    >>> rule({"rule": "double"})
    'Each number follows from those before it: double.'
    """
    return f"Each number follows from those before it: {metadata['rule']}."


def _no_steps(_: Mapping[str, Any]) -> str:
    return ""


WORKED: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "chain_sum": running_sum,
    "products": product,
    "gcd": euclid,
    "lcm": multiple,
    "number_sequence": rule,
}
"""Generators whose solutions are worked out here."""
