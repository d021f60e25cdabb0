import { readFile } from "node:fs/promises";
import { getCACertificates } from "node:tls";
import type { Agent, ProxyAgent } from "undici";
import type { HttpProxy } from "../config/proxy.ts";
import { abortReason } from "../core/deadline.ts";
import { KeyServiceError } from "../core/errors.ts";
import type { Secret } from "../core/secret.ts";
import { type ChooseProxy, chooseNone } from "../network/choose-proxy.ts";
import { joinedLookup } from "../network/joined-lookup.ts";
import { describeProxyFailure } from "../network/proxy-failure.ts";

export interface TokenRequest {
  readonly method: "GET" | "POST" | "PUT";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Shown to a server that asks for one; such a request has a connection of its own. */
  readonly clientCertificate?: ClientCertificate;
  /** How long the server may say nothing, in milliseconds; {@link SILENCE_TIMEOUT_MS} unless given. */
  readonly silenceMs?: number;
}

/** PEM. */
export interface ClientCertificate {
  readonly certificate: string;
  readonly privateKey: Secret;
}

export interface TokenResponse {
  readonly status: number;
  /** Names in lower case; of a repeated header the first. */
  readonly headers: ReadonlyMap<string, string>;
  readonly text: string;
}

/**
 * One HTTP exchange with a token endpoint. Redirects are not followed and nothing is retried.
 *
 * @throws KeyServiceError `credential_unavailable` where no whole answer came, or the signal's reason
 */
export interface SendTokenRequest {
  (request: TokenRequest, signal: AbortSignal): Promise<TokenResponse>;
  /** Loads what the first request needs, so that a short time limit is not spent on it. */
  prepare(): Promise<void>;
}

/** Far above any token answer; what is longer is not read. */
export const MAX_RESPONSE_BYTES: number = 64 * 1024;

const CONNECT_TIMEOUT_MS = 3000;
/** As long as a DNS answer of Google's lives; then it is asked for anew. */
const CONNECTION_AGE_MS = 300_000;
/**
 * Three of them fit into a refresh: so a request that hangs leaves time for another one, is told of by the name of its endpoint
 * and holds nobody up for long once the endpoint is back.
 */
const SILENCE_TIMEOUT_MS = 2500;
const MAX_CONNECTIONS_PER_ENDPOINT = 8;

export interface TokenRequestsOptions {
  /** PEM texts of CAs that are trusted as well. */
  readonly moreCas?: readonly string[];
  /** No proxy unless given. */
  readonly chooseProxy?: ChooseProxy;
}

/** @param caFile PEM file with CAs that are trusted besides Node.js' own; read at the first request */
export function createTokenRequests(caFile: string | undefined, options: TokenRequestsOptions = {}): SendTokenRequest {
  const { moreCas = [], chooseProxy = chooseNone } = options;
  /** By the proxy's origin; empty for what goes directly. */
  const agents = new Map<string, Promise<Agent | ProxyAgent>>();
  const getAgent = async (proxy: HttpProxy | undefined): Promise<Agent | ProxyAgent> => {
    const via = proxy?.origin ?? "";
    const agent = agents.get(via) ?? createAgent(caFile, moreCas, proxy);
    agents.set(via, agent);
    try {
      return await agent;
    } catch (error) {
      // A CA file that cannot be read now may be there the next time.
      agents.delete(via);
      throw error;
    }
  };
  const send = async (request: TokenRequest, signal: AbortSignal): Promise<TokenResponse> => {
    if (signal.aborted) throw abortReason(signal);
    const proxy = chooseProxy(request.url);
    try {
      if (request.clientCertificate === undefined) return await exchange(await getAgent(proxy), request, signal);
      const agent = await createAgent(caFile, moreCas, proxy, request.clientCertificate);
      return await exchange(agent, request, signal).finally(() => agent.destroy());
    } catch (error) {
      throw toTransportError(error, request.url, signal, proxy);
    }
  };
  const prepare = async (): Promise<void> => {
    await getAgent(undefined);
  };
  return Object.assign(send, { prepare });
}

