/** Nothing of it can be changed from then on; what cannot be frozen (bytes, what a class hides) stays as it is. Deep, without recursion. */
export function deepFreeze(value: unknown): void {
  const left = [value]
  while (left.length > 0) {
    const each = left.pop()
    if (!isOpen(each)) continue
    Object.freeze(each)
    for (const inner of Object.values(each)) left.push(inner)
  }
}

const isOpen = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !ArrayBuffer.isView(value) && !Object.isFrozen(value)
