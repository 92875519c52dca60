"""What a reader chose by hand, for the tests and for the benchmark."""

MAIN_WORK = {
    "2309.05463": {3},
    "2309.05519": {3, 4},
    "2309.04564": {4, 5},
    "2309.04827": {1, 2},
    "2309.04662": {1, 3},
    "2309.05516": {6, 7},
    "2309.04663": {4},
    "2309.04581": {2},
}
"""Sentences (from 1) of the eight real abstracts that a reader accepts as "what was done"."""
