/** Three roles, each allowed all that the one before it may: a viewer reads, an operator also acts, an admin also changes what others may do. */
export const roles = ['viewer', 'operator', 'admin'] as const
export type Role = (typeof roles)[number]

export const isRole = (value: unknown): value is Role => roles.some((role) => role === value)

/** Whether a credential of role `held` may do what asks for `needed`. */
export const includesRole = (held: Role, needed: Role): boolean => roles.indexOf(held) >= roles.indexOf(needed)
