/**
 * What Redis runs. Logical time is one counter for all who share a prefix; it follows the server's clock in microseconds, so that it never goes back even
 * when the counter itself was lost. Numbers are told as whole decimals: Lua would write them as 1.7e+15.
 */

/** KEYS: the counter. The time of an invalidation that happens now. */
export const tickScript = `
local time = redis.call('TIME')
local now = math.max(tonumber(redis.call('GET', KEYS[1]) or 0) + 1, time[1] * 1000000 + time[2])
redis.call('SET', KEYS[1], string.format('%.0f', now))
return string.format('%.0f', now)
`

/** KEYS: the counter. The time that what begins now carries. */
export const markScript = `
local known = redis.call('GET', KEYS[1])
if known then return known end
local time = redis.call('TIME')
redis.call('SET', KEYS[1], string.format('%.0f', time[1] * 1000000 + time[2]))
return redis.call('GET', KEYS[1])
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

/** KEYS: a last invalidation. ARGV: when, ms to remember it. */
export const invalidateScript = `
local known = redis.call('GET', KEYS[1])
if not known or tonumber(known) < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return 1
`

/** KEYS: lease. ARGV: whose, and ms to live to prolong it, 0 to end it. */
export const leaseScript = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then return redis.call('DEL', KEYS[1]) end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`
