import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";

/** What requests of Node's HTTP/1.1 and HTTP/2 servers have in common. */
export interface HttpRequest extends AsyncIterable<Buffer> {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly httpVersionMajor: number;
  readonly socket: { readonly remoteAddress?: string | undefined; readonly remotePort?: number | undefined };
}

/** What their responses have in common. */
export interface HttpResponse {
  writeHead(status: number, headers: OutgoingHttpHeaders): unknown;
  addTrailers(trailers: Readonly<Record<string, string>>): void;
  write(chunk: Uint8Array, callback: () => void): boolean;
  end(chunk?: Uint8Array): unknown;
  /** Sent whole, or not: the client is gone, or has given the request up. */
  once(event: "close", listener: () => void): unknown;
}

export type RequestListener = (request: HttpRequest, response: HttpResponse) => void;
