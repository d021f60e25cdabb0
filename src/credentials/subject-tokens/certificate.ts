import { createPrivateKey, X509Certificate } from "node:crypto";
import { KeyServiceError } from "../../core/errors.ts";
import { isJsonObject, parseJsonObject } from "../../core/json.ts";
import { Secret } from "../../core/secret.ts";
import type { CredentialFields } from "../credential-document.ts";
import type { SourceContext } from "../source-context.ts";
import { readNamedFile } from "./read-file.ts";
import type { GetSubjectToken } from "./subject-token.ts";

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * An X.509 certificate, shown to the security token service in the TLS handshake; the subject token only repeats it,
 * with its chain.
 * https://cloud.google.com/iam/docs/workload-identity-federation-with-x509-certificates
 */
export function parseCertificateOrigin(origin: CredentialFields): GetSubjectToken {
  const fields = origin.optionalFields("certificate");
  if (fields === undefined) throw origin.fault("certificate", "is missing");
  const configPath = fields.optionalText("certificate_config_location");
  if (fields.optionalFlag("use_default_certificate_config") === (configPath !== undefined)) {
    throw fields.fault(
      "certificate_config_location",
      "is to be given, or use_default_certificate_config, and not both",
    );
  }
  const chainPath = fields.optionalText("trust_chain_path");
  return async (_purpose, context) => {
    const { certificatePath, keyPath } = await readConfig(configPath ?? defaultConfigPath(context), context);
    const [certificate, privateKey, chain] = await Promise.all([
      readNamedFile(certificatePath, "certificate file", context),
      readNamedFile(keyPath, "private key file", context),
      chainPath === undefined ? "" : readNamedFile(chainPath, "trust chain file", context),
    ]);
    const leaf = parseLeaf(certificate, certificatePath);
    if (!isKeyOf(leaf, privateKey))
      throw unusable(`${keyPath} does not hold the key of certificate ${certificatePath}`);
    const links = [leaf, ...withoutLeaf(parseChain(chain, chainPath ?? ""), leaf, chainPath ?? "")];
    const subject = /^CN=(?<name>[\x20-\x7e]{1,127})$/m.exec(leaf.subject)?.groups?.["name"];
    return {
      token: new Secret(JSON.stringify(links.map((each) => each.raw.toString("base64")))),
      step: `certificate from file ${certificatePath}`,
      ...(subject === undefined ? {} : { subject }),
      clientCertificate: { certificate, privateKey: new Secret(privateKey) },
    };
  };
}

/** Where gcloud puts it, unless the variable says otherwise. */
function defaultConfigPath({ environment }: SourceContext): string {
  const named = environment.get("GOOGLE_API_CERTIFICATE_CONFIG");
  const folder = environment.get("CLOUDSDK_CONFIG") ?? `${environment.get("HOME") ?? ""}/.config/gcloud`;
  return named ?? `${folder}/certificate_config.json`;
}

async function readConfig(path: string, context: SourceContext): Promise<{ certificatePath: string; keyPath: string }> {
  const configs = parseJsonObject(await readNamedFile(path, "certificate config file", context))?.["cert_configs"];
  const workload = isJsonObject(configs) ? configs["workload"] : undefined;
  const [certificatePath, keyPath] = isJsonObject(workload) ? [workload["cert_path"], workload["key_path"]] : [];
  if (typeof certificatePath !== "string" || typeof keyPath !== "string") {
    throw unusable(`${path} does not name cert_path and key_path under cert_configs.workload`);
  }
  return { certificatePath, keyPath };
}

function parseLeaf(pem: string, path: string): X509Certificate {
  const [leaf] = parseChain(pem, path);
  if (leaf === undefined) throw unusable(`${path} does not hold a certificate in PEM form`);
  return leaf;
}

function parseChain(pem: string, path: string): X509Certificate[] {
  try {
    return (pem.match(PEM_CERTIFICATE) ?? []).map((each) => new X509Certificate(each));
  } catch (cause) {
    throw unusable(`${path} does not hold certificates in PEM form`, cause);
  }
}

/** The leaf may stand first in the chain's file, or not at all. */
function withoutLeaf(chain: readonly X509Certificate[], leaf: X509Certificate, path: string): X509Certificate[] {
  const index = chain.findIndex((each) => each.raw.equals(leaf.raw));
  if (index > 0) throw unusable(`${path} has the certificate itself, but not as the first`);
  return chain.slice(index + 1);
}

function isKeyOf(leaf: X509Certificate, pem: string): boolean {
  try {
    return leaf.checkPrivateKey(createPrivateKey(pem));
  } catch {
    return false;
  }
}

function unusable(problem: string, cause?: unknown): KeyServiceError {
  return new KeyServiceError("credential_rejected", {
    problem,
    remedy: "see what renews the certificate, and the certificate config",
    cause,
  });
}
