import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  closeSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { createLineOutlet, putAll } from "./line-outlet.ts";
import { type LogFile, openLogFile } from "./log-file.ts";

const DAY_MS = 86_400_000;

let directory = "";
let path = "";
let nowMs = Date.now();
let file: LogFile | null = null;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "log-file-"));
  path = join(directory, "gateway.log");
  nowMs = Date.now();
});

afterEach(async () => {
  await file?.close();
  file = null;
  rmSync(directory, { recursive: true, force: true });
});

function open(maxBytes = 1_000, keepFiles = 10): LogFile {
  file = openLogFile({ path, maxBytes, keepFiles, maxAgeMs: 14 * DAY_MS, nowMs: () => nowMs });
  return file;
}

const lineOf = (text: string) => Buffer.from(`${text.padEnd(99, ".")}\n`);
const modeOf = (name: string) => (statSync(join(directory, name)).mode & 0o777).toString(8);
const packed = (number: number) => gunzipSync(readFileSync(`${path}.${number}.gz`)).toString();

describe("T-23.07 rotation", () => {
  test("puts the file away before it grows beyond its size, keeps ten, all of them 0600 and sound gzip", async () => {
    const log = open();
    for (let at = 0; at < 140; at += 1) await log.put(lineOf(`line ${at}`));
    await log.close();
    file = null;
    const names = readdirSync(directory).toSorted();
    expect(names).toEqual(
      ["gateway.log", ...Array.from({ length: 10 }, (_, at) => `gateway.log.${at + 1}.gz`)].toSorted(),
    );
    expect(new Set(names.map(modeOf))).toEqual(new Set(["600"]));
    expect(readFileSync(path, "utf8")).toStartWith("line 130.");
    expect(packed(1)).toStartWith("line 120.");
    expect(packed(10)).toStartWith("line 30.");
    for (let number = 1; number <= 10; number += 1) expect(packed(number)).toHaveLength(1_000);
  });

  test("at 50 MiB, not a byte later", async () => {
    const size = 50 * 1024 * 1024;
    writeFileSync(path, Buffer.alloc(size - 100, "x"), { mode: 0o600 });
    const log = open(size);
    await log.put(lineOf("fits"));
    expect(statSync(path).size).toBe(size);
    await log.put(lineOf("next"));
    expect(statSync(path).size).toBe(100);
    await log.close();
    file = null;
    expect(gunzipSync(readFileSync(`${path}.1.gz`))).toHaveLength(size);
  }, 30_000);

  test("a symbolic link, a second name and a pipe in its place are refused, and what they name is left alone", () => {
    const target = join(directory, "target");
    writeFileSync(target, "mine");
    symlinkSync(target, path);
    expect(() => open()).toThrow(/ELOOP|symbolic/);
    rmSync(path);
    linkSync(target, path);
    expect(() => open()).toThrow("not a regular file with one name");
    rmSync(path);
    Bun.spawnSync(["mkfifo", path]);
    expect(() => open()).toThrow();
    expect(readFileSync(target, "utf8")).toBe("mine");
  });

  test("links under the names of rotated files are replaced, never followed", async () => {
    const target = join(directory, "target");
    writeFileSync(target, "mine");
    for (const name of ["1", "1.gz", "1.gz.part", "2.gz"]) symlinkSync(target, `${path}.${name}`);
    const log = open();
    for (let at = 0; at < 35; at += 1) await log.put(lineOf(`line ${at}`));
    await log.close();
    file = null;
    expect(readFileSync(target, "utf8")).toBe("mine");
    expect(packed(1)).toStartWith("line 20.");
  });

  test("a file that others could read is closed to them", async () => {
    writeFileSync(path, "", { mode: 0o644 });
    await open().put(lineOf("x"));
    expect(modeOf("gateway.log")).toBe("600");
  });

  test("copytruncate of logrotate loses no later line, and the size counts from there", async () => {
    const log = open();
    for (let at = 0; at < 9; at += 1) await log.put(lineOf(`before ${at}`));
    copyFileSync(path, join(directory, "copy"));
    truncateSync(path);
    for (let at = 0; at < 9; at += 1) await log.put(lineOf(`after ${at}`));
    expect(readFileSync(path, "utf8")).toStartWith("after 0.");
    expect(statSync(path).size).toBe(900);
    expect(existsSync(`${path}.1.gz`)).toBe(false);
  });

  test("a file that was moved away is written on until it is opened anew", async () => {
    const log = open();
    await log.put(lineOf("one"));
    renameSync(path, `${path}.moved`);
    await log.put(lineOf("two"));
    log.reopen();
    await log.put(lineOf("three"));
    expect(readFileSync(`${path}.moved`, "utf8")).toContain("two");
    expect(readFileSync(path, "utf8")).toStartWith("three");
  });

  test("a file that was deleted is made again by itself", async () => {
    const log = open();
    await log.put(lineOf("one"));
    rmSync(path);
    await log.put(lineOf("two"));
    expect(readFileSync(path, "utf8")).toStartWith("two");
  });

  test("no line is kept longer than its days", async () => {
    const log = open();
    for (let at = 0; at < 25; at += 1) await log.put(lineOf(`line ${at}`));
    await log.tidy();
    const old = (nowMs - 13 * DAY_MS) / 1000;
    utimesSync(`${path}.2.gz`, old, old);
    await log.tidy();
    expect(existsSync(`${path}.2.gz`)).toBe(false);
    // The current file is put away by age too, so that a quiet gateway keeps nothing for years.
    nowMs += 2 * DAY_MS;
    await log.tidy();
    expect(statSync(path).size).toBe(0);
    nowMs += 14 * DAY_MS;
    await log.tidy();
    expect(readdirSync(directory)).toEqual(["gateway.log"]);
  });

  test("what an earlier process left unpacked is packed at the start", async () => {
    writeFileSync(`${path}.1`, "left\n", { mode: 0o600 });
    await open().close();
    file = null;
    expect(packed(1)).toBe("left\n");
    expect(existsSync(`${path}.1`)).toBe(false);
  });
});

