/**
 * A rate limit that several machines share, as Redis runs it. One script takes and gives back for many keys at once, by the clock of the server:
 * clocks of machines differ, and a limit must not. The arithmetic is that of `rate.ts`, with one number per key, in microseconds.
 */

/**
 * ARGV: microseconds between two, how far ahead one may be, how many share what is taken ahead of need; then for each key what is needed and
 * what is wanted, or −n: n are given back. Returns for each key: granted, remaining, microseconds to the full quota, to the next token.
 * A microsecond of slack: numbers of this size are exact to a quarter of one.
 */
export const takeScript = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, tolerance, sharers = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local function left(ahead) return math.max(0, math.floor((tolerance - ahead + 1) / interval)) end
local replies = {}
for i, key in ipairs(KEYS) do
  local need, want = tonumber(ARGV[2 + i * 2]), tonumber(ARGV[3 + i * 2])
  local stored = redis.call('GET', key)
  local before = math.max(now, tonumber(stored or 0))
  local tat, granted = before, 0
  if need < 0 then
    tat = math.max(now, before + need * interval)
  else
    granted = math.min(need, left(before - now))
    granted = granted + math.max(0, math.min(want - need, math.floor((left(before - now) - granted) / (2 * sharers))))
    tat = before + granted * interval
  end
  if tat <= now then
    if stored then redis.call('DEL', key) end
  elseif tat ~= before then
    redis.call('SET', key, string.format('%.2f', tat), 'PX', math.ceil((tat - now) / 1000))
  end
  replies[i] = { granted, left(tat - now), math.ceil(tat - now), math.max(0, math.ceil(tat + interval - now - tolerance)) }
end
return replies
`
