import { encodeBytesField, encodeSmallField, FieldReader } from "./wire-format.ts";

/** `HealthCheckResponse.ServingStatus` of grpc.health.v1. */
export const SERVING_STATUS = { UNKNOWN: 0, SERVING: 1, NOT_SERVING: 2, SERVICE_UNKNOWN: 3 } as const;
export type ServingStatus = keyof typeof SERVING_STATUS;

const FIRST_FIELD = 1;
const SECOND_FIELD = 2;

/**
 * @returns the service that a `HealthCheckRequest` asks about; empty for the server as a whole
 * @throws WireFormatError
 */
export function decodeHealthRequest(message: Buffer): string {
  let service = "";
  const fields = new FieldReader(message);
  while (fields.next()) {
    if (fields.number === FIRST_FIELD && fields.bytes !== undefined) service = fields.bytes.toString("utf8");
  }
  return service;
}

/** A `HealthCheckResponse`. */
export function encodeHealthAnswer(status: ServingStatus): Buffer {
  return encodeSmallField(FIRST_FIELD, SERVING_STATUS[status]);
}

/**
 * @returns undefined for a status that is none of ours
 * @throws WireFormatError
 */
export function decodeHealthAnswer(message: Buffer): ServingStatus | undefined {
  let status = 0;
  const fields = new FieldReader(message);
  while (fields.next()) {
    if (fields.number === FIRST_FIELD && fields.varint !== undefined) status = fields.varint;
  }
  return (Object.keys(SERVING_STATUS) as ServingStatus[]).find((name) => SERVING_STATUS[name] === status);
}

/** A `HealthListResponse`: a map is a repeated message of a key and a value. */
export function encodeHealthList(statuses: ReadonlyMap<string, ServingStatus>): Buffer {
  const entries = [...statuses].map(([service, status]) => {
    const name = encodeBytesField(FIRST_FIELD, Buffer.from(service));
    const answer = encodeBytesField(SECOND_FIELD, encodeHealthAnswer(status));
    return encodeBytesField(FIRST_FIELD, Buffer.concat([name, answer]));
  });
  return Buffer.concat(entries);
}
