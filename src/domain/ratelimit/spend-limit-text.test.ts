import { expect, test } from "bun:test";
import { regainsAccessAt, saysSpendLimit } from "./spend-limit-text.ts";

test.each([
  "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.",
  "You have reached your specified workspace API usage limits.",
  "you have reached your specified api usage limit",
  "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing.",
])("hears a spend limit in %p", (message) => {
  expect(saysSpendLimit(message)).toBe(true);
});

test.each([
  null,
  "",
  "prompt is too long: 210000 tokens > 200000 maximum",
  "messages: usage limits are described here",
])("hears none in %p", (message) => {
  expect(saysSpendLimit(message)).toBe(false);
});

test.each([
  ["You will regain access on 2026-12-01 at 00:00 UTC.", "2026-12-01T00:00:00Z"],
  ["You will regain access on 2026-12-01 at 13:45 UTC.", "2026-12-01T13:45:00Z"],
  ["You will regain access on 2026-12-01T13:45:10Z.", "2026-12-01T13:45:10Z"],
  ["You will regain access on 2026-12-01.", "2026-12-01T00:00:00Z"],
])("reads the date in %p", (message, expected) => {
  expect(Number(regainsAccessAt(message))).toBe(Date.parse(expected));
});

test.each([null, "", "You will regain access soon.", "You will regain access on 2026-02-31 at 00:00 UTC."])(
  "finds no date in %p",
  (message) => {
    expect(regainsAccessAt(message)).toBeNull();
  },
);
