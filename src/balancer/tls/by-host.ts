/** Finds what belongs to the host that a client names: its own entry, the wildcard one label above it, else the first of all. Pure. */

export class ByHost<T> {
  readonly #exact = new Map<string, T>()
  readonly #first: T | undefined

  /** Of two that claim the same host, the earlier one has it. */
  constructor(entries: readonly { readonly hosts: readonly string[]; readonly value: T }[]) {
    this.#first = entries[0]?.value
    for (const { hosts, value } of entries) {
      for (const host of hosts) if (!this.#exact.has(host.toLowerCase())) this.#exact.set(host.toLowerCase(), value)
    }
  }

  find(serverName: string): T | undefined {
    const host = serverName.toLowerCase().replace(/\.$/, '')
    const dot = host.indexOf('.')
    // RFC 9525 §6.3: the asterisk stands for one label.
    return this.#exact.get(host) ?? (dot > 0 ? this.#exact.get(`*${host.slice(dot)}`) : undefined) ?? this.#first
  }
}
