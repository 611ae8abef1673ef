import { expect, test } from "bun:test";
import { printable, renderFields, renderTable, shortInstant } from "./table.ts";

test("aligns text left and figures right, without trailing spaces", () => {
  expect(
    renderTable(
      ["NAME", "COUNT", "NOTE"],
      [
        ["a", "5", ""],
        ["longer", "1234567", "x"],
      ],
      [1],
    ),
  ).toBe(["NAME      COUNT  NOTE", "a             5", "longer  1234567  x"].join("\n"));
});

test("puts the values of fields under each other", () => {
  expect(
    renderFields([
      ["Id", "1"],
      ["Name", "work"],
    ]),
  ).toBe("Id:   1\nName: work");
});

test.each(["\u001b[31mred", "a\nb", "a\rb", "a\u0007", "a\u009b1m", "a\u202eb", "a\u2028b"])("disarms %j", (text) => {
  expect(printable(text)).toMatch(/^[\x20-\x7e]*\?[\x20-\x7e]*$/);
});

test("leaves letters of every script alone", () => {
  expect(printable("Größe 漢字 é")).toBe("Größe 漢字 é");
});

test("shortens an instant to its second", () => {
  expect(shortInstant("2026-11-23T12:00:01.123Z")).toBe("2026-11-23 12:00:01");
  expect(shortInstant(null)).toBe("-");
});
