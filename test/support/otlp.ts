/**
 * Reads `ExportTraceServiceRequest` in the JSON form of OTLP (opentelemetry-proto 1.x, `trace.proto`, `common.proto`; ids as hex, 64-bit numbers as text)
 * as strictly as a collector may: a field it does not know, a wrong type, an id of the wrong length is a fault.
 */

type Reader = (value: unknown, path: string) => readonly string[]

const matching =
  (form: RegExp, what: string): Reader =>
  (value, path) =>
    typeof value === 'string' && form.test(value) ? [] : [`${path}: ${JSON.stringify(value)} is no ${what}`]
const text = matching(/^/, 'text')
const uint64 = matching(/^\d{1,20}$/, 'number of 64 bits')
const within =
  (most: number): Reader =>
  (value, path) =>
    Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most
      ? []
      : [`${path}: ${JSON.stringify(value)} is no number to ${most}`]
const list =
  (of: Reader): Reader =>
  (value, path) =>
    Array.isArray(value) ? value.flatMap((each, i) => of(each, `${path}[${i}]`)) : [`${path}: no list`]
const message =
  (fields: Readonly<Record<string, Reader>>, required: readonly string[] = []): Reader =>
  (value, path) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${path}: no object`]
    const missing = required.filter((name) => !(name in value)).map((name) => `${path}.${name} is missing`)
    return [...missing, ...Object.entries(value).flatMap(([name, each]) => fields[name]?.(each, `${path}.${name}`) ?? [`${path}.${name} is unknown`])]
  }

const attributes = list(
  message({ key: text, value: message({ stringValue: text, intValue: matching(/^-?\d{1,19}$/, 'whole number') }) }, ['key', 'value']),
)
const span = message(
  {
    traceId: matching(/^(?!0{32})[0-9a-f]{32}$/, 'trace id'),
    spanId: matching(/^(?!0{16})[0-9a-f]{16}$/, 'span id'),
    parentSpanId: matching(/^(?!0{16})[0-9a-f]{16}$/, 'span id'),
    name: matching(/./, 'name'),
    kind: within(5),
    startTimeUnixNano: uint64,
    endTimeUnixNano: uint64,
    attributes,
    status: message({ code: within(2), message: text }),
  },
  ['traceId', 'spanId', 'name', 'startTimeUnixNano', 'endTimeUnixNano'],
)
const scope = message({ name: text, version: text })
const resourceSpans = message({ resource: message({ attributes }), scopeSpans: list(message({ scope, spans: list(span) }, ['spans'])) }, [
  'scopeSpans',
])
const exportRequest = message({ resourceSpans: list(resourceSpans) }, ['resourceSpans'])

/** What is wrong with the body of a POST to a collector. */
export const otlpFaults = (body: string): readonly string[] => exportRequest(JSON.parse(body), 'request')
