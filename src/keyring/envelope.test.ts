import { expect, test } from "bun:test";
import { dataKeyIdOf, type EnvelopeAddress, openEnvelope, sealEnvelope } from "./envelope.ts";

const dataKey = { id: 77, key: crypto.getRandomValues(new Uint8Array(32)) };
const address: EnvelopeAddress = { table: "accounts", column: "credential", rowId: "row-1", generation: 3 };
const plain = Buffer.from("canary-text");

test("opens at the address where it was sealed, and lays its fields out as documented", () => {
  const envelope = sealEnvelope(dataKey, address, plain);
  expect(envelope.length).toBe(1 + 1 + 4 + 12 + plain.length + 16);
  expect([...envelope.subarray(0, 6)]).toEqual([1, 1, 0, 0, 0, 77]);
  expect(openEnvelope(dataKey, address, envelope)?.toString()).toBe("canary-text");
});

test("T-10.04 refuses an envelope in which any one byte was flipped", () => {
  const envelope = sealEnvelope(dataKey, address, plain);
  for (let at = 0; at < envelope.length; at += 1) {
    for (const mask of [0x01, 0x80, 0xff]) {
      const changed = Uint8Array.from(envelope);
      changed[at] = (changed[at] ?? 0) ^ mask;
      const id = dataKeyIdOf(changed);
      // A changed id names a key that is not here; everything else fails to open.
      const isRefused = !id.ok || id.value !== dataKey.id || openEnvelope(dataKey, address, changed) === null;
      expect(isRefused).toBe(true);
    }
  }
});

test("T-10.05 refuses an envelope cut at any length or made longer", () => {
  const envelope = sealEnvelope(dataKey, address, plain);
  for (let length = 0; length < envelope.length; length += 1) {
    const cut = envelope.subarray(0, length);
    expect(dataKeyIdOf(cut).ok && openEnvelope(dataKey, address, cut) !== null).toBe(false);
  }
  expect(openEnvelope(dataKey, address, Buffer.concat([envelope, Uint8Array.of(0)]))).toBeNull();
});

test.each<{ name: string; moved: EnvelopeAddress }>([
  { name: "another table", moved: { ...address, table: "client_keys" } },
  { name: "another column", moved: { ...address, column: "refresh_token" } },
  { name: "another row", moved: { ...address, rowId: "row-2" } },
  { name: "an older generation", moved: { ...address, generation: 2 } },
  { name: "a newer generation", moved: { ...address, generation: 4 } },
  {
    name: "a table and column that join to the same text",
    moved: { ...address, table: "accountsc", column: "redential" },
  },
])("T-10.07 T-10.08 refuses an envelope that was moved to $name", ({ moved }) => {
  expect(openEnvelope(dataKey, moved, sealEnvelope(dataKey, address, plain))).toBeNull();
});

test("refuses an envelope under another data key of the same id", () => {
  const other = { id: dataKey.id, key: crypto.getRandomValues(new Uint8Array(32)) };
  expect(openEnvelope(other, address, sealEnvelope(dataKey, address, plain))).toBeNull();
});

test("T-10.03 seals the same text 1,000 times with 1,000 nonces and 1,000 ciphertexts", () => {
  const nonces = new Set<string>();
  const texts = new Set<string>();
  for (let round = 0; round < 1000; round += 1) {
    const envelope = Buffer.from(sealEnvelope(dataKey, address, plain));
    nonces.add(envelope.toString("hex", 6, 18));
    texts.add(envelope.toString("hex", 18));
  }
  expect([nonces.size, texts.size]).toEqual([1000, 1000]);
});

test.each([
  { name: "an unknown version", at: 0, value: 2 },
  { name: "an unknown algorithm", at: 1, value: 2 },
  { name: "no version", at: 0, value: 0 },
])("T-10.10 names an envelope with $name malformed", ({ at, value }) => {
  const envelope = Uint8Array.from(sealEnvelope(dataKey, address, plain));
  envelope[at] = value;
  expect(dataKeyIdOf(envelope)).toEqual({ ok: false, error: "malformed" });
});

test("T-10.23 takes bytes alone: base64 of an envelope, canonical or with what a tolerant reader skips, is malformed", () => {
  const text = Buffer.from(sealEnvelope(dataKey, address, plain)).toString("base64");
  for (const given of [text, text.replace(/=+$/, ""), `${text}\n`, ` ${text}`, text.replace("A", "A!"), `=${text}`]) {
    expect(dataKeyIdOf(Buffer.from(given, "latin1"))).toEqual({ ok: false, error: "malformed" });
  }
});

test("T-10.24 the size of an envelope tells the size of the text and nothing of what it says", () => {
  for (const length of [0, 1, 1_000, 65_536]) {
    const texts = [Buffer.alloc(length), Buffer.alloc(length, "ab"), crypto.getRandomValues(new Uint8Array(length))];
    const sizes = texts.map((text) => sealEnvelope(dataKey, address, text).length);
    expect(new Set(sizes)).toEqual(new Set([length + 34]));
  }
});
