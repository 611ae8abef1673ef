import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, waitForAnswer } from "./loopback-port.ts";
import { descriptorLimit } from "./process-cost.ts";
import type { Spawned, Yard } from "./spawned.ts";
import { SYSTEM_CORE } from "./spawned.ts";

const READY_WAIT_MS = 5_000;
const MAX_CONNECTIONS = 32_768;

/** One worker that does nothing but `proxy_pass`, with keep-alive on both sides. */
export type Nginx = {
  readonly process: Spawned;
  /** Buffers answers: the default, and the cheapest for JSON. */
  readonly plainPort: number;
  /** Passes every read on at once, as event streams need it. */
  readonly streamPort: number;
};

export async function startNginx(yard: Yard, upstreamPort: number): Promise<Nginx> {
  const dir = yard.folder("nginx");
  for (const name of ["body", "proxy", "fastcgi", "uwsgi", "scgi"]) mkdirSync(join(dir, name));
  const [plainPort, streamPort] = [freePort(), freePort()];
  const configPath = join(dir, "nginx.conf");
  writeFileSync(configPath, nginxConfig({ dir, upstreamPort, plainPort, streamPort }));
  const argv = ["nginx", "-c", configPath, "-p", dir, "-e", join(dir, "error.log")];
  const process = yard.spawn({ name: "nginx", argv, core: SYSTEM_CORE });
  await waitForAnswer(`http://127.0.0.1:${plainPort}/v1/models`, READY_WAIT_MS);
  return { process, plainPort, streamPort };
}

type ConfigValues = {
  readonly dir: string;
  readonly upstreamPort: number;
  readonly plainPort: number;
  readonly streamPort: number;
};

/**
 * `client_body_buffer_size` holds a 100 KB body in memory, as the gateway does. With the default of 16 KB nginx would
 * write it to a file first.
 */
function nginxConfig({ dir, upstreamPort, plainPort, streamPort }: ConfigValues): string {
  const files = Math.min(descriptorLimit(), 65_535);
  return `
daemon off;
worker_processes 1;
worker_rlimit_nofile ${files};
pid ${join(dir, "nginx.pid")};
error_log ${join(dir, "error.log")} error;
events { worker_connections ${MAX_CONNECTIONS}; }
http {
  access_log off;
  client_body_temp_path ${join(dir, "body")};
  proxy_temp_path ${join(dir, "proxy")};
  fastcgi_temp_path ${join(dir, "fastcgi")};
  uwsgi_temp_path ${join(dir, "uwsgi")};
  scgi_temp_path ${join(dir, "scgi")};
  client_max_body_size 40m;
  client_body_buffer_size 128k;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  upstream peer {
    server 127.0.0.1:${upstreamPort};
    keepalive 128;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
  }
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_read_timeout 600s;
  server {
    listen 127.0.0.1:${plainPort} backlog=4096;
    location / { proxy_pass http://peer; }
  }
  server {
    listen 127.0.0.1:${streamPort} backlog=4096;
    location / { proxy_pass http://peer; proxy_buffering off; }
  }
}
`;
}
