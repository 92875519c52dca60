"""Meshes and radiance fields in one light transport and one simulation.

Paper: Dynamic Mesh-Aware Radiance Fields, arXiv 2309.04581.

Example::

    sulan radiance capture studio --out capture
    sulan radiance train capture --out scene
"""

from typing import TYPE_CHECKING

from sulan.papers.room import room

if TYPE_CHECKING:
    from sulan.radiance.capture import capture
    from sulan.radiance.export import export
    from sulan.radiance.geometry import geometry
    from sulan.radiance.insert import insert
    from sulan.radiance.light import light
    from sulan.radiance.render import render
    from sulan.radiance.simulate import simulate
    from sulan.radiance.train import train
    from sulan.radiance.view import view

__all__ = ["capture", "export", "geometry", "insert", "light", "render", "simulate", "train", "view"]

room(__name__)
