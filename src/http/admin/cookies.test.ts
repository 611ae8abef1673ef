import { expect, test } from "bun:test";
import {
  deviceCookie,
  endedCookie,
  MAX_COOKIE_BYTES,
  preSessionCookie,
  readCookies,
  sessionCookie,
} from "./cookies.ts";

const KINDS = [
  ["sid", sessionCookie, ""],
  ["pre", preSessionCookie, "; Max-Age=300"],
  ["dev", deviceCookie, "; Max-Age=15552000"],
] as const;

test.each(KINDS)("T-4.01 the attributes of the cookie %s over TLS are exactly these", (kind, make, age) => {
  expect(make("v", true)).toBe(`__Host-bccf_${kind}=v; Path=/; Secure; HttpOnly; SameSite=Strict${age}`);
});

test.each(KINDS)("T-4.01 on plain HTTP the cookie %s has all of it but what needs TLS", (kind, make, age) => {
  expect(make("v", false)).toBe(`bccf_${kind}=v; Path=/; HttpOnly; SameSite=Strict${age}`);
});

test("T-4.01 a cookie that ends has the attributes of the one that it ends", () => {
  expect(endedCookie("session", true)).toBe("__Host-bccf_sid=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0");
});

test("a cookie of plain HTTP is none over TLS, and the other way round", () => {
  expect(readCookies(["bccf_sid=a; __Host-bccf_pre=b"], true)).toEqual({
    ok: true,
    value: { session: null, preSession: "b", device: null },
  });
  expect(readCookies(["bccf_sid=a; __Host-bccf_pre=b"], false)).toEqual({
    ok: true,
    value: { session: "a", preSession: null, device: null },
  });
});

test.each([[["__Host-bccf_sid=a; __Host-bccf_sid=b"]], [["__Host-bccf_sid=a", "x=y; __Host-bccf_sid=a"]]])(
  "T-4.15 a cookie of ours that stands twice is nobody's: %j",
  (fields) => {
    expect(readCookies(fields, true)).toEqual({ ok: false, error: "repeated" });
  },
);

test("T-4.16 cookies of more than 4 KiB together are not read", () => {
  const field = `x=${"y".repeat(MAX_COOKIE_BYTES)}`;
  expect(readCookies([field], true)).toEqual({ ok: false, error: "too_long" });
  expect(readCookies([field.slice(2)], true).ok).toBe(true);
});
