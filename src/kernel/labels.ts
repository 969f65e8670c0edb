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

const utf8 = new TextEncoder()
const two32 = 2 ** 32

/**
 * 16 hexadecimal digits: FNV-1a of 64 bits over names and values, in two halves: big integers take a hundred times as long. Source: Prometheus,
 * model.LabelSet.Fingerprint, whose result it equals.
 */
export function fingerprint(labels: Labels): string {
  // The offset, 0xcbf29ce484222325.
  let [high, low] = [0xcbf29ce4, 0x84222325]
  const add = (byte: number): void => {
    low = (low ^ byte) >>> 0
    // Times 2^40 + 0x1b3, modulo 2^64.
    const product = low * 0x1b3
    high = (Math.imul(high, 0x1b3) + Math.floor(product / two32) + (low << 8)) >>> 0
    low = product >>> 0
  }
  for (const name of Object.keys(labels).sort()) {
    for (const text of [name, labels[name] ?? '']) {
      for (const byte of utf8.encode(text)) add(byte)
      add(255)
    }
  }
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0')
}
