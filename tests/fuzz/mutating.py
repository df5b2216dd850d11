"""Inputs that are nearly right: seeds, in which a chance repeats, drops, joins and replaces parts."""

import json
import random
from collections.abc import Iterator, Sequence
from typing import Any

from runbook.model.definition import Json

_TRAPS = (
    b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\xe2\x80\xae", b"\xe2\x80\xa8", b"\x1b[2J", b"\x9b", b"\r", b"\n\n",
    b"\t", b"-", b"-1", b"0", b"0x", b"1e999", b"NaN", b"9" * 30, b"9" * 5000, "²".encode(), "٣".encode(),
    b":", b": ", b"::", b"/", b"../", b"{", b"}", b"[" * 300, b"]", b'"', b"'", b"\\", b"\\u0000", b",", b";",
    b"=", b"{{", b"}}", b"{%", b"&a ", b"*a", b"<<: ", b"!!int ", b"!vault ", b"null", b"true", b"[]", b"{}",
    b"(", b")", b"|", b">", b"*", b"%", b"#", b"@", b"a" * 300,
)  # fmt: skip


_VALUES: tuple[Json, ...] = (
    None, True, False, 0, -1, 1.5, 1e308, float("nan"), 10**30, "", "x", "-1", "²", "\ud800", "\x1b[2J", "\u202e",
    "{{ x }}", "a" * 5000, [], {}, [[]], [None], {"": None}, {"host": "a"}, ["a", 1],
)  # fmt: skip


def mutated_json(seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """Return JSON made of a seed that is JSON: some values in it are others, gone, or moved."""
    value: Json = json.loads(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 2, 4))):
        places = list(_places(value))
        if not places:
            break
        container, key = rng.choice(places)
        other, other_key = rng.choice(places)
        match rng.randrange(4):
            case 0:
                container[key] = rng.choice(_VALUES)
            case 1:
                container[key] = json.loads(json.dumps(other[other_key]))
            case 2 if isinstance(container, dict):
                container[rng.choice(("x", "", "host", "kind", str(other_key)))] = container.pop(
                    key
                )
            case _:
                del container[key]
    return json.dumps(value).encode()


def _places(value: Json) -> Iterator[tuple[Any, Any]]:
    for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        if isinstance(item, dict | list):
            yield from _places(item)


def mutated(seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """Return an input made of one seed, or of two."""
    if rng.random() < 0.5 and all(seed[:1] in (b"[", b"{") for seed in seeds):
        try:
            return mutated_json(seeds, rng)
        except ValueError:  # A seed that is several documents.
            pass
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 2, 3, 6, 12))):
        start = rng.randrange(len(data) + 1)
        end = min(len(data), start + rng.choice((0, 1, 1, 2, 4, 16, 64)))
        match rng.randrange(7):
            case 0:
                del data[start:end]
            case 1:
                data[start:end] = data[start:end] * rng.choice((2, 2, 3, 40))
            case 2:
                other = rng.choice(seeds)
                begin = rng.randrange(len(other) + 1)
                data[start:end] = other[begin : begin + rng.choice((1, 8, 64, 512))]
            case 3:
                data[start:end] = rng.randbytes(rng.choice((1, 1, 2, 8)))
            case 4 if start < len(data):
                data[start] ^= 1 << rng.randrange(8)
            case 5:
                del data[start:]
            case _:
                data[start:end] = rng.choice(_TRAPS)
    return bytes(data)
