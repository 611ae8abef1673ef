import type { Refusal } from "../../gateway/refusal.ts";
import { HEAD_MS } from "./connection-limits.ts";

export const INTERNAL: Refusal = {
  code: "GW_INTERNAL",
  message: "Cannot serve the request: the gateway failed",
};

export const HEAD_TOO_SLOW: Refusal = {
  code: "GW_HEAD_TOO_SLOW",
  message: `Cannot read the request: its head did not arrive within ${HEAD_MS / 1_000} seconds`,
};

export const TOO_MANY_CONNECTIONS: Refusal = {
  code: "GW_CONNECTIONS",
  message: "Cannot accept the connection now: the gateway holds as many as it may",
  retryAfterSeconds: 1,
};

export const UNKNOWN_CERTIFICATE: Refusal = {
  code: "GW_CLIENT_CERTIFICATE",
  message:
    "Cannot serve the connection: no name of the client's certificate is in tls.clientNames, or more than one is",
};
