"""Definition 11: which questions are the same, which must stay together, and which split they go to.

Pure functions of texts and ids. Two questions are *equal* when their normal forms are; equal questions and questions
that share a declared group form one group (connected components); a split takes whole groups, in the order of
sha256(seed, group_id), so that it depends neither on file order nor on the answers.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Literal

import pyarrow as pa

from outgrow.core.errors import DataError
from outgrow.core.hashing import sha256_text
from outgrow.core.tables import SPLITS

Size = int | float | Literal["rest"]
"""Questions of a split: a number (int), a share of all questions in (0, 1] (float), or what the others leave."""
ROUNDING = 1e-9
"""Differences of shares below this are rounding."""


def normalise_text(text: str) -> str:
    """The normal form under which questions are compared: NFKC, casefolded, white space collapsed to single spaces.

    Casefolding can leave a text outside NFKC, so the form is composed once more.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())


def connected_components(keys: Sequence[Iterable[Hashable]]) -> list[int]:
    """Component number of each row, where rows that share any key are connected.

    Args:
        keys: per row, its keys; a row without keys is a component of its own.

    Returns:
        One integer per row, numbered from 0 in order of first appearance.
    """
    parent = list(range(len(keys)))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    first: dict[Hashable, int] = {}
    for row, own in enumerate(keys):
        for key in own:
            a, b = root(first.setdefault(key, row)), root(row)
            parent[max(a, b)] = min(a, b)
    numbers: dict[int, int] = {}
    return [numbers.setdefault(root(row), len(numbers)) for row in range(len(keys))]


def group_ids(texts: Sequence[str], declared: Sequence[str | None] | None = None) -> list[str]:
    """The `group_id` of each question: one per component of equal texts and shared declared groups.

    The id is made of the smallest normal form in the component, so it does not depend on row order.

    Args:
        texts: the questions.
        declared: per question, the group its user gave it, or None.

    Returns:
        One id of 24 hex digits per question.
    """
    forms = [normalise_text(text) for text in texts]
    groups = declared if declared is not None else [None] * len(texts)
    keys = [
        [("text", form)] if group is None else [("text", form), ("group", group)]
        for form, group in zip(forms, groups, strict=True)
    ]
    components = connected_components(keys)
    smallest: dict[int, str] = {}
    for component, form in zip(components, forms, strict=True):
        smallest[component] = min(form, smallest.get(component, form))
    return [sha256_text("group", smallest[component])[:24] for component in components]


def part_of(groups: Sequence[str], share: float, part: int) -> list[bool]:
    """Which questions are in one of the disjoint parts of a split; a group is in one part as a whole.

    Groups stand in the order of sha256("part", group_id), and part i are those whose middle question lies in the i-th
    block of `share` of all questions. So a part has `share` of them but for half a group at either end, equal settings
    mean the same questions, and with `share` 1 part 0 has all.

    Args:
        groups: `group_id` per question.
        share: of the questions, in (0, 1].
        part: which part, from 0; (part + 1) * share is at most 1.

    Returns:
        For each question whether it is in the part.
    """
    sizes, blocks, before = Counter(groups), dict[str, int](), 0
    for group in sorted(sizes, key=lambda g: sha256_text("part", g)):
        middle = (before + sizes[group] / 2) / len(groups)
        blocks[group] = int(middle / share + ROUNDING)
        before += sizes[group]
    return [blocks[group] == part for group in groups]


