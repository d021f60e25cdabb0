/** Cloud KMS cannot be found, or cannot prove that it is Cloud KMS. */
import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { createServer, type TlsOptions } from "node:tls";
import { type CertificateRequest, createCertificate } from "../fakes/certificates.ts";
import { type FaultBench, openFaultBench } from "./harness/bench.ts";
import {
  assertExpected,
  type Expectation,
  type NamedFault,
  TRANSPORTS,
  testFault,
  testFaults,
} from "./harness/withstand.ts";

const CA = createCertificate({ name: "the CA", authority: true });
const STRANGER = createCertificate({ name: "a CA that nobody trusts", authority: true });
const tls = { server: createCertificate({ name: "Cloud KMS", issuer: CA, address: "127.0.0.1" }), ca: CA };
const DAY_MS = 86_400_000;

/** In place of Cloud KMS: a server that begins TLS as it is told, and answers nothing. */
function meets(options: TlsOptions): (bench: FaultBench) => Promise<void> {
  return async ({ wire, atEnd }) => {
    const server = createServer(options, (socket) => socket.destroy());
    server.on("tlsClientError", () => {});
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    atEnd(() => void server.close());
    wire.redirect((server.address() as AddressInfo).port);
  };
}

function meetsCertificate(request: Partial<CertificateRequest>): (bench: FaultBench) => Promise<void> {
  const pair = createCertificate({ name: "Cloud KMS", issuer: CA, address: "127.0.0.1", ...request });
  return meets({ cert: pair.certificate, key: pair.privateKey, ALPNProtocols: ["h2", "http/1.1"] });
}

/** The token went nowhere: no request was made. */
function unreachable(says: RegExp): Expectation {
  return { status: "UNAVAILABLE", says };
}

testFaults(
  [
    {
      fault: "TLS handshake failure",
      promise: "the call says so and what to check",
      sees: "UNAVAILABLE: could not be reached, and what to check",
      arrange: meets({}),
      expect: unreachable(/could not be reached: .*to do: check/s),
    },
    {
      fault: "clear text where TLS should be",
      promise: "the call says so and what to check",
      sees: "UNAVAILABLE: could not be reached, and what to check",
      arrange: async ({ wire }: FaultBench) => {
        wire.resetAll();
        await wire.harm("garbage");
      },
      expect: unreachable(/could not be reached: .*to do: check/s),
    },
    {
      fault: "expired certificate",
      promise: "no token is sent, and the call says why",
      sees: "UNAVAILABLE: could not be reached: CERT_HAS_EXPIRED",
      arrange: meetsCertificate({ notAfter: new Date(Date.now() - DAY_MS) }),
      expect: unreachable(/could not be reached: (CERT_HAS_EXPIRED|certificate has expired)/),
    },
    {
      fault: "certificate for another name",
      promise: "no token is sent, and the call says why",
      sees: "UNAVAILABLE: could not be reached: ERR_TLS_CERT_ALTNAME_INVALID",
      arrange: meetsCertificate({ address: "other.example" }),
      expect: unreachable(/could not be reached: (ERR_TLS_CERT_ALTNAME_INVALID|.*altnames)/),
    },
    {
      fault: "certificate of an authority that nobody trusts",
      promise: "no token is sent, and the call says which setting names another",
      sees: "UNAVAILABLE: could not be reached; name a private CA by caFile",
      arrange: meetsCertificate({ issuer: STRANGER }),
      expect: unreachable(/could not be reached: .*to do: .*caFile/s),
    },
  ].map((fault) => ({ ...fault, options: { tls } })),
);

const DNS_FAILURE: NamedFault = {
  fault: "DNS failure",
  promise: "the call says so, and the other rule's names are looked up",
  sees: "UNAVAILABLE: could not be reached: ENOTFOUND, and what to check",
};

for (const transport of TRANSPORTS) {
  testFault(DNS_FAILURE, transport, async () => {
    await using bench = await openFaultBench({
      transport,
      startsWell: false,
      kms: { endpoint: "https://cloudkms.nowhere.invalid" },
    });
    assertExpected(await bench.call("encrypt"), [
      { status: "UNAVAILABLE", says: /could not be reached: (ENOTFOUND|EAI_AGAIN|Name resolution failed)/ },
      { status: "DEADLINE_EXCEEDED", says: /Cloud KMS at cloudkms\.nowhere\.invalid did not answer/ },
    ]);
    await bench.assertBankIsServed();
    assert.equal(bench.emulator.admin.requests().counts["kms.encrypt"], 1);
  });
}
