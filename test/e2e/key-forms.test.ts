import { afterAll, beforeAll, expect, test } from "bun:test";
import { type GatewayProcess, startGateway } from "./gateway-process.ts";
import { connectRaw } from "./raw-http.ts";

let gateway: GatewayProcess;
let key: string;

beforeAll(async () => {
  gateway = await startGateway();
  ({ key } = await gateway.createKey("laptop"));
});

afterAll(async () => {
  await gateway.stop();
});

async function statusFor(headers: string): Promise<number> {
  const client = await connectRaw(Number(new URL(gateway.url).port));
  // The server may close before it has read a mebibyte: its answer is what counts.
  await client
    .write(Buffer.from(`GET /v1/models HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n\r\n`, "utf8"))
    .catch(() => 0);
  const { status } = await client.answer();
  client.close();
  return status;
}

test.each<{ name: string; header: (key: string) => string; status: number }>([
  { name: "the key itself", header: (text) => `x-api-key: ${text}`, status: 200 },
  { name: "the scheme in any case", header: (text) => `authorization: bEaReR ${text}`, status: 200 },
  {
    name: "blanks around the value, which are no part of it",
    header: (text) => `x-api-key:  \t${text} \t`,
    status: 200,
  },
  { name: "a mebibyte", header: () => `x-api-key: ${"x".repeat(1_048_576)}`, status: 431 },
  { name: "a NUL behind it", header: (text) => `x-api-key: ${text}\0`, status: 400 },
  { name: "a NUL inside", header: (text) => `x-api-key: ${text.slice(0, 20)}\0${text.slice(21)}`, status: 400 },
  { name: "a space inside", header: (text) => `x-api-key: ${text.slice(0, 20)} ${text.slice(21)}`, status: 401 },
  { name: "something behind it", header: (text) => `x-api-key: ${text} x`, status: 401 },
  { name: "a Cyrillic letter", header: (text) => `x-api-key: ${text.slice(0, -1)}а`, status: 400 },
  { name: "another case", header: (text) => `x-api-key: ${text.toUpperCase()}`, status: 401 },
  { name: "another scheme", header: (text) => `authorization: Basic ${text}`, status: 401 },
  { name: "no blank behind the scheme", header: (text) => `authorization: Bearer${text}`, status: 401 },
  { name: "nothing", header: () => "x-api-key:", status: 401 },
])("T-2.18 a key as $name: $status", async ({ header, status }) => {
  expect(await statusFor(header(key))).toBe(status);
});
