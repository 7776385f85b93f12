"""The compiled form: it gives the same set again, and whatever else is found in its place is ignored."""

from __future__ import annotations

import json
import zlib
from collections import defaultdict
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.errors import InvalidRecord
from rules.reading.records import read_record
from rules.records.compiled import code_version, content_hash
from rules.records.kinds import KINDS
from rules.ruleset import RuleSet
from tests.rules.records.test_conditions import FACTS, WHEN
from tests.rules.records.test_kinds import ACCEPTED, UNSCOPED, item

Item = dict[str, Any]

FIELDS: dict[str, list[tuple[str, Any]]] = defaultdict(list)
for accepted in ACCEPTED:
    kind, name, written, _ = accepted.values
    if written is not None:
        FIELDS[str(kind)].append((str(name), written))
CONDITIONS = [condition.values[0] for condition in WHEN]
SCOPES = [{"project": "p"}, {"key": {"k", "k2"}, "function": "f"}, {"project": ["a", "b"], "key": "k"}]
TIERS = [{"above": 200_000, "input": 2}, {"service": "flex", "input": 0}]
MORE: dict[str, list[tuple[str, Any]]] = {
    "route": [("set", {"tools": [{"type": "function"}], "x": {"y": [1, None, 0.5]}}), ("note", "\ud800")],
    "model": [("price", {"input": 1, "output": "2.5", "tiers": TIERS})],
    "provider": [("quirks", {"drop": {"seed", "user"}, "rename": {"a": "b"}, "call_id_length": 9})],
    "test": [("as", {"project": "a"})],
}


@st.composite
def items(draw: st.DrawFn, kind: str) -> Item:
    """Return an item of a kind with some of the values that its fields take, as people write them."""
    fields = draw(
        st.lists(st.sampled_from([*FIELDS[kind], *MORE.get(kind, ()), ("priority", 3)]), max_size=5)
    )
    made = item(kind, **dict(fields))
    if kind not in UNSCOPED and draw(st.booleans()):
        made |= {"scope": draw(st.sampled_from(SCOPES)), "when": draw(st.sampled_from(CONDITIONS))}
    return made


def is_valid(made: Item) -> bool:
    with suppress(InvalidRecord):
        return bool(read_record(made))
    return False


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_compiled_record_is_the_same_record(kind: str, data: st.DataObject) -> None:
    made = data.draw(items(kind).filter(is_valid))
    ruleset = RuleSet.read([made])
    compiled = ruleset.compiled()
    if ruleset.problems:
        assert compiled is None
        return
    again = RuleSet.of_compiled(compiled, [made])
    assert again == ruleset
    assert repr(again) == repr(ruleset)
    assert again is not None
    assert again.match(FACTS) == ruleset.match(FACTS)
    assert dict(again.items) == dict(ruleset.items)


@pytest.mark.parametrize(("when", "holds"), WHEN)
def test_a_compiled_condition_holds_where_it_did(when: Any, holds: bool) -> None:
    made = {"kind": "route", "id": "r", "prefer": "cheap", "when": when}
    compiled = RuleSet.read([made]).compiled()
    again = RuleSet.of_compiled(compiled, [made])
    assert again is not None
    assert bool(again.match(FACTS).routes) is holds


ITEMS = [item(kind, id=each) if kind not in UNSCOPED else item(kind) for kind in KINDS for each in "ab"]
ITEMS = list({(each["kind"], each["id"]): each for each in ITEMS}.values())
COMPILED = RuleSet.read(ITEMS).compiled() or b""
HEAD = COMPILED.partition(b"\n")[0] + b"\n"


def test_a_set_of_every_kind_is_compiled_in_any_order_of_the_table() -> None:
    assert RuleSet.of_compiled(COMPILED, ITEMS[::-1]) == RuleSet.read(ITEMS[::-1]) != RuleSet.EMPTY


def body(value: Any) -> bytes:
    return HEAD + zlib.compress(json.dumps(value).encode())


