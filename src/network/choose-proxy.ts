import { isLoopbackHost } from "../config/address.ts";
import type { Environment } from "../config/environment.ts";
import { fileError } from "../config/issue.ts";
import { type HttpProxy, type ProxyConfig, parseProxy } from "../config/proxy.ts";
import { withoutBrackets } from "../core/host.ts";
import { parseNoProxy } from "./no-proxy.ts";

/** The proxy that a URL is reached by; undefined: none. */
export type ChooseProxy = (url: URL) => HttpProxy | undefined;

/** In this order, the upper case first as in Go; `HTTP_PROXY` last, for Google's own libraries take it for https too. */
const VARIABLES = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"];

/**
 * What the environment says, read once. Only https goes through a proxy: plain http is for this machine and for
 * metadata servers, which no proxy can reach for us.
 *
 * @throws ConfigError naming the variable, where it holds no proxy that can be used
 */
export function createProxyChoice(environment: Environment): ChooseProxy {
  const proxy = readVariables(environment);
  if (proxy === undefined) return chooseNone;
  const isExempt = parseNoProxy(environment.get("NO_PROXY") ?? environment.get("no_proxy") ?? "");
  return (url) => {
    const host = withoutBrackets(url.hostname);
    if (url.protocol !== "https:" || isLoopbackHost(host)) return undefined;
    return isExempt(host, Number(url.port || 443)) ? undefined : proxy;
  };
}

export const chooseNone: ChooseProxy = () => undefined;

/**
 * The proxy of one rule's endpoint: what the rule says, else what the environment does.
 *
 * @throws ConfigError naming the variable that the rule names, where it holds no proxy that can be used
 */
export function chooseForRule(
  setting: ProxyConfig | undefined,
  endpoint: URL,
  environment: Environment,
  choose: ChooseProxy,
): HttpProxy | undefined {
  switch (setting?.kind) {
    case undefined:
      return choose(endpoint);
    case "none":
      return undefined;
    case "url":
      return readProxy("kms.proxy", setting.url);
    case "env":
      return readProxy(setting.variable, readVariable(setting.variable, environment));
  }
}

function readVariable(name: string, environment: Environment): string {
  const text = environment.get(name);
  if (text === undefined) throw fileError(name, "kms.proxy of a rule names this variable, and it is not set");
  return text;
}

function readVariables(environment: Environment): HttpProxy | undefined {
  for (const name of VARIABLES) {
    const text = environment.get(name);
    // Often a SOCKS proxy meant for other programs; the other two are for http proxies by their names.
    if (text === undefined || (/^all/i.test(name) && /^socks/i.test(text))) continue;
    return readProxy(name, text);
  }
  return undefined;
}

function readProxy(origin: string, text: string): HttpProxy {
  const proxy = parseProxy(text);
  if (typeof proxy === "string") throw fileError(origin, proxy);
  return proxy;
}
