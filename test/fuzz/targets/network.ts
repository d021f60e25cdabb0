import assert from "node:assert/strict";
import { isIPv4 } from "node:net";
import { createProxyChoice } from "../../../src/network/choose-proxy.ts";
import type { Target } from "../harness/target.ts";

const PORT = 8443;

/** Lines: a host, and `NO_PROXY`. */
export const noProxy: Target = {
  name: "no-proxy",
  dictionary: [
    "\n",
    ",",
    " ",
    "*",
    "*.",
    ".",
    ":",
    `:${PORT}`,
    ":443",
    "/",
    "/8",
    "/32",
    "/33",
    "/129",
    "[",
    "]",
    "%",
    "%eth0",
    "example.com",
    "kms.example.com",
    "10.1.2.3",
    "10.0.0.0/8",
    "0.0.0.0/0",
    "::/0",
    "::1",
    "2001:db8::1",
    "fe80::1%1",
    "fe80::1%eth0/64",
    "::ffff:10.1.2.3",
  ],
  maxBytes: 300,
  open: () => ({
    run(input) {
      const [host = "", ...rest] = input.toString("utf8").split("\n");
      const url = URL.parse(`https://${host}:${PORT}`);
      const exemptions = rest.join(",");
      const variables = new Map([
        ["HTTPS_PROXY", "http://proxy.example:3128"],
        ["NO_PROXY", exemptions],
      ]);
      const choose = createProxyChoice({ get: (name) => variables.get(name) || undefined });
      if (url === null) return "no URL";
      const isDirect = choose(url) === undefined;
      const expected = expectation(url, exemptions);
      if (expected !== undefined) assert.equal(isDirect, expected, `${url.hostname} and ${exemptions}`);
      return `${isDirect} ${expected} ${url.hostname.startsWith("[")} ${isIPv4(url.hostname)}`;
    },
  }),
};

/** Whether a host is reached directly, where all entries are of a kind that leaves no doubt; else undefined. */
function expectation({ hostname: host, port }: URL, exemptions: string): boolean | undefined {
  if (host.startsWith("[") || /^127\.|^localhost\.?$/.test(host)) return undefined;
  const name = host.replace(/\.$/, "");
  const entries = exemptions.split(/[,\s]+/).filter((entry) => entry !== "");
  const answers = entries.map((entry) => entryFits(entry.toLowerCase(), name, Number(port || 443)));
  return answers.includes(undefined) ? undefined : answers.includes(true);
}

function entryFits(entry: string, host: string, port: number): boolean | undefined {
  if (entry === "*") return true;
  const [, address = "", bits = "32"] = /^(\d+\.\d+\.\d+\.\d+)(?:\/(\d{1,2}))?$/.exec(entry) ?? [];
  if (isIPv4(address)) return isIPv4(host) && isInNetwork(host, address, Number(bits));
  return isIPv4(host) ? undefined : nameFits(entry, host, port);
}

const NAME = /^(\*?\.)?([a-z][a-z0-9-]*(?:\.[a-z][a-z0-9-]*)*)(?::([0-9]{1,5}))?$/;

function nameFits(entry: string, host: string, port: number): boolean | undefined {
  const [, below, name = "", only = port] = NAME.exec(entry) ?? [];
  if (name === "") return undefined;
  const isHost = (below === undefined && host === name) || host.endsWith(`.${name}`);
  return isHost && Number(only) === port;
}

function isInNetwork(host: string, address: string, bits: number): boolean | undefined {
  if (bits > 32) return undefined;
  const binary = (text: string) =>
    text
      .split(".")
      .map((part) => Number(part).toString(2).padStart(8, "0"))
      .join("");
  return binary(host).slice(0, bits) === binary(address).slice(0, bits);
}
