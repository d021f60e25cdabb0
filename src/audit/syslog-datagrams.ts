import { createSocket } from "node:dgram";
import { isIPv6, type LookupFunction } from "node:net";
import type { Clock } from "../core/clock.ts";
import { atMost } from "../core/deadline.ts";
import { joinedLookup } from "../network/joined-lookup.ts";
import { codeOf } from "./file-system.ts";
import { CLOSE_TIMEOUT_MS, type Sink } from "./sink.ts";
import type { Trouble } from "./trouble.ts";

/** What the operating system has not taken yet. */
const MAX_UNSENT = 10_000;

export interface SyslogDatagramsOptions {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly toMessage: (line: string) => Buffer;
  readonly trouble: Trouble;
  readonly clock: Clock;
  readonly lookup?: LookupFunction;
}

/** Syslog over UDP (RFC 5426): a datagram for each record, and no word of what became of it. */
export function createSyslogDatagrams(options: SyslogDatagramsOptions): Sink {
  const { name, host, port, toMessage, trouble, clock, lookup = joinedLookup } = options;
  const family = isIPv6(host) ? 6 : 4;
  const socket = createSocket({
    type: `udp${family}`,
    // Else each datagram has the name looked up by itself, and a name server that is silent holds up every other look-up.
    lookup: (hostname, _family, callback) =>
      lookup(hostname, { family }, (error, address) => callback(error, String(address), family)),
  });
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
      if (unsent > 0) await atMost(clock, CLOSE_TIMEOUT_MS, promise);
      socket.close();
    },
  };
}
