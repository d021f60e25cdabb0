import type { Mutation } from "../../scripts/mutations.ts";

/** What reads bytes from outside, broken in ways that have happened to others; by the target that has to find it. */
export const FUZZED_MUTATIONS: Readonly<Record<string, readonly Mutation[]>> = {
  "resource-name": [
    {
      broken: "a name has eight segments and no more",
      file: "routing/resource-name.ts",
      edits: [["if (segments.length !== 8)", "if (segments.length < 8)"]],
    },
  ],
  pattern: [
    {
      broken: "the last piece of a glob takes no character that another one has",
      file: "routing/glob.ts",
      edits: [["return from <= end;", "return true;"]],
    },
  ],
  policy: [
    {
      broken: "a rule's deny goes before its allow",
      file: "access/policy.ts",
      edits: [["    findDenial(question) ??\n", ""]],
    },
    {
      broken: "a rule without allow serves local listeners alone",
      file: "access/policy.ts",
      edits: [["if (listenerIsLocal) return", "if (place.length > 0 || listenerIsLocal) return"]],
    },
  ],
  "key-request": [
    {
      broken: "a field ends within its message",
      file: "server/wire-format.ts",
      edits: [
        ["if (length > this.#message.length - start)", "if (start < 0)"],
        ["this.#position = start + length;", "this.#position = Math.min(start + length, this.#message.length);"],
      ],
    },
    {
      broken: "text is UTF-8",
      file: "server/messages.ts",
      edits: [["if (!isUtf8(fields.bytes))", "if (fields.bytes.length < 0)"]],
    },
    {
      broken: "every field takes the reader forward",
      file: "server/wire-format.ts",
      edits: [["this.#position = start + length;", "this.#position = length === 7 ? start - 2 : start + length;"]],
    },
  ],
  health: [
    {
      broken: "a number has 64 bits",
      file: "server/wire-format.ts",
      edits: [["if (length === MAX_VARINT_BYTES && byte > 1) break;", ""]],
    },
  ],
  base64: [
    {
      broken: "what is not base64 is not skipped",
      file: "core/base64.ts",
      edits: [['bytes.length > 0 && bytes.toString("base64") === compact', "bytes.length > 0"]],
    },
  ],
  http2: [
    {
      broken: "a message that is none ends its call alone",
      file: "server/messages.ts",
      edits: [
        [
          "if (!(thrown instanceof WireFormatError)) throw thrown;",
          "queueMicrotask(() => { throw new Error('uncaught'); });",
        ],
      ],
    },
  ],
  jwt: [
    {
      broken: "a token must have the claims of its caller",
      file: "access/jwt/jwt-callers.ts",
      edits: [["const claim = findMisfit(caller.claims, payload);", "const claim = undefined;"]],
    },
    {
      broken: "a signature is verified",
      file: "access/jwt/verifier.ts",
      edits: [
        [
          "const { payload } = await jwtVerify(token.reveal(), find, {",
          'const payload = JSON.parse(Buffer.from(token.reveal().split(".")[1] ?? "", "base64url").toString());\n  if (payload.exp === undefined) await jwtVerify(token.reveal(), find, {',
        ],
      ],
    },
  ],
  "issuer-keys": [
    {
      broken: "a discovery document is its issuer's",
      file: "access/jwt/load-keys.ts",
      edits: [["if (document.issuer !== issuer) throw", "if (document.issuer === 7) throw"]],
    },
  ],
  "identity-token": [
    {
      broken: "a token expires at a time that there is",
      file: "connect/identity-token.ts",
      edits: [["Math.abs(expiresAtMs) > MAX_DATE_MS", "Math.abs(expiresAtMs) < 0"]],
    },
  ],
  "alternative-names": [
    {
      broken: "a name that is not quoted has no quote in it",
      file: "access/alternative-names.ts",
      edits: [['([^,"\\\\]*)', "([^,\\\\]*)"]],
    },
  ],
  certificate: [
    {
      broken: "a CA is no workload",
      file: "access/certificate.ts",
      edits: [[" && !certificate.ca", ""]],
    },
  ],
  "spiffe-id": [
    {
      broken: "a path has no relative segments",
      file: "config/spiffe-id.ts",
      edits: [['segment !== "." && segment !== ".."', 'segment !== ".."']],
    },
  ],
  config: [
    {
      broken: "no key is shown that may be a secret",
      file: "config/issue.ts",
      edits: [["return key.length <= MAX_SHOWN_KEY_LENGTH &&", "return key.length > 0 ||"]],
    },
  ],
  settings: [
    {
      broken: "clear text goes to loopback alone",
      file: "connect/server-url.ts",
      edits: [["if (isLoopbackHost(name)) return", "if (port > 0 || isLoopbackHost(name)) return"]],
    },
    {
      broken: "a proxy's password is not shown",
      file: "config/proxy.ts",
      edits: [["return { origin: url.origin, host: url.host,", "return { origin: url.origin, host: url.href,"]],
    },
  ],
  "no-proxy": [
    {
      broken: "a domain begins after a dot",
      file: "network/no-proxy.ts",
      edits: [["host === pattern || ", "host.endsWith(pattern) || "]],
    },
  ],
  credential: [
    {
      broken: "a host of the universe ends with a dot and its domain",
      file: "credentials/endpoint-policy.ts",
      edits: [["|| !host.endsWith(", "|| !host.includes(universeDomain) && !host.endsWith("]],
    },
    {
      broken: "an error shows no content of a credential",
      file: "credentials/credential-document.ts",
      edits: [["throw fault(field, wrong);", "throw fault(field, wrong + JSON.stringify(raw));"]],
    },
  ],
  "audit-log": [
    {
      broken: "a record's hash is compared",
      file: "audit/chain-check.ts",
      edits: [["if (!line.intact) report", "if (line.seq < 0) report"]],
    },
    {
      broken: "a checkpoint's signature is verified",
      file: "audit/chain-check.ts",
      edits: [["if (!isGood) report", "if (signed === undefined && !isGood) report"]],
    },
    {
      broken: "the last known checkpoint has to be there",
      file: "audit/verify.ts",
      edits: [["for (const why of check.unmet())", "for (const why of check.unmet().slice(1))"]],
    },
  ],
  "audit-line": [
    {
      broken: "a field's name is made printable",
      file: "cli/audit-line.ts",
      edits: [["{asText(name)}=", "{name}="]],
    },
  ],
  "kms-answer": [
    {
      broken: "a checksum is compared",
      file: "kms/verify.ts",
      edits: [["answer.payloadCrc32c === crc32c(answer.payload)", "answer.payloadCrc32c !== undefined"]],
    },
    {
      broken: "a version of the key encrypted, not something behind it",
      file: "kms/verify.ts",
      edits: [["name?.startsWith(key) === true && VERSION_SUFFIX", "name?.startsWith(key) === true || VERSION_SUFFIX"]],
    },
  ],
  "kms-refusal": [
    {
      broken: "what Cloud KMS says is made printable",
      file: "kms/json-refusal.ts",
      edits: [["toPrintableLine(message).slice", "message.slice"]],
    },
  ],
  "retry-info": [
    {
      broken: "nobody waits for less than nothing",
      file: "kms/grpc-retry-info.ts",
      edits: [["Math.max(0, seconds", "Math.max(-9, seconds"]],
    },
  ],
  "retry-after": [
    {
      broken: "a date that has passed means now",
      file: "kms/retry-after.ts",
      edits: [["Math.max(0, atMs - nowMs)", "atMs - nowMs"]],
    },
  ],
  "token-refusal": [
    {
      broken: "only identifiers are shown of what a token endpoint says",
      file: "credentials/token-errors.ts",
      edits: [
        ['typeof value === "string" && /^[A-Za-z][A-Za-z0-9_.-]{0,47}$/.test(value)', 'typeof value === "string"'],
      ],
    },
  ],
  "exec-answer": [
    {
      broken: "a token fits into a header",
      file: "credentials/sources/exec-answer.ts",
      edits: [["if (!/^[\\x21-\\x7e]+$/.test(value))", 'if (value === "x")']],
    },
  ],
  "executable-response": [
    {
      broken: "a response that has expired is refused",
      file: "credentials/subject-tokens/executable-response.ts",
      edits: [["if (expiresAtS * 1000 > nowMs) return;", "if (expiresAtS < nowMs) return;"]],
    },
  ],
};