ROW = ["route", {"kind": "route", "id": "a", "prefer": "cheap"}, {}]


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(None, id="nothing"),
        pytest.param(b"", id="no bytes"),
        pytest.param("text", id="a text"),
        pytest.param(7, id="a number"),
        pytest.param(HEAD, id="a head alone"),
        pytest.param(COMPILED[:-1], id="one byte less"),
        pytest.param(COMPILED[: len(COMPILED) // 2], id="half of it"),
        pytest.param(COMPILED + b"x", id="one byte more"),
        pytest.param(COMPILED[:-9] + b"x" + COMPILED[-8:], id="another byte"),
        pytest.param(COMPILED.replace(code_version().encode(), b"0" * 32), id="another version of the code"),
        pytest.param(b"x" + COMPILED, id="something before it"),
        pytest.param(HEAD + b"[]", id="no compression"),
        pytest.param(HEAD + zlib.compress(b"\xff"), id="no UTF-8"),
        pytest.param(HEAD + zlib.compress(b"[" * 100_000), id="JSON nested deeper than the stack"),
        pytest.param(HEAD + zlib.compress(b" " * 9_000_000 + b"[]"), id="more than fits the memory"),
        pytest.param(body(None), id="null"),
        pytest.param(body({"revision": "r", "rows": []}), id="a map"),
        pytest.param(body(["r"]), id="a revision alone"),
        pytest.param(body([5, []]), id="a revision that is a number"),
        pytest.param(body(["r", 5]), id="records that are a number"),
        pytest.param(body(["r", [ROW, 5]]), id="a record that is a number"),
        pytest.param(body(["r", [ROW[:2]]]), id="a record with a part less"),
        pytest.param(body(["r", [["rout", *ROW[1:]]]]), id="an unknown kind"),
        pytest.param(body(["r", [["access", *ROW[1:]]]]), id="a field of another kind"),
        pytest.param(body(["r", [["cache", {"kind": "route", "id": "a", "ttl": 1}, {}]]]), id="a wrong kind"),
        pytest.param(body(["r", [["route", {"kind": "route"}, {}]]]), id="a missing field"),
        pytest.param(body(["r", [["route", {**ROW[1], "x": 1}, {}]]]), id="an unknown field"),  # type: ignore[dict-item]
        pytest.param(body(["r", [[*ROW[:2], {"scope": ["scope", 5]}]]]), id="a scope that is a number"),
        pytest.param(body(["r", [[*ROW[:2], {"scope": ["zone", {}]}]]]), id="an unknown form"),
        pytest.param(body(["r", [[*ROW[:2], {"when": ["when", [["hour"]]]}]]]), id="a part of a condition"),
        pytest.param(body(["r", [[*ROW[:2], {"set": ["nested", [[]]]}]]]), id="a list without a type"),
    ],
)
def test_a_foreign_form_is_ignored(found: Any) -> None:
    assert RuleSet.of_compiled(found, ITEMS) is None


ROUTE = {"kind": "route", "id": "a", "model": "openai/gpt-5", "priority": 1, "set": {"x": Decimal("0.5")}}


@pytest.mark.parametrize(
    "other",
    [
        pytest.param([], id="no record"),
        pytest.param([ROUTE, item("access")], id="one more record"),
        pytest.param([{**ROUTE, "priority": 2}], id="another number"),
        pytest.param([{**ROUTE, "priority": "1"}], id="a text for a number"),
        pytest.param([{**ROUTE, "priority": True}], id="a boolean for a number"),
        pytest.param([{**ROUTE, "set": {"x": "0.5"}}], id="a text for a fraction"),
        pytest.param([{**ROUTE, "set": {"x": "Decimal('0.5')"}}], id="a text that looks like a fraction"),
        pytest.param([{**ROUTE, "note": "x"}], id="one more field"),
        pytest.param([{**ROUTE, "id": "b"}], id="another id"),
        pytest.param([{**ROUTE, "set": [Decimal("0.5")]}], id="a list for a map"),
        pytest.param([{"kind": "route"}], id="a record without an id"),
        pytest.param([{5: 6}], id="a field that is a number"),
        pytest.param([5], id="a record that is a number"),
    ],
)
def test_the_form_of_another_content_is_ignored(other: Any) -> None:
    compiled = RuleSet.read([ROUTE]).compiled()
    assert compiled is not None
    assert RuleSet.of_compiled(compiled, [ROUTE]) is not None
    assert RuleSet.of_compiled(compiled, other) is None


def test_sets_have_one_hash_whatever_their_order() -> None:
    names = [f"k{number}" for number in range(50)]
    forwards, backwards = ({**item("route"), "scope": {"key": set(each)}} for each in (names, names[::-1]))
    assert content_hash([forwards]) == content_hash([backwards]) is not None


@pytest.mark.parametrize(
    ("written", "previous"),
    [
        pytest.param([{**ROUTE, "model": 5}], {}, id="a record that is skipped"),
        pytest.param([{**ROUTE, "model": 5}], {("route", "a"): ROUTE}, id="a record with an older version"),
        pytest.param([{"kind": "access", "id": "x", "models": 5, "scope": {"key": "k"}}], {}, id="a refusal"),
        pytest.param([ROUTE, ROUTE], {}, id="a record that is there twice"),
        pytest.param([], {}, id="an empty table"),
    ],
)
def test_a_set_that_is_not_in_force_as_written_is_never_compiled(written: Any, previous: Any) -> None:
    assert RuleSet.read(written, previous=previous).compiled() is None


def test_a_checkout_has_no_stored_version_of_the_code() -> None:
    import rules

    assert not (Path(rules.__file__).parent / "code_version.txt").exists()
    assert len(code_version()) == 32
