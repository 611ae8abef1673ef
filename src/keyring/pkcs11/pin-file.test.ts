import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MasterKeyRefused } from "../keyring-error.ts";
import { withPin } from "./pin-file.ts";

const directory = mkdtempSync(join(tmpdir(), "pin-"));
afterAll(() => rmSync(directory, { recursive: true }));
let places = 0;

function place(content: string) {
  places += 1;
  const pinFile = join(directory, `${places}.pin`);
  writeFileSync(pinFile, content, { mode: 0o600 });
  return { pinFile, triedFile: join(directory, `${places}.tried`) };
}

const refuse = (): never => {
  throw new MasterKeyRefused("pin", "the file", "the token refused the PIN");
};

test.each(["1234", "1234\n", "1234\r\n"])("T-30.08 the PIN is the file without its line break (%j)", (content) => {
  const { pinFile, triedFile } = place(content);
  const given: string[] = [];
  withPin(pinFile, triedFile, (pin) => given.push(Buffer.from(pin).toString()));
  expect([given, existsSync(triedFile)]).toEqual([["1234"], false]);
});

test("T-30.08 a refused PIN is given once, and the next version of the file once more", () => {
  const { pinFile, triedFile } = place("wrong");
  let tries = 0;
  const login = (): never => {
    tries += 1;
    return refuse();
  };
  for (let start = 0; start < 3; start += 1) expect(() => withPin(pinFile, triedFile, login)).toThrow(MasterKeyRefused);
  expect(tries).toBe(1);
  expect(readFileSync(triedFile, "latin1")).not.toContain("wrong");
  expect(statSync(triedFile).mode & 0o777).toBe(0o600);
  writeFileSync(pinFile, "wrang");
  utimesSync(pinFile, 1, 1);
  expect(() => withPin(pinFile, triedFile, login)).toThrow(MasterKeyRefused);
  expect(tries).toBe(2);
});

test("T-30.08 a process that dies while the PIN is tried counts as a wrong try; a token that fails otherwise does not", () => {
  const dying = place("1234");
  withPin(dying.pinFile, dying.triedFile, () => {
    // What a kill -9 at this moment leaves behind.
    writeFileSync(`${dying.triedFile}.kept`, readFileSync(dying.triedFile));
  });
  expect(() => withPin(dying.pinFile, `${dying.triedFile}.kept`, () => undefined)).toThrow("was tried before");

  const failing = place("1234");
  const fail = (): never => {
    throw new Error("the device is busy");
  };
  expect(() => withPin(failing.pinFile, failing.triedFile, fail)).toThrow("the device is busy");
  withPin(failing.pinFile, failing.triedFile, () => undefined);
});

test.each(["", "\n", "x".repeat(256)])(
  "a file without a PIN of 1 to 255 bytes is refused before the token is asked (%#)",
  (content) => {
    const { pinFile, triedFile } = place(content);
    expect(() => withPin(pinFile, triedFile, () => undefined)).toThrow("does not hold a PIN");
  },
);
