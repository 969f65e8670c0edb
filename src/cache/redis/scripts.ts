/**
 * What Redis runs. Logical time is one counter for all who share a prefix; it follows the server's clock in microseconds, and is never told less than
 * what a caller has seen already, so that it does not go back even when the counter was lost or a replica took over that had not yet heard of the last
 * changes. Numbers are told as whole decimals: Lua would write them as 1.7e+15.
 */

/** KEYS: the counter. ARGV: the latest time the caller knows of. The time of a change that happens now. */
export const tickScript = `
local time = redis.call('TIME')
local now = math.max(tonumber(redis.call('GET', KEYS[1]) or 0) + 1, tonumber(ARGV[1]) + 1, time[1] * 1000000 + time[2])
redis.call('SET', KEYS[1], string.format('%.0f', now))
return string.format('%.0f', now)
`

/** KEYS: the counter. ARGV: the latest time the caller knows of. The time that what begins now carries: not earlier than that. */
export const markScript = `
local known = redis.call('GET', KEYS[1])
if known and tonumber(known) >= tonumber(ARGV[1]) then return known end
local time = redis.call('TIME')
redis.call('SET', KEYS[1], string.format('%.0f', known and tonumber(ARGV[1]) or math.max(tonumber(ARGV[1]), time[1] * 1000000 + time[2])))
return redis.call('GET', KEYS[1])
`

/** KEYS: entry and, where they are in one place, the counter. Returns the value, the ms it has to live, and the time. */
export const readScript = `
local value = redis.call('GET', KEYS[1])
return { value, value and redis.call('PTTL', KEYS[1]) or -2, KEYS[2] and redis.call('GET', KEYS[2]) }
`

/** KEYS: entry, its last change. ARGV: value, ms to live, mark. 0: it was changed after the mark. */
export const writeScript = `
local changed = redis.call('GET', KEYS[2])
if changed and tonumber(changed) > tonumber(ARGV[3]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`

/** KEYS: entry, its last change. ARGV: when it changes, ms to remember that, and, to be put there: value, ms to live. Returns whether something was there. */
export const changeScript = `
local changed = redis.call('GET', KEYS[2])
if changed and tonumber(changed) > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
if ARGV[3] then
  redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
  return 1
end
return redis.call('DEL', KEYS[1])
`

/** KEYS: entry, its last change. ARGV: a change that was acknowledged, ms to remember it. 1: it had been lost; what was there is gone. */
export const confirmScript = `
local changed = redis.call('GET', KEYS[2])
if changed and tonumber(changed) >= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
redis.call('DEL', KEYS[1])
return 1
`

/** KEYS: a last invalidation. ARGV: when, ms to remember it. 0: it was known already. */
export const invalidateScript = `
local known = redis.call('GET', KEYS[1])
if known and tonumber(known) >= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`

/** KEYS: lease. ARGV: who wants it, ms to live, and from whom it may be taken. Returns who has it then. */
export const takeScript = `
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[3] then return holder end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]
`

/** KEYS: lease. ARGV: whose, and ms to live to prolong it, 0 to end it. */
export const leaseScript = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then return redis.call('DEL', KEYS[1]) end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`
