import type { HttpRequest, HttpResponse } from "./http.ts";
import { googleRefusal } from "./refusals.ts";
import type { EmulatorRequest, Reply } from "./routes.ts";

/** How requests come and replies go. What happens in between is the same for all. */
export interface Wire {
  /** @throws Refusal where the request is not understood */
  read(message: HttpRequest, body: Buffer): EmulatorRequest;
  /** @param truncate called once half of the body has been sent; undefined: all of it is sent */
  send(reply: Reply, response: HttpResponse, truncate: (() => void) | undefined): void;
}

/** Google's REST APIs: JSON, and text where it is a proxy that speaks. */
export const restWire: Wire = {
  read(message, body) {
    const { method = "", url = "/", headers } = message;
    const [path = "/", ...query] = url.split("?");
    const host = headers.host ?? headers[":authority"];
    return {
      method,
      path: decodePath(path),
      query: new URLSearchParams(query.join("?")),
      headers: { ...headers, ...(typeof host === "string" && { host }) },
      body,
    };
  },
  send({ status, headers, body }, response, truncate) {
    const isJson = typeof body !== "string";
    const bytes = Buffer.from(isJson ? `${JSON.stringify(body)}\n` : body, "utf8");
    response.writeHead(status, {
      "Content-Type": isJson ? "application/json; charset=UTF-8" : "text/plain; charset=UTF-8",
      "Cache-Control": "no-store",
      "X-Content-Type-Options": "nosniff",
      "Content-Length": bytes.length,
      // A body that was refused half-way is still on its way: the connection cannot be used again.
      ...((truncate !== undefined || status === 413) && { Connection: "close" }),
      ...headers,
    });
    finish(response, bytes, truncate);
  },
};

/** Sends a body and the end, or half of it. */
export function finish(response: HttpResponse, bytes: Buffer, truncate: (() => void) | undefined): void {
  if (truncate === undefined) response.end(bytes);
  else response.write(bytes.subarray(0, bytes.length >> 1), truncate);
}

/** Dots are not resolved: `..` is then simply no valid id. */
function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch (error) {
    const refusal = googleRefusal("INVALID_ARGUMENT", "The path is not percent-encoded UTF-8.");
    refusal.cause = error;
    throw refusal;
  }
}
