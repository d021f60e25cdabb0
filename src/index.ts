/** The library surface: embed the key service, or write a token source of your own. */

export type { Caller } from "./access/caller.ts";
export { type Assembly, assemble, type Surroundings } from "./assembly.ts";
export type { AuditSurroundings } from "./audit/parts.ts";
export { type AuditTrail, openAuditTrail } from "./audit/trail.ts";
export type { CallContext, CallOrigin, KeyAnswer, KeyBackend } from "./backends/backend.ts";
export type { SopsKey } from "./backends/sops-key.ts";
export type { Config } from "./config/config.ts";
export { type Environment, processEnvironment } from "./config/environment.ts";
export { ConfigError, type ConfigIssue } from "./config/issue.ts";
export { loadConfig } from "./config/load.ts";
export type { CallerToken } from "./core/caller-token.ts";
export { type Clock, systemClock } from "./core/clock.ts";
export { type ErrorCode, KeyServiceError } from "./core/errors.ts";
export { Secret } from "./core/secret.ts";
export type { EmbeddedTokenSource, TokenSources, TokenSourcesOptions } from "./credentials/create.ts";
export { createRefreshing, type RefreshingOptions, type RefreshReport } from "./credentials/refreshing.ts";
export type {
  CreateTokenSource,
  CredentialErrorCode,
  CustomToken,
  CustomTokenSource,
  TokenSourceContext,
} from "./credentials/sources/custom.ts";
export type { HeldToken, Token, TokenHolder, TokenScope, TokenSource } from "./credentials/token.ts";
export { type Emulator, type EmulatorOptions, startEmulator } from "./emulator/emulator.ts";
export { type Backends, createKeyService, type KeyService } from "./key-service.ts";
export type { KmsClient } from "./kms/kms-client.ts";
export { type CryptoKeyName, parseCryptoKeyName } from "./routing/resource-name.ts";
export type { ReportServerEvent, ServerEvent } from "./server/events.ts";
export { type KeyServer, type ServerOptions, startServer } from "./server/server.ts";
export type { CallRecord } from "./telemetry/call-record.ts";
