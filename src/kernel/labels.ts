/** Names and values that tell one series, one alert, one check from another. A label that is missing is an empty one. */
export type Labels = Readonly<Record<string, string>>

/** One text for each label set, whatever order its labels were given in; empty values are left out. */
export function labelsKey(labels: Labels): string {
  let key = ''
  for (const name of Object.keys(labels).sort()) {
    if (labels[name] !== '') key += `${name}\u00ff${labels[name]}\u00ff`
  }
  return key
}

const offset = 0xcbf29ce484222325n
const prime = 0x100000001b3n
const mask = 0xffffffffffffffffn
const utf8 = new TextEncoder()

/** 16 hexadecimal digits: FNV-1a of 64 bits over names and values. Source: Prometheus, model.LabelSet.Fingerprint, whose result it equals. */
export function fingerprint(labels: Labels): string {
  let hash = offset
  const add = (byte: number): void => {
    hash = ((hash ^ BigInt(byte)) * prime) & mask
  }
  for (const name of Object.keys(labels).sort()) {
    for (const text of [name, labels[name] ?? '']) {
      for (const byte of utf8.encode(text)) add(byte)
      add(255)
    }
  }
  return hash.toString(16).padStart(16, '0')
}
