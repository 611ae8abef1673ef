/** An upstream that counts who comes and says nothing but 404. */
export interface SilentUpstream {
  readonly url: string;
  readonly connections: number;
  /** Counts from zero again. */
  forget(): void;
  stop(): void;
}

const ANSWER = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

export async function startSilentUpstream(): Promise<SilentUpstream> {
  let connections = 0;
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open() {
        connections += 1;
      },
      data: (socket) => void socket.end(ANSWER),
    },
  });
  return {
    url: `http://127.0.0.1:${listener.port}`,
    get connections() {
      return connections;
    },
    forget() {
      connections = 0;
    },
    stop: () => listener.stop(true),
  };
}
