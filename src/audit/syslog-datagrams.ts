import { createSocket } from "node:dgram";
import { isIPv6 } from "node:net";
import { codeOf } from "./file-system.ts";
import type { Sink } from "./sink.ts";
import type { Trouble } from "./trouble.ts";

/** What the operating system has not taken yet. */
const MAX_UNSENT = 10_000;

/** Syslog over UDP (RFC 5426): a datagram for each record, and no word of what became of it. */
export function createSyslogDatagrams(
  name: string,
  { host, port }: { readonly host: string; readonly port: number },
  toMessage: (line: string) => Buffer,
  trouble: Trouble,
): Sink {
  const socket = createSocket(isIPv6(host) ? "udp6" : "udp4");
  socket.unref();
  socket.on("error", (error) => trouble.tell(codeOf(error), 0));
  let unsent = 0;
  let whenSent: (() => void) | undefined;

  function sent(error: Error | null): void {
    unsent -= 1;
    if (error !== null) trouble.tell(codeOf(error), 1);
    if (unsent === 0) whenSent?.();
  }

  return {
    name,
    publish(lines) {
      const taken = lines.slice(0, MAX_UNSENT - unsent);
      if (taken.length < lines.length) trouble.tell("the system takes no more", lines.length - taken.length);
      unsent += taken.length;
      for (const line of taken) socket.send(toMessage(line), port, host, sent);
    },
    async close() {
      const { promise, resolve } = Promise.withResolvers<void>();
      whenSent = resolve;
      if (unsent > 0) await promise;
      socket.close();
    },
  };
}
