"""A small reader of HTML for tests: a tree of elements from the standard library's parser, strict about nesting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "img", "br", "link", "input", "hr"}


@dataclass
class Element:
    """One element; text is in children as strings."""

    tag: str
    attributes: dict[str, str]
    children: list[Element | str] = field(default_factory=list)

    @property
    def classes(self) -> set[str]:
        return set(self.attributes.get("class", "").split())

    def all(self, tag: str | None = None, *, class_: str | None = None) -> list[Element]:
        """All elements under this one with that tag and class, in order."""
        return [
            found
            for found in self.walk()
            if (tag is None or found.tag == tag) and (class_ is None or class_ in found.classes)
        ]

    def one(self, tag: str | None = None, *, class_: str | None = None) -> Element:
        (found,) = self.all(tag, class_=class_)
        return found

    def walk(self) -> Iterator[Element]:
        for child in self.children:
            if isinstance(child, Element):
                yield child
                yield from child.walk()

    def text(self, *, without: Callable[[Element], bool] = lambda _: False) -> str:
        """What is read under this element, spaces joined, leaving out style and what `without` says."""
        return " ".join(" ".join(self._texts(without)).split())

    def _texts(self, without: Callable[[Element], bool]) -> Iterator[str]:
        for child in self.children:
            if isinstance(child, str):
                yield child
            elif child.tag not in ("style", "script") and not without(child):
                yield from child._texts(without)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("document", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].tag == tag, f"</{tag}> closes <{self._open[-1].tag}>"
        self._open.pop()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open[-1].children.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)

    def close(self) -> None:
        super().close()
        assert [element.tag for element in self._open] == ["document"], "an element is never closed"


def read_page(html: str) -> Element:
    """The document; AssertionError where elements do not nest."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.root
