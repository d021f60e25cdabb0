/** Why a TLS handshake came to nothing, in words for the log: Node has codes, and OpenSSL's texts name its own files. */
export function describeHandshakeError(error: Error, handshakeMs: number): string {
  const code = "code" in error ? String(error.code) : "unknown error";
  switch (code) {
    case "ERR_TLS_HANDSHAKE_TIMEOUT":
      return `the handshake took longer than ${handshakeMs / 1_000} s`;
    case "ERR_SSL_UNSUPPORTED_PROTOCOL":
      return "the client does not speak TLS 1.3";
    case "ERR_SSL_NO_APPLICATION_PROTOCOL":
      return "the client does not ask for HTTP/2 (h2 by ALPN)";
    case "ERR_SSL_HTTP_REQUEST":
    case "ERR_SSL_WRONG_VERSION_NUMBER":
    case "ERR_SSL_PACKET_LENGTH_TOO_LONG":
      return "the client speaks no TLS; give it https or a client that does, such as sops-keyd connect";
    case "ECONNRESET":
      return "the client went away before the handshake was over, as one does that does not trust this server's certificate";
    default:
      return code.includes("_ALERT_")
        ? `the client ended the handshake (${code}): it may not trust this server's certificate`
        : `the handshake failed (${code})`;
  }
}