describe("an outlet", () => {
  test("T-23.08 a full disk drops lines, counts them and goes on", async () => {
    const full = openSync("/dev/full", "w");
    let isFull = true;
    const log = open(1_000_000);
    const outlet = createLineOutlet((bytes) => (isFull ? putAll(full, bytes) : log.put(bytes)));
    for (let at = 0; at < 3; at += 1) {
      outlet.write("lost\n");
      expect(await outlet.flush(1_000)).toBe(true);
    }
    expect(outlet.droppedLines()).toBe(3);
    isFull = false;
    outlet.write("kept\n");
    await outlet.flush(1_000);
    expect(outlet.droppedLines()).toBe(3);
    expect(readFileSync(path, "utf8")).toBe("kept\n");
    closeSync(full);
  });

  test("T-23.10 a reader that does not read costs lines beyond the bound, and no time", async () => {
    let release = (): void => undefined;
    const stuck = new Promise<void>((resolve) => {
      release = resolve;
    });
    const written: string[] = [];
    const outlet = createLineOutlet(async (bytes) => {
      await stuck;
      written.push(Buffer.from(bytes).toString());
    }, 1_000);
    const startMs = performance.now();
    for (let at = 0; at < 10_000; at += 1) outlet.write(`line ${at}\n`.padEnd(100));
    expect(performance.now() - startMs).toBeLessThan(1_000);
    expect(outlet.droppedLines()).toBe(9_990);
    expect(await outlet.flush(20)).toBe(false);
    release();
    expect(await outlet.flush(1_000)).toBe(true);
    expect(written.join("")).toContain("line 9\n");
    outlet.write("again\n");
    expect(await outlet.flush(1_000)).toBe(true);
    expect(outlet.droppedLines()).toBe(9_990);
  });

  test("writes in order, whatever the batches", async () => {
    const log = open(100_000_000);
    const outlet = createLineOutlet((bytes) => log.put(bytes));
    const lines = Array.from({ length: 5_000 }, (_, at) => `line ${at} ${"x".repeat(at % 200)}\n`);
    for (const line of lines) outlet.write(line);
    await outlet.flush(5_000);
    expect(readFileSync(path, "utf8")).toBe(lines.join(""));
  });
});
