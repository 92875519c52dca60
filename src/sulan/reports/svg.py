"""A drawing of matplotlib as a piece of a page: inline SVG that the page's policy and its two themes accept.

A report's page forbids style attributes (its content security policy), loads nothing, and is read on white and
on black. So styles become attributes, `INK` becomes the page's own text colour, fonts are the page's, and what
names a network address or the drawing program (document type, metadata, namespaces) goes.
"""

import hashlib
import re
from xml.etree import ElementTree

INK = "#010203"
"""What is drawn in this colour takes the colour of the page's text."""

_DROPPED = frozenset({"metadata", "style"})
_DROPPED_STYLES = frozenset({"font-family"})
_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_REFERENCE = re.compile(r"#([\w.-]+)")


def inline(drawing: bytes, *, title: str, description: str) -> str:
    """Return a drawing as an `<svg>` element for a page.

    Parameters
    ----------
    drawing
        What matplotlib saved; its texts are escaped there and again here.
    title, description
        What a screen reader says instead of the drawing.
    """
    root = ElementTree.fromstring(drawing)
    _clean(root)
    _rename(root, prefix="c" + hashlib.sha256(drawing).hexdigest()[:8])
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    # What matplotlib says in the style sheet that is dropped.
    root.attrib |= {"role": "img", "stroke-linejoin": "round", "stroke-linecap": "butt"}
    for place, (tag, text) in enumerate((("title", title), ("desc", description))):
        element = ElementTree.Element(tag)
        element.text = printable(text)
        root.insert(place, element)
    return ElementTree.tostring(root, encoding="unicode")


def printable(text: str) -> str:
    """Return the text without control characters and lone surrogates, which XML cannot hold."""
    return "".join(character for character in text if character.isprintable())


def _clean(element: ElementTree.Element) -> None:
    element.tag = _local(element.tag)
    for child in list(element):
        if _local(child.tag) in _DROPPED:
            element.remove(child)
        else:
            _clean(child)
    attributes = {_local(name): value for name, value in element.attrib.items()}
    for declaration in attributes.pop("style", "").split(";"):
        name, colon, value = declaration.partition(":")
        if colon and name.strip() not in _DROPPED_STYLES:
            attributes[name.strip()] = value.strip()
    element.attrib.clear()
    for name, value in attributes.items():
        if value == INK:
            value = "currentColor"
        elif name in ("d", "x", "y", "transform", "viewBox"):
            value = " ".join(_NUMBER.sub(_rounded, value).split())
        element.set(name, value)
    for text in ("text", "tail"):
        if element.tag != "text" and not (getattr(element, text) or "").strip():
            setattr(element, text, None)
    element.tail = None


def _rename(root: ElementTree.Element, *, prefix: str) -> None:
    """Keep the ids that the drawing itself refers to, made unique on a page of several drawings."""
    used = {
        name
        for element in root.iter()
        for attribute in ("href", "clip-path")
        for name in _REFERENCE.findall(element.get(attribute, ""))
    }
    for element in root.iter():
        if (name := element.attrib.pop("id", None)) in used:
            element.set("id", f"{prefix}-{name}")
        for attribute in ("href", "clip-path"):
            if attribute in element.attrib:
                element.set(attribute, _REFERENCE.sub(rf"#{prefix}-\1", element.attrib[attribute]))


def _rounded(match: re.Match[str]) -> str:
    return f"{float(match[0]):.2f}".rstrip("0").rstrip(".")


def _local(name: str) -> str:
    """Return a tag or an attribute without its namespace."""
    return name.rpartition("}")[2]
