import type { gaxios } from "google-auth-library";
import { abortReason } from "../core/deadline.ts";
import { KeyServiceError } from "../core/errors.ts";
import { parseJsonObject } from "../core/json.ts";
import type { EndpointPolicy } from "./endpoint-policy.ts";
import { type RefusalContext, toRefusalError, uselessAnswer } from "./token-errors.ts";
import type { SendTokenRequest, TokenRequest } from "./token-request.ts";

export type GoogleAuthLibrary = typeof import("google-auth-library");

export interface MintDependencies {
  readonly send: SendTokenRequest;
  readonly policy: EndpointPolicy;
}

/** Google's library and the transport that it is to be given; a client is made anew for every token. */
export interface MintTools {
  readonly library: GoogleAuthLibrary;
  readonly transporter: gaxios.Gaxios;
}

/**
 * Lets google-auth-library make one token over our own transport: with our signal, our hosts, no retries (the
 * refresher retries) and our errors. The library's own errors hold whole requests, assertions included, and are
 * therefore dropped.
 *
 * @param what where the library's URL came from, for the error of a refused host
 * @throws KeyServiceError any credential code, or the signal's reason
 */
export async function mintWithLibrary<T>(
  dependencies: MintDependencies,
  context: RefusalContext,
  what: string,
  signal: AbortSignal,
  mint: (tools: MintTools) => Promise<T>,
): Promise<T> {
  // Imported when the first token is made: it costs 100 ms that no start has to wait for.
  const library = await import("google-auth-library");
  let failure: KeyServiceError | undefined;
  const transporter = new library.gaxios.Gaxios({
    // It would make an agent for HTTPS_PROXY that our transport has no use for.
    noProxy: [/^/],
    fetchImplementation: async (input, init) => {
      try {
        return await fetchOnce(dependencies, context, what, signal, input, init);
      } catch (error) {
        failure = error instanceof KeyServiceError ? error : undefined;
        throw error;
      }
    },
  });
  transporter.interceptors.request.add({
    resolved: async (config) => {
      // The library asks for retries request by request; only here can they be taken back.
      config.retry = false;
      delete config.retryConfig;
      return config;
    },
  });
  try {
    return await mint({ library, transporter });
  } catch (thrown) {
    if (failure !== undefined) throw failure;
    if (signal.aborted) throw abortReason(signal);
    if (thrown instanceof KeyServiceError) throw thrown;
    throw unforeseen(context.source, thrown);
  }
}

async function fetchOnce(
  { send, policy }: MintDependencies,
  context: RefusalContext,
  what: string,
  signal: AbortSignal,
  input: Parameters<typeof fetch>[0],
  init: Parameters<typeof fetch>[1],
): Promise<Response> {
  const url = policy(new URL(input instanceof Request ? input.url : input), what);
  const response = await send(toTokenRequest(url, init), signal);
  if (response.status < 200 || response.status >= 300) throw toRefusalError(response, url.host, context);
  // The library takes whatever comes for an answer, and then stumbles over it.
  if (parseJsonObject(response.text) === undefined) throw uselessAnswer(url.host, context.source);
  return new Response(response.text, {
    headers: { "content-type": response.headers.get("content-type") ?? "application/json" },
  });
}

function toTokenRequest(url: URL, init: RequestInit | undefined): TokenRequest {
  const headers: Record<string, string> = { accept: "application/json" };
  new Headers(init?.headers).forEach((value, name) => {
    headers[name] = value;
  });
  const { body } = init ?? {};
  if (body instanceof URLSearchParams) headers["content-type"] = "application/x-www-form-urlencoded;charset=UTF-8";
  const text = typeof body === "string" ? body : body instanceof URLSearchParams ? body.toString() : undefined;
  return {
    method: init?.method === "POST" ? "POST" : "GET",
    url,
    headers,
    ...(text === undefined ? {} : { body: text }),
  };
}

function unforeseen(source: string, thrown: unknown): KeyServiceError {
  const kind = thrown instanceof Error ? thrown.constructor.name : typeof thrown;
  return new KeyServiceError("credential_rejected", {
    source,
    problem: `google-auth-library could not make a token from this credential (${kind})`,
    remedy: "check the credential of this token source",
  });
}
