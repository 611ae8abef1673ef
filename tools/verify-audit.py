#!/usr/bin/env python3
"""Verifies an export of the better-ccflare audit log. Nothing but Python 3: no package, no network.

    python3 tools/verify-audit.py audit.jsonl audit.pub

audit.pub: the installation's public key, 64 hex characters, from a place that the log's keeper cannot write.
Exit code 0: intact. 1: not intact, the entry at fault is named. 2: usage.
"""
import hashlib
import json
import sys

# Ed25519 as in RFC 8032, section 6. Slow and plain on purpose: to be read by an auditor.
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


def add(a, b):
    (x1, y1, z1, t1), (x2, y2, z2, t2) = a, b
    m, n = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    c, d = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    e, f, g, h = n - m, d - c, d + c, n + m
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def multiply(k, point):
    result = (0, 1, 1, 0)
    while k > 0:
        if k & 1:
            result = add(result, point)
        point, k = add(point, point), k >> 1
    return result


def same(a, b):
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def point_of(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    xx = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P != 0:
        x = x * SQRT_M1 % P
    if y >= P or (x * x - xx) % P != 0 or (x == 0 and sign):
        raise ValueError("not a point of the curve")
    x = P - x if x & 1 != sign else x
    return (x, y, 1, x * y % P)


BASE = point_of((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def is_signed(key, message, signature):
    if len(signature) != 64 or int.from_bytes(signature[32:], "little") >= ORDER:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ORDER
    s = int.from_bytes(signature[32:], "little")
    try:
        return same(multiply(s, BASE), add(point_of(signature[:32]), multiply(h, point_of(key))))
    except ValueError:
        return False


def verify(lines, key):
    seq, head, log, previous, signed, pruned = 0, bytes(32), None, None, 0, 0
    for line in map(json.loads, lines):
        if line["type"] == "log":
            assert bytes.fromhex(line["publicKey"]) == key, f"entry {seq + 1}: the log is of another key"
            log = line["log"]
        elif line["type"] == "entry":
            entry = line["entry"].encode()
            assert json.loads(entry)["seq"] == seq + 1, f"entry {seq + 1}: missing, or has another number"
            head = hashlib.sha256(b"\x01" + len(entry).to_bytes(8, "big") + entry + head).digest()
            seq += 1
            assert line["hash"] == head.hex(), f"entry {seq}: the hash does not fit"
        elif line["type"] == "pruned":
            text, signature = line["statement"].encode(), bytes.fromhex(line["signature"])
            assert seq == 0 and is_signed(key, b"bccf-audit-pruned-v1\n" + text, signature), "the mark of what was pruned is not signed"
            said = json.loads(text)
            assert said["log"] == log, "the mark of what was pruned is of another log"
            seq, head, previous = said["prunedTo"], bytes.fromhex(said["hash"]), said["previous"]
            pruned = signed = seq
        else:
            text, signature = line["statement"].encode(), bytes.fromhex(line["signature"])
            assert is_signed(key, b"bccf-audit-checkpoint-v1\n" + text, signature), f"entry {seq}: not signed by this key"
            said = json.loads(text)
            found = {"v": 1, "log": log, "seq": seq, "hash": head.hex(), "previous": previous, "at": said["at"]}
            assert said == found, f"entry {seq}: the checkpoint is of another log, or one is missing"
            previous, signed = line["signature"], seq
    assert signed == seq, f"entry {signed + 1}: no checkpoint covers it and what follows"
    return f"intact: {seq} entries of log {log}{f', the first {pruned} pruned' if pruned else ''}, head {head.hex()}"


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(print(__doc__) or 2)
    try:
        with open(sys.argv[1], encoding="utf-8") as export, open(sys.argv[2]) as public_key:
            print(verify(export, bytes.fromhex(public_key.read().strip())))
    except (AssertionError, ValueError, KeyError, TypeError) as problem:
        sys.exit(f"not intact: {problem}")