def assign_splits(groups: Sequence[str], sizes: Mapping[str, Size], seed: int) -> list[str | None]:
    """The split of each question; every group goes to one split as a whole.

    Groups are taken in the order of sha256(seed, group_id); each goes to the first split (in the order of
    `records.SPLITS`) that still has room for all of it, else to the split that takes the rest. A split can therefore
    end a few questions short of its number when groups are large, never above it. Shares that add up to 1 leave
    nothing over: the last of them takes the rest.

    Args:
        groups: `group_id` per question.
        sizes: split name to number, share or "rest" (at most one).
        seed: of the order.

    Returns:
        Split name per question; None for a question that no split has room for.

    Raises:
        DataError: the numbers ask for more questions than there are, or a split ends up empty.
    """
    room = _room(len(groups), sizes)
    members: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        members.setdefault(group, []).append(row)
    rest = next((split for split, places in room.items() if places is None), None)
    result: list[str | None] = [None] * len(groups)
    for group in sorted(members, key=lambda g: sha256_text(seed, g)):
        rows = members[group]
        taker = rest
        for split, places in room.items():
            if places is not None and places >= len(rows):
                room[split], taker = places - len(rows), split
                break
        for row in rows:
            result[row] = taker
    for split in room:
        if split not in result:
            raise DataError(
                f"split '{split}' is left without a question: {len(groups)} questions in {len(members)} groups "
                f"do not fill {dict(sizes)}; ask for fewer elsewhere or check the group column"
            )
    return result


def _room(total: int, sizes: Mapping[str, Size]) -> dict[str, int | None]:
    """Places per split in the order of `SPLITS`; None for the split that takes the rest."""
    order = sorted(sizes, key=lambda split: SPLITS.index(split) if split in SPLITS else len(SPLITS))
    shares = {split: size for split in order if isinstance(size := sizes[split], float)}
    if sum(shares.values()) > 1 + 1e-9:
        raise DataError(f"the shares {shares} add up to {sum(shares.values()):.3g}; they may add up to 1 at most")
    room: dict[str, int | None] = {}
    for split in order:
        size = sizes[split]
        room[split] = None if size == "rest" else int(size * total + 0.5) if isinstance(size, float) else size
    if shares and abs(sum(shares.values()) - 1) <= 1e-9 and None not in room.values():
        room[list(shares)[-1]] = None
    if list(room.values()).count(None) > 1:
        raise DataError(f"more than one split takes the rest: {[s for s, places in room.items() if places is None]}")
    wanted = sum(places for places in room.values() if places is not None)
    if wanted > total:
        raise DataError(f"the splits {dict(sizes)} ask for {wanted} questions, but there are {total}")
    return room


def foreign_rows(groups: Sequence[str], files: Sequence[str], priority: Sequence[str]) -> list[bool]:
    """Rows to leave out so that no group occurs in two files: a group stays in its file of highest priority.

    Args:
        groups: `group_id` per row.
        files: the file each row comes from.
        priority: file names, the one that keeps its rows first.

    Returns:
        True per row that is left out.
    """
    rank = {file: number for number, file in enumerate(priority)}
    home: dict[str, str] = {}
    for group, file in zip(groups, files, strict=True):
        if group not in home or rank[file] < rank[home[group]]:
            home[group] = file
    return [home[group] != file for group, file in zip(groups, files, strict=True)]


def contradictions(keys: Sequence[Hashable], golds: Sequence[str]) -> dict[Hashable, dict[str, int]]:
    """The questions that carry more than one gold answer.

    Args:
        keys: what makes questions equal (normal form, and choices where there are some), per row.
        golds: gold value per row.

    Returns:
        Key to counts of its gold values, for the keys with two or more of them.
    """
    counts: defaultdict[Hashable, Counter[str]] = defaultdict(Counter)
    for key, gold in zip(keys, golds, strict=True):
        counts[key][gold] += 1
    return {key: dict(by_gold) for key, by_gold in counts.items() if len(by_gold) > 1}


def overlap(splits: Mapping[str, pa.Table]) -> dict[str, int]:
    """How many questions two splits share, for each pair of splits.

    Args:
        splits: split name to examples table (`records.EXAMPLES`); empty tables are left out.

    Returns:
        "a&b" to the number of questions of b that have a `group_id` or a normal form which also occurs in a. All
        are 0 in a sound experiment.
    """
    seen: dict[str, list[tuple[str, str]]] = {
        name: list(zip(table["group_id"].to_pylist(), map(normalise_text, table["question"].to_pylist()), strict=True))
        for name, table in splits.items()
        if table.num_rows
    }
    result: dict[str, int] = {}
    for a, b in combinations(seen, 2):
        groups, forms = {group for group, _ in seen[a]}, {form for _, form in seen[a]}
        result[f"{a}&{b}"] = sum(group in groups or form in forms for group, form in seen[b])
    return result
