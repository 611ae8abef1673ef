import { afterEach, beforeEach, expect, test } from "bun:test";
import { type AuditWorld, createAuditWorld, DRAFT } from "./audit-world.test.ts";
import type { ClientKeys } from "./gateway/ports.ts";
import type { RunningAudit } from "./running-audit.ts";

const SECRET = ["sk", "ant", "api03", "AbCdEf0123456789-_xyz"].join("-");

let world: AuditWorld;

beforeEach(() => {
  world = createAuditWorld();
});

afterEach(() => world.remove());

const entriesOf = async (audit: RunningAudit): Promise<readonly Record<string, unknown>[]> =>
  (await audit.reader.newest(1000)).map(({ entry }) => JSON.parse(entry)).reverse();

test("T-22.08 a secret in an entry has one tag for as long as the log lives, and another in another log", async () => {
  const note = (audit: RunningAudit, text: string) => audit.changes.note({ ...DRAFT, after: { text } });
  const textsOf = async (audit: RunningAudit) =>
    (await entriesOf(audit)).flatMap(({ after }) => Object.values((after ?? {}) as Record<string, string>));
  let first: readonly string[] = [];
  await world.run({}, async (audit) => {
    await note(audit, SECRET);
    await note(audit, `Bearer ${SECRET}`);
  });
  await world.run({}, async (audit) => {
    await note(audit, SECRET);
    await note(audit, `${SECRET}2`);
    first = (await textsOf(audit)).filter((text) => text.includes("redacted"));
  });
  const [tag = "none"] = first;
  expect(tag).toMatch(/^\[redacted:[0-9a-f]{8}\]$/);
  // A search for the tag finds every entry that held this secret, and no other.
  expect(first.map((text) => text.includes(tag))).toEqual([true, true, true, false]);

  const other = createAuditWorld();
  await other.run({}, async (audit) => {
    await note(audit, SECRET);
    expect((await textsOf(audit)).join()).toContain("[redacted:");
    expect((await textsOf(audit)).join()).not.toContain(tag);
  });
  other.remove();
});

test("T-22.17 a hundred thousand refused keys in a minute are 65 entries at most", async () => {
  const refusing: ClientKeys = { verify: () => null } as unknown as ClientKeys;
  await world.run({}, async (audit) => {
    const keys = audit.watching(refusing, () => null);
    for (let at = 0; at < 100_000; at += 1) keys.verify(at % 2 === 0 ? `nonsense ${at}` : `bccf_sk_${at}`);
  });
  await world.run({}, async (audit) => {
    const refused = (await entriesOf(audit)).filter(({ code }) => code === "KEY003E");
    expect(refused.length).toBeLessThanOrEqual(65);
    const counts = refused.map(({ after }) => (after as { count: number }).count);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(100_000);
    expect(JSON.stringify(refused)).not.toContain("nonsense");
  });
});
