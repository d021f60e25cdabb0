import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { PemError } from "../../../src/server/pem.ts";
import { validateTls } from "../../../src/server/tls-material.ts";
import { createCertificate } from "../../fakes/certificates.ts";
import { expectPublic, kindOf } from "../harness/expect.ts";
import type { Target } from "../harness/target.ts";

const CONFIG = {
  certificate: "/tls.crt",
  privateKey: "/tls.key",
  clientCa: "/ca.crt",
  clientCertificate: "required",
} as const;
const HOUR_MS = 3_600_000;

/**
 * A listener's certificate, which somebody may just be writing: PEM, or DER that is made PEM, for mutations seldom leave
 * base64 whole. The key is the certificate's own.
 */
export const tlsFiles: Target = {
  name: "tls-files",
  dictionary: [
    "-----BEGIN CERTIFICATE-----\n",
    "-----END CERTIFICATE-----\n",
    "-----BEGIN PRIVATE KEY-----\n",
    "\x17\x0d",
    "\x18\x0f",
    "99991231235959Z",
    "00000101000000Z",
    "20491231235959Z",
    "\x30\x82",
    "\x02\x01",
  ],
  maxBytes: 3000,
  open() {
    const own = createCertificate({ name: "x", address: "127.0.0.1" });
    const nowMs = Date.now();
    return {
      run(input) {
        const isPem = input.toString("latin1", 0, 5) === "-----";
        const certificate = isPem ? input.toString("latin1") : toPem(input);
        const files = { certificate, privateKey: own.privateKey, clientCa: certificate, hash: "" };
        try {
          const { notBeforeMs, notAfterMs } = validateTls(files, CONFIG, nowMs);
          assert.ok(notBeforeMs <= nowMs && nowMs < notAfterMs, `good from ${notBeforeMs} to ${notAfterMs}`);
          return `taken ${isPem} ${notAfterMs > nowMs + 48 * HOUR_MS}`;
        } catch (thrown) {
          if (!(thrown instanceof PemError)) throw thrown;
          expectPublic(thrown.message);
          return kindOf(thrown.message.replaceAll(/\d{4}-\S+/g, ""));
        }
      },
      samples: [Buffer.from(own.certificate), new X509Certificate(own.certificate).raw],
    };
  },
};

function toPem(der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}
