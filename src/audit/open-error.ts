/** The audit log cannot be opened; says which file, why, and what to do. */
export class AuditOpenError extends Error {
  override readonly name = "AuditOpenError";
}
