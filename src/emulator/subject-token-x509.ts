import { X509Certificate } from "node:crypto";
import { z } from "zod";
import type { Clock } from "../core/clock.ts";
import { parseJson } from "./body.ts";
import type { Identities } from "./identities.ts";
import { oauthRefusal, type Refusal } from "./refusals.ts";

const chainShape = z.array(z.base64()).min(1).max(11);

/**
 * The common name of a certificate whose chain ends at a registered authority. That the other side holds its key shows
 * only in a TLS handshake, which the emulator has not.
 *
 * @throws Refusal
 */
export function verifyCertificateChain(token: string, identities: Identities, clock: Clock): string {
  const chain = parseChain(token);
  const [leaf] = chain;
  if (leaf === undefined) throw refused("The subject token is not a list of certificates.");
  const links = [...chain.entries()].map(([index, each]) => [each, chain[index + 1]] as const);
  const ends = links.findIndex(([each]) =>
    identities.certificateAuthorities.some((authority) => isBy(each, authority)),
  );
  const isWhole = ends !== -1 && links.slice(0, ends).every(([each, next]) => next !== undefined && isBy(each, next));
  if (!isWhole) throw refused("The certificate could not be verified with the trust store of the provider.");
  const used = chain.slice(0, ends + 1);
  if (!used.every((each) => isValidNow(each, clock))) throw refused("A certificate of the chain has expired.");
  const name = /^CN=(?<name>.+)$/m.exec(leaf.subject)?.groups?.["name"];
  if (name === undefined) throw refused("The certificate has no common name.");
  return name;
}

function parseChain(token: string): X509Certificate[] {
  const parsed = chainShape.safeParse(parseJson(token));
  if (!parsed.success) return [];
  try {
    return parsed.data.map((each) => new X509Certificate(Buffer.from(each, "base64")));
  } catch {
    return [];
  }
}

function isBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function isValidNow({ validFrom, validTo }: X509Certificate, clock: Clock): boolean {
  return Date.parse(validFrom) <= clock.nowMs() && clock.nowMs() < Date.parse(validTo);
}

function refused(text: string): Refusal {
  return oauthRefusal("invalid_grant", text);
}
