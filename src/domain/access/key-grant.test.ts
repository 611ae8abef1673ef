import { expect, test } from "bun:test";
import { type IpNetwork, parseIpNetwork, parsePeerAddress } from "./ip-address.ts";
import { isAddressAllowed, isModelAllowed, OPEN_GRANT } from "./key-grant.ts";

function networks(...texts: readonly string[]): readonly IpNetwork[] {
  return texts.map((text) => {
    const network = parseIpNetwork(text);
    if (!network.ok) throw new Error(`Cannot test with ${text}: ${network.error}`);
    return network.value;
  });
}

test.each([
  { models: null, model: null, isAllowed: true },
  { models: null, model: "claude-a", isAllowed: true },
  { models: ["claude-a"], model: "claude-a", isAllowed: true },
  { models: ["claude-a"], model: "claude-a-20260101", isAllowed: false },
  { models: ["claude-a"], model: "CLAUDE-A", isAllowed: false },
  { models: ["claude-a*"], model: "claude-a-20260101", isAllowed: true },
  { models: ["claude-a*"], model: "claude-b", isAllowed: false },
  { models: ["x", "claude-b"], model: "claude-b", isAllowed: true },
  { models: ["*"], model: "anything", isAllowed: true },
  { models: ["*"], model: null, isAllowed: false },
  { models: [], model: "claude-a", isAllowed: false },
])("models $models, asked for $model: $isAllowed", ({ models, model, isAllowed }) => {
  expect(isModelAllowed({ ...OPEN_GRANT, models }, model)).toBe(isAllowed);
});

test.each([
  { from: "10.1.2.3", cidrs: ["10.0.0.0/8"], isAllowed: true },
  { from: "11.1.2.3", cidrs: ["10.0.0.0/8"], isAllowed: false },
  { from: "10.1.2.3", cidrs: ["10.1.2.3"], isAllowed: true },
  { from: "10.1.2.4", cidrs: ["10.1.2.3"], isAllowed: false },
  { from: "10.1.2.3", cidrs: ["10.1.2.2/31"], isAllowed: true },
  { from: "10.1.2.4", cidrs: ["10.1.2.2/31"], isAllowed: false },
  { from: "8.8.8.8", cidrs: ["0.0.0.0/0"], isAllowed: true },
  { from: "2001:db8::1", cidrs: ["0.0.0.0/0"], isAllowed: false },
  { from: "8.8.8.8", cidrs: ["::/0"], isAllowed: false },
  { from: "2001:db8::1", cidrs: ["::/0"], isAllowed: true },
  { from: "::ffff:10.1.2.3", cidrs: ["10.0.0.0/8"], isAllowed: true },
  { from: "10.1.2.3", cidrs: ["::ffff:10.0.0.0/104"], isAllowed: true },
  { from: "2001:db8:0:1::5", cidrs: ["2001:db8:0:1::/64"], isAllowed: true },
  { from: "2001:db8:0:2::5", cidrs: ["2001:db8:0:1::/64"], isAllowed: false },
  { from: "2001:db8:0:2::5", cidrs: ["10.0.0.0/8", "2001:db8::/33"], isAllowed: true },
  { from: "fe80::1%eth0", cidrs: ["fe80::/10"], isAllowed: true },
])("T-2.13 $from with $cidrs: $isAllowed", ({ from, cidrs, isAllowed }) => {
  expect(isAddressAllowed({ ...OPEN_GRANT, networks: networks(...cidrs) }, parsePeerAddress(from))).toBe(isAllowed);
});

test("T-2.13 who is not known is nobody, unless anybody may come", () => {
  expect(isAddressAllowed(OPEN_GRANT, null)).toBe(true);
  expect(isAddressAllowed({ ...OPEN_GRANT, networks: networks("0.0.0.0/0", "::/0") }, null)).toBe(false);
});

test.each([
  ["10.0.0.1/8", "host_bits"],
  ["2001:db8::1/64", "host_bits"],
  ["2001:db8::/28", "host_bits"],
  ["10.0.0.0/33", "no_network"],
  ["::/129", "no_network"],
  ["10.0.0.0/", "no_network"],
  ["10.0.0.0/08", "no_network"],
  ["10.0.0.0/-1", "no_network"],
  ["10.0.0.0/8/8", "no_network"],
  ["10.0.0/8", "no_network"],
  ["010.0.0.0/8", "no_network"],
  ["::ffff:0:0/95", "host_bits"],
  ["fe80::1%eth0", "no_network"],
  ["localhost", "no_network"],
  ["", "no_network"],
  ["/8", "no_network"],
] as const)("%j is no range: %s", (text, problem) => {
  expect(parseIpNetwork(text)).toEqual({ ok: false, error: problem });
});
