import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { err } from "../kernel/result.ts";
import { takeEnvironment } from "./environment.ts";
import { readFile } from "./read-file.ts";

let directory = "";
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "config-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

describe("reading a file", () => {
  test("tells its text, mode and owner, also through a link", () => {
    const path = join(directory, "key");
    writeFileSync(path, "text");
    chmodSync(path, 0o640);
    symlinkSync(path, join(directory, "link"));
    for (const name of ["key", "link"]) {
      const file = readFile(join(directory, name));
      expect(file).toEqual({ ok: true, value: { text: "text", mode: 0o640, isOurs: true } });
    }
  });

  test("says why it cannot", () => {
    writeFileSync(join(directory, "large"), "x".repeat(1_048_577));
    expect(readFile(join(directory, "none"))).toEqual(err("absent"));
    expect(readFile(join(directory, "large", "below"))).toEqual(err("absent"));
    expect(readFile(directory)).toEqual(err("not_a_file"));
    expect(readFile(join(directory, "large"))).toEqual(err("too_large"));
  });
});

describe("the environment", () => {
  test("is copied, and its secrets leave the process's own", () => {
    process.env["REDIS_URL"] = "redis://canary";
    const env = takeEnvironment();
    expect(env["REDIS_URL"]).toBe("redis://canary");
    expect(process.env["REDIS_URL"]).toBeUndefined();
    expect(env["PATH"]).toBe(process.env["PATH"]);
  });
});
