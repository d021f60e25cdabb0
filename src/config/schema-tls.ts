import * as z from "zod";
import { pathField, section } from "./schema-fields.ts";
import type { TlsShape } from "./tls.ts";

export const tlsSchema: z.ZodType<TlsShape> = section({
  certificate: pathField().meta({
    description:
      "PEM file with the server's certificate, then those between it and its CA; read again when it changes.",
  }),
  privateKey: pathField().meta({ description: "PEM file with its private key, not encrypted." }),
  clientCa: pathField()
    .optional()
    .meta({ description: "PEM file with the CAs of client certificates. Without it clients are not asked for one." }),
  clientCertificate: z.enum(["required", "optional"], { error: "expected required or optional" }).optional().meta({
    description: "Whether a client must show a certificate; one that is shown must be good. With clientCa: required.",
  }),
}).meta({ description: "TLS 1.3 on a tcp listener." });
