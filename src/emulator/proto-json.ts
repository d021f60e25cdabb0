import protobuf, { type Message, type Type } from "protobufjs";

export type Json = Readonly<Record<string, unknown>>;

/**
 * Protobuf's JSON mapping, which protobufjs has only in part: it writes the well-known types as any other message.
 * https://protobuf.dev/programming-guides/json/
 */
export function toJson(type: Type, message: Message): Json {
  return mapFields(type, type.toObject(message, { bytes: String, longs: String, enums: String }), TO_JSON);
}

/** @throws Error where a field has another type */
export function fromJson(type: Type, json: Json): Message {
  return type.fromObject(mapFields(type, json, FROM_JSON));
}

type Conversions = Readonly<Record<string, (value: never) => unknown>>;

const TO_JSON: Conversions = {
  ".google.protobuf.Int64Value": ({ value = "0" }: { value?: string }) => value,
  ".google.protobuf.FieldMask": ({ paths = [] }: { paths?: readonly string[] }) => paths.map(toCamelCase).join(","),
};

// What Cloud KMS' answers have.
const FROM_JSON: Conversions = {
  ".google.protobuf.Int64Value": (value: string) => ({ value }),
  ".google.protobuf.Duration": (text: string) => ({ seconds: Number.parseInt(text, 10) }),
  ".google.protobuf.Timestamp": (text: string) => {
    const timeMs = Date.parse(text);
    return { seconds: Math.floor(timeMs / 1000), nanos: (timeMs % 1000) * 1_000_000 };
  },
};

function mapFields(type: Type, object: Json, conversions: Conversions): Json {
  const entries = Object.entries(object).map(([name, value]) => {
    const field = type.fields[name]?.resolve();
    const nested = field?.resolvedType;
    if (!(nested instanceof protobuf.Type) || field?.map) return [name, value];
    const convert = conversions[nested.fullName] as ((value: unknown) => unknown) | undefined;
    const mapOne = convert ?? ((one: unknown) => mapFields(nested, one as Json, conversions));
    return [name, Array.isArray(value) ? value.map(mapOne) : mapOne(value)];
  });
  return Object.fromEntries(entries);
}

/** `crypto_key_version` is `cryptoKeyVersion` in JSON. */
export function toCamelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
