import { connect, createServer, type Socket } from "node:net";

/** A wire between a client and the gateway that passes every byte on and keeps what the client sent. */
export interface WireTap {
  readonly url: string;
  /** Every byte from clients, connection after connection. */
  sent(): Buffer;
  stop(): void;
}

export async function tapWire(gatewayUrl: string): Promise<WireTap> {
  const { hostname, port } = new URL(gatewayUrl);
  const connections: Buffer[][] = [];
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const chunks: Buffer[] = [];
    connections.push(chunks);
    const gateway = connect(Number(port), hostname);
    for (const socket of [client, gateway]) {
      sockets.add(socket);
      // Either side may leave at any time; the other one is told by the end of its own connection.
      socket.on("error", () => socket.destroy());
      socket.on("close", () => sockets.delete(socket));
    }
    client.on("data", (chunk: Buffer) => chunks.push(chunk));
    client.pipe(gateway).pipe(client);
  });
  const { promise: listening, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await listening;
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("Cannot tap the wire: there is no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    sent: () => Buffer.concat(connections.flat()),
    stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
