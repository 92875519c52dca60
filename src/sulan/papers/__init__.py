"""The papers' side of the house: what a room is, its card, and claims joined with what was measured.

`room` turns a package into a room, `card` reads `card.toml`, `claims` joins a card with run records.
"""
