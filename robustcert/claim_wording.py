"""The lint of a narrative claim: an empty claim and words that promise more than was measured are refused.

Two lists, read aloud: NEVER holds phrases that no evidence supports. ONLY_TIED holds words that mean something when the
same sentence says against what, and nothing otherwise: they pass in a sentence that names a threat model of the
specification, or a certified radius as "radius 0.25". Case, hyphens and line breaks make no difference. A phrase is
refused in a denial too ("not unhackable"): say what was measured instead. Only English is covered.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator

from robustcert.errors import expected

LEAST_WORDS = 5

NEVER = (
    "100 %",
    "100 percent",
    "absolutely safe",
    "all adversarial attacks",
    "all adversaries",
    "all attacks",
    "all known attacks",
    "all possible attacks",
    "always correct",
    "any adversarial attack",
    "any adversary",
    "any attack",
    "any attacks",
    "any kind of attack",
    "attack proof",
    "bullet proof",
    "bulletproof",
    "can not be attacked",
    "can not be fooled",
    "cannot be attacked",
    "cannot be fooled",
    "certified safe",
    "certified secure",
    "completely robust",
    "completely safe",
    "completely secure",
    "every attack",
    "every possible attack",
    "every attacker",
    "any attacker",
    "foolproof",
    "fully robust",
    "fully secure",
    "hack proof",
    "immune",
    "impenetrable",
    "invulnerable",
    "never fails",
    "perfectly robust",
    "provably safe",
    "provably secure",
    "proven safe",
    "proven secure",
    "tamper proof",
    "totally robust",
    "totally secure",
    "unbreakable",
    "unconditionally robust",
    "unhackable",
    "zero risk",
)
ONLY_TIED = (
    "certified robust",
    "guarantee",
    "guaranteed",
    "guaranteed robust",
    "guarantees",
    "provably robust",
    "proven robust",
    "robust",
    "robustly",
    "safe",
    "secure",
    "secured",
)

_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+")


def claim_problems(claim: str, *, threat_models: Collection[str], radii: Collection[float]) -> Iterator[str]:
    """What is wrong with the wording of a claim, one message each.

    >>> list(claim_problems("This model is bulletproof in every way.", threat_models=(), radii=()))
    ["expected what was measured, got 'bulletproof', which no evidence supports; name threat, data and rate instead"]
    """
    if len(re.findall(r"\w{2,}", claim)) < LEAST_WORDS:
        remedy = "say on which data, against what, and what is not claimed"
        yield expected(f"a claim of at least {LEAST_WORDS} words", got=f"'{claim.strip()[:40]}'", remedy=remedy)
    anchors = [_plain(name) for name in threat_models] + [f"radius {radius:g}" for radius in radii]
    for phrase in _found(NEVER, in_text=claim):
        got = f"'{phrase}', which no evidence supports"
        yield expected("what was measured", got=got, remedy="name threat, data and rate instead")
    for phrase in _found_untied(claim, anchors=anchors):
        remedy = "name a threat model of this file, or a certified radius, in the same sentence"
        yield expected(f"'{phrase}' tied to a threat", got="it alone", remedy=remedy)


def _found_untied(claim: str, *, anchors: Collection[str]) -> list[str]:
    loose = [sentence for sentence in _SENTENCE_END.split(claim) if not _found(anchors, in_text=sentence)]
    return sorted({phrase for sentence in loose for phrase in _found(ONLY_TIED, in_text=sentence)})


def _found(phrases: Collection[str], *, in_text: str) -> list[str]:
    """The phrases that stand in a text as whole words; of two that overlap, the longer one."""
    text = _plain(in_text)
    found = [phrase for phrase in phrases if re.search(rf"(?<![\w.]){re.escape(phrase)}(?!\w|\.\w)", text)]
    return [phrase for phrase in found if not any(phrase != other and phrase in other for other in found)]


def _plain(text: str) -> str:
    """Lower case, no invisible characters, hyphens as spaces, one space between words and before a percent sign."""
    shown = "".join(character for character in text if unicodedata.category(character) != "Cf")
    text = re.sub(r"[-\u2010-\u2015\s]+", " ", unicodedata.normalize("NFKC", shown).casefold())
    return re.sub(r"(\d)\s*%", r"\1 %", text)
