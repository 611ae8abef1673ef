import { connectRaw, type RawAnswer } from "./raw-http.ts";

/** What one answer showed: enough to look for what must not be in it. */
export type Shown = { readonly status: number; readonly head: string; readonly body: string };

/** Credentials and words that go in, and never come out. */
export const CANARIES = {
  wrongKey: ["bccf", "sk", "CANARYwrongwrongwrongwrongwrongwrong"].join("_"),
  providerKey: ["sk", "ant", "api03", "CANARYprovider0123456789"].join("-"),
  header: "CANARYheader",
  query: "CANARYquery",
  body: "CANARYbody",
} as const;

const MESSAGE = `{"model":"claude-sonnet-5-5","max_tokens":8,"messages":[{"role":"user","content":"${CANARIES.body}"}]}`;

export type Request = {
  readonly method?: string;
  readonly target?: string;
  readonly version?: string;
  readonly host?: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: string;
};

export function headOf({
  method = "POST",
  target = "/v1/messages",
  version = "HTTP/1.1",
  host = "gateway",
  headers = [],
  body,
}: Request): string {
  const length = body === undefined ? [] : [`content-length: ${Buffer.byteLength(body)}`];
  const fields = [
    `host: ${host}`,
    `x-canary: ${CANARIES.header}`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
    ...length,
  ];
  return [`${method} ${target} ${version}`, ...fields, "", body ?? ""].join("\r\n");
}

export async function sendRaw(port: number, text: string): Promise<Shown> {
  const client = await connectRaw(port);
  try {
    await client.write(text);
    return shownOf(await client.answer());
  } finally {
    client.close();
  }
}

export function shownOf({ status, headers, body }: RawAnswer): Shown {
  return { status, head: headers.map(([name, value]) => `${name}: ${value}`).join("\n"), body: body.toString("utf8") };
}

const jsonType = ["content-type", "application/json"] as const;

/** One request is enough for each of these. By the code that must come back. */
export function singleRequests(key: string): Readonly<Record<string, string>> {
  const withKey = (request: Request = {}) =>
    headOf({ body: MESSAGE, ...request, headers: [["x-api-key", key], jsonType, ...(request.headers ?? [])] });
  return {
    GW_BAD_REQUEST: headOf({ headers: [["bad name", CANARIES.header]], method: "GET" }),
    GW_TARGET_TOO_LONG: headOf({ method: "GET", target: `/v1/${CANARIES.query}${"x".repeat(9_000)}` }),
    GW_EXPECT: withKey({ headers: [["expect", CANARIES.header]] }),
    GW_HEAD_TOO_LARGE: headOf({ method: "GET", headers: [["x-long", CANARIES.header.repeat(2_000)]] }),
    GW_HTTP_VERSION: headOf({ method: "GET", version: "HTTP/3.0" }),
    GW_HOST: headOf({ method: "GET", target: "/", host: "canary.example" }),
    GW_BAD_FORWARDED: headOf({ method: "GET", headers: [["x-forwarded-for", CANARIES.header]] }),
    GW_ADDRESS: headOf({ method: "GET", headers: [["x-forwarded-for", "203.0.113.9"]] }),
    GW_ORIGIN: withKey({ headers: [["origin", "https://canary.example"]] }),
    GW_NO_KEY: headOf({ headers: [jsonType], body: MESSAGE }),
    GW_BAD_KEY: headOf({ headers: [["x-api-key", CANARIES.wrongKey], jsonType], body: MESSAGE }),
    GW_PROVIDER_CREDENTIAL: headOf({ headers: [["x-api-key", CANARIES.providerKey], jsonType], body: MESSAGE }),
    GW_TWO_KEYS: withKey({ headers: [["authorization", `Bearer ${CANARIES.wrongKey}`]] }),
    GW_QUERY_CREDENTIAL: withKey({ target: `/v1/messages?api_key=${CANARIES.query}` }),
    GW_UNKNOWN_PATH: withKey({ target: `/v1/../${CANARIES.query}` }),
    GW_UNKNOWN_MODEL: headOf({ method: "GET", target: "/v1/models/claude-none", headers: [["x-api-key", key]] }),
    GW_METHOD: withKey({ method: "DELETE" }),
    GW_BODY_TOO_LARGE: withKey({ body: MESSAGE + " ".repeat(3_000) }),
    GW_BODY_ENCODED: withKey({ headers: [["content-encoding", "gzip"]] }),
    GW_BODY_NOT_JSON: withKey({ body: `{"model": ${CANARIES.body}` }),
    GW_DUPLICATE_MODEL: withKey({ body: `{"model":"a","model":"${CANARIES.body}"}` }),
    GW_NO_ACCOUNT: withKey(),
  };
}

export function messageWith(key: string, stream = false): string {
  const body = stream ? MESSAGE.replace("{", '{"stream":true,') : MESSAGE;
  return headOf({ headers: [["x-api-key", key], jsonType], body });
}
