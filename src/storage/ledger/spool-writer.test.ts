import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { epochMs } from "../../kernel/time.ts";
import { createSpoolWriter, type SpoolLimits, type SpoolWriter } from "./spool-writer.ts";

const directory = mkdtempSync(join(tmpdir(), "spool-"));
const mounts: string[] = [];
afterAll(() => {
  for (const mount of mounts) Bun.spawnSync(["umount", "--lazy", mount]);
  rmSync(directory, { recursive: true });
});

const GENEROUS: SpoolLimits = { segmentBytes: 1 << 20, spoolBytes: 1 << 30, memoryBytes: 1 << 20 };

function open(spoolDir: string, limits: Partial<SpoolLimits> = {}) {
  const sealed: string[] = [];
  const refusals: unknown[] = [];
  const writer: SpoolWriter = createSpoolWriter({
    spoolDir,
    limits: { ...GENEROUS, ...limits },
    now: () => epochMs(1_763_900_000_000),
    onSealed: ({ name }) => sealed.push(name),
    onRefused: (cause) => refusals.push(cause),
    onDropped: () => undefined,
  });
  return { writer, sealed, refusals };
}

const linesIn = (spoolDir: string): string[] =>
  readdirSync(spoolDir)
    .filter((name) => name.endsWith(".spool"))
    .sort()
    .flatMap((name) => readFileSync(join(spoolDir, name), "utf8").split("\n"))
    .filter((line) => line !== "");

/** A disk of `sizeBytes`; null where mounting is not allowed. */
function smallDisk(sizeBytes: number): string | null {
  const mount = mkdtempSync(join(directory, "disk-"));
  const { exitCode } = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", `size=${sizeBytes}`, "tmpfs", mount]);
  if (exitCode !== 0) return null;
  mounts.push(mount);
  return mount;
}

const canMount = process.geteuid?.() === 0 && smallDisk(4096) !== null;

test("has a line on its way to the disk when append returns, in a file for the owner alone", () => {
  const spool = mkdtempSync(join(directory, "s-"));
  const { writer } = open(spool);
  const before = process.umask(0);
  writer.append("one\n");
  process.umask(before);
  const [name] = readdirSync(spool);
  expect(readFileSync(join(spool, name ?? ""), "utf8")).toBe("one\n");
  expect(statSync(join(spool, name ?? "")).mode & 0o777).toBe(0o600);
  expect(writer.current()).toEqual({ name: name ?? "", bytes: 4 });
});

test("begins another segment when one is full, and loses no line", async () => {
  const spool = mkdtempSync(join(directory, "s-"));
  const { writer, sealed } = open(spool, { segmentBytes: 100 });
  const lines = Array.from({ length: 50 }, (_, at) => `line ${at}`);
  for (const line of lines) writer.append(`${line}\n`);
  await writer.seal();
  expect(sealed.length).toBe(readdirSync(spool).length);
  expect(sealed.length).toBeGreaterThan(3);
  expect(linesIn(spool)).toEqual(lines);
});

test("drops and counts what goes beyond the bound of the spool, and accepts again when segments are gone", () => {
  const spool = mkdtempSync(join(directory, "s-"));
  const { writer } = open(spool, { spoolBytes: 12 });
  for (const line of ["one", "two", "three", "four"]) writer.append(`${line}\n`);
  expect([linesIn(spool), writer.droppedLines(), writer.spoolBytes()]).toEqual([["one", "two"], 2, 8]);
  writer.hold(-8);
  writer.append("five\n");
  expect(linesIn(spool)).toEqual(["one", "two", "five"]);
});

test("keeps lines in memory while the directory is away, bounded, and writes them in order later", () => {
  const spool = join(directory, "away");
  const { writer, refusals } = open(spool, { memoryBytes: 12 });
  for (const line of ["one", "two", "three", "four"]) writer.append(`${line}\n`);
  expect([writer.waitingLines(), writer.droppedLines(), refusals.length]).toEqual([2, 2, 1]);
  expect(writer.drain()).toBe(false);
  Bun.spawnSync(["mkdir", spool]);
  expect(writer.drain()).toBe(true);
  writer.append("five\n");
  expect(linesIn(spool)).toEqual(["one", "two", "five"]);
});

test.skipIf(!canMount)("survives a full disk without losing, tearing or doubling a line (needs mount, as root)", () => {
  const disk = smallDisk(64 * 1024) ?? "";
  const ballast = join(disk, "ballast");
  writeFileSync(ballast, Buffer.alloc(32 * 1024));
  const { writer, refusals } = open(disk);
  const lines = Array.from({ length: 1000 }, (_, at) => `${at}:${"x".repeat(97 - String(at).length)}e`);
  for (const line of lines) writer.append(`${line}\n`);
  expect(writer.waitingLines()).toBeGreaterThan(500);
  expect(writer.droppedLines()).toBe(0);
  expect(refusals.length).toBeGreaterThan(0);
  for (let round = 0; round < 20; round += 1) writer.drain();
  expect(readdirSync(disk).length).toBeLessThan(6);

  unlinkSync(ballast);
  Bun.spawnSync(["mount", "-o", "remount,size=1048576", disk]);
  while (!writer.drain());
  const whole = linesIn(disk).filter((line) => line.length === lines[0]?.length && line.endsWith("e"));
  expect(whole).toEqual(lines);
});

test.skipIf(!canMount)("waits for a disk that became read-only (needs mount, as root)", () => {
  const disk = smallDisk(64 * 1024) ?? "";
  Bun.spawnSync(["mount", "-o", "remount,ro", disk]);
  const { writer } = open(disk);
  writer.append("one\n");
  expect([writer.waitingLines(), writer.drain()]).toEqual([1, false]);
  Bun.spawnSync(["mount", "-o", "remount,rw", disk]);
  expect(writer.drain()).toBe(true);
  expect(linesIn(disk)).toEqual(["one"]);
});