/** @param client a rotated certificate must not meet a connection that the one before opened: for one request alone */
async function createAgent(
  caFile: string | undefined,
  moreCas: readonly string[],
  proxy: HttpProxy | undefined,
  client?: ClientCertificate,
): Promise<Agent | ProxyAgent> {
  // Imported when the first token is fetched: it costs as much as the rest of the start.
  const [undici, ca] = await Promise.all([import("undici"), readCa(caFile, moreCas)]);
  const trust = { lookup: joinedLookup, ...(ca === undefined ? {} : { ca }) };
  const tls = client === undefined ? trust : { ...trust, cert: client.certificate, key: client.privateKey.reveal() };
  const bounds = { connections: MAX_CONNECTIONS_PER_ENDPOINT, clientTtl: CONNECTION_AGE_MS };
  if (proxy === undefined) return new undici.Agent({ ...bounds, connect: { timeout: CONNECT_TIMEOUT_MS, ...tls } });
  const { createTunnel } = await import("../network/tunnel.ts");
  return createTunnel(proxy, { ...bounds, tls, proxyTls: trust, connectTimeoutMs: CONNECT_TIMEOUT_MS });
}

async function readCa(caFile: string | undefined, moreCas: readonly string[]): Promise<string[] | undefined> {
  if (caFile === undefined && moreCas.length === 0) return undefined;
  try {
    const configured = caFile === undefined ? [] : [await readFile(caFile, "utf8")];
    // Naming CAs replaces the default ones, so those are named as well.
    return [...getCACertificates("default"), ...configured, ...moreCas];
  } catch (cause) {
    throw new KeyServiceError("credential_rejected", {
      problem: `the CA file ${caFile} cannot be read`,
      remedy: "check google.caFile in the config and the file's permissions",
      cause,
    });
  }
}

async function exchange(agent: Agent | ProxyAgent, request: TokenRequest, signal: AbortSignal): Promise<TokenResponse> {
  const { silenceMs = SILENCE_TIMEOUT_MS } = request;
  const response = await agent.request({
    origin: request.url.origin,
    path: `${request.url.pathname}${request.url.search}`,
    method: request.method,
    headers: { ...request.headers },
    body: request.body ?? null,
    headersTimeout: silenceMs,
    bodyTimeout: silenceMs,
    signal,
  });
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response.body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // Leaving the loop closes the connection.
    if (bytes > MAX_RESPONSE_BYTES) throw tooLong(request.url);
    chunks.push(chunk);
  }
  const headers = new Map<string, string>();
  for (const [name, value] of Object.entries(response.headers)) {
    const first = Array.isArray(value) ? value[0] : value;
    if (first !== undefined) headers.set(name.toLowerCase(), first);
  }
  return { status: response.statusCode, headers, text: Buffer.concat(chunks).toString("utf8") };
}

function tooLong(url: URL): KeyServiceError {
  return new KeyServiceError("credential_unavailable", {
    problem: `${url.host} answered with more than ${MAX_RESPONSE_BYTES} bytes`,
    remedy: "check that it is a token endpoint",
  });
}

function toTransportError(
  thrown: unknown,
  url: URL,
  signal: AbortSignal,
  proxy: HttpProxy | undefined,
): KeyServiceError {
  if (thrown instanceof KeyServiceError) return thrown;
  if (signal.aborted) return abortReason(signal);
  const ofProxy = proxy === undefined ? undefined : describeProxyFailure(thrown);
  if (ofProxy !== undefined) {
    return new KeyServiceError("credential_unavailable", {
      problem: `proxy ${proxy?.host}, the way to token endpoint ${url.host}, ${ofProxy.problem}`,
      remedy: ofProxy.remedy,
      cause: thrown,
    });
  }
  const through = proxy === undefined ? "" : ` through proxy ${proxy.host}`;
  const code = transportCode(thrown);
  const what = SILENCES.includes(code) ? "does not answer" : "cannot be reached";
  return new KeyServiceError("credential_unavailable", {
    problem: `token endpoint ${url.host} ${what}${through} (${code})`,
    remedy: "check the network and the endpoints in the config",
    cause: thrown,
  });
}

const SILENCES: readonly string[] = ["UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT"];

/** `ECONNREFUSED`, `UND_ERR_CONNECT_TIMEOUT`, `DEPTH_ZERO_SELF_SIGNED_CERT` and the like; never free text. */
export function transportCode(thrown: unknown): string {
  const code = thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
  if (typeof code === "string" && /^[A-Z0-9_]{1,60}$/.test(code)) return code;
  return thrown instanceof AggregateError ? transportCode(thrown.errors[0]) : "no further reason";
}
