/** `1 alert`, `2 alerts`, `12,000 alerts`: for people. */
export const counted = (n: number, noun: string): string => `${n.toLocaleString('en-US')} ${noun}${n === 1 ? '' : 's'}`
