import { HOTP, Secret as Seed } from "otpauth";
import type { GatewayProcess } from "./gateway-process.ts";
import { connectRaw } from "./raw-http.ts";

/** One request to the admin plane, byte by byte as a client would send it. */
export type Ask = {
  readonly method?: string;
  readonly path: string;
  /** As they stand on the wire; Host and the page are added unless they are given. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
  /** An object is sent as JSON with its content type. */
  readonly body?: object | string;
  /** Who asks: their cookie, and for a change their CSRF token. */
  readonly as?: Person;
  /** "own" (the default) says what a page of the gateway says; "none" says nothing. */
  readonly page?: "own" | "none";
  /** The address to come from. Default: another one each time, so that failures of one test do not shut out the next. */
  readonly from?: string;
};

export type Told = {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly text: string;
  header(name: string): string | null;
  /** `error.code` of the admin API; null when there is none. */
  readonly code: string | null;
};

export type Person = {
  readonly name: string;
  readonly id: string;
  readonly sessionId: string;
  /** "bccf_sid=..." */
  readonly cookie: string;
  readonly csrf: string;
  readonly device: string;
  /** Null without a second factor. */
  readonly seed: string | null;
  readonly password: string;
};

export const PASSWORD = "a wall of seventeen green bottles";

let nextAddress = 1;

function anotherAddress(): string {
  nextAddress += 1;
  return `127.${10 + ((nextAddress >> 16) & 0x7f)}.${(nextAddress >> 8) & 0xff}.${1 + (nextAddress % 250)}`;
}

export function portOf({ url }: Pick<GatewayProcess, "url">): number {
  return Number(new URL(url).port);
}

export async function ask(gateway: Pick<GatewayProcess, "url">, asked: Ask): Promise<Told> {
  const { method = "GET", path, as, page = "own" } = asked;
  const port = portOf(gateway);
  const given = asked.headers ?? [];
  const has = (name: string) => given.some(([each]) => each.toLowerCase() === name);
  const body = typeof asked.body === "object" ? JSON.stringify(asked.body) : asked.body;
  const lines = [
    ...(has("host") ? [] : [["Host", `127.0.0.1:${port}`] as const]),
    ...(page === "own" && !has("sec-fetch-site") && !has("origin") ? [["Sec-Fetch-Site", "same-origin"] as const] : []),
    ...(as === undefined || has("cookie") ? [] : [["Cookie", as.cookie] as const]),
    ...(as === undefined || method === "GET" || has("x-csrf-token") ? [] : [["X-CSRF-Token", as.csrf] as const]),
    ...(typeof asked.body === "object" && !has("content-type") ? [["Content-Type", "application/json"] as const] : []),
    ...(body === undefined || has("content-length")
      ? []
      : [["Content-Length", String(Buffer.byteLength(body))] as const]),
    ...given,
  ];
  const head = `${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
  const client = await connectRaw(port, asked.from ?? anotherAddress());
  try {
    if (method === "HEAD") return await headOnly(client, head);
    await client.write(Buffer.from(head + (body ?? ""), "utf8"));
    const answer = await client.answer();
    return told(answer.status, answer.headers, answer.body.toString("utf8"));
  } finally {
    client.close();
  }
}

/** The reader waits for the body that Content-Length promises; a HEAD has none. */
async function headOnly(client: Awaited<ReturnType<typeof connectRaw>>, head: string): Promise<Told> {
  await client.write(head.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
  const answer = await client.answer();
  return told(answer.status, answer.headers, answer.body.toString("utf8"));
}

function told(status: number, headers: Told["headers"], text: string): Told {
  return {
    status,
    headers,
    text,
    header: (name) => headers.find(([each]) => each.toLowerCase() === name)?.[1] ?? null,
    get code() {
      const found = /^\{"error":\{"code":"([a-z_]+)"/.exec(text);
      return found?.[1] ?? null;
    },
  };
}

/** Status and code in one word: "403 csrf_refused". */
export function outcome({ status, code }: Told): string {
  return code === null ? String(status) : `${status} ${code}`;
}

/** The person that a sign-in answer made. */
export function personOf(answer: Told, known: { readonly password: string; readonly seed: string | null }): Person {
  const wire = JSON.parse(answer.text);
  const cookies = answer.headers.filter(([name]) => name.toLowerCase() === "set-cookie").map(([, value]) => value);
  const cookieOf = (name: string) => cookies.find((each) => each.startsWith(name))?.split(";")[0] ?? "";
  return {
    name: wire.user.name,
    id: wire.user.id,
    sessionId: wire.sessionId,
    cookie: cookieOf("bccf_sid="),
    csrf: wire.csrfToken,
    device: cookieOf("bccf_dev="),
    ...known,
  };
}

export function codeOf(seed: string, offset = 0): string {
  const counter = Math.floor(Date.now() / 30_000) + offset;
  return HOTP.generate({ secret: Seed.fromBase32(seed), counter, digits: 6, algorithm: "SHA1" });
}
