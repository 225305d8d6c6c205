/**
 * The Lua scripts that Redis runs for a fleet, each in one step.
 *
 * @module
 */

import { COLD_GRACE_MS, STORE_LIMITS } from "../../src/fleet/store.ts";

/** How long untouched data is kept, in milliseconds: a day. */
const KEPT_MS = 86_400_000;

const NOW = `
local prefix = KEYS[1]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
`;

/** What frees all that a member has; for the scripts below. */
const FREE = `
local function numbers(text)
  local count, want = string.match(text or '', '^(%d+) (%d+)$')
  return tonumber(count or 0), tonumber(want or 0)
end
local function sums(cap)
  local granted, wanted = unpack(redis.call('HMGET', cap, 'granted', 'wanted'))
  granted, wanted = tonumber(granted or 0), tonumber(wanted or 0)
  if granted and wanted then return granted, wanted end
  -- Somebody else wrote there: what the members have is known still.
  granted, wanted = 0, 0
  local all = redis.call('HGETALL', cap)
  for index = 1, #all, 2 do
    if string.sub(all[index], 1, 1) == 'm' then
      local count, want = numbers(all[index + 1])
      granted, wanted = granted + count, wanted + want
    end
  end
  return granted, wanted
end
-- What the others have of a cap, and want.
local function others(cap, member)
  local granted, wanted = sums(cap)
  local count, want = numbers(redis.call('HGET', cap, 'm' .. member))
  return granted - count, wanted - want
end
local function set(cap, member, granted, wanted, count, want)
  redis.call('HSET', cap, 'granted', granted + count, 'wanted', wanted + want)
  if count > 0 or want > 0 then
    redis.call('HSET', cap, 'm' .. member, count .. ' ' .. want)
    redis.call('PEXPIRE', cap, ${KEPT_MS})
  else
    redis.call('HDEL', cap, 'm' .. member)
  end
end
local function free(member)
  local keys = prefix .. ':k:' .. member
  for _, key in ipairs(redis.call('SMEMBERS', keys)) do
    local cap = prefix .. ':c:' .. key
    local granted, wanted = others(cap, member)
    set(cap, member, granted, wanted, 0, 0)
  end
  redis.call('DEL', keys)
end
`;

/**
 * The rules by which permits are given out; the tests have them in TypeScript as well. ARGV: member,
 * seq, link, epoch that the member knows, goneAfterMs, the server's run, how long it has been up, how
 * many claims; four words a claim; two words an ended link.
 */
export const SYNC: string = `${NOW}${FREE}
local member, seq, link, known = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local goneAfter, run, up, claims = tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8])
local members, seen, gone = prefix .. ':members', prefix .. ':seen', prefix .. ':gone'
local epoch = prefix .. ':epoch'

local id, at, untilMs, graces = unpack(redis.call('HMGET', epoch, 'id', 'at', 'grace', 'graces'))
at, graces = tonumber(at or 0) or now, tonumber(graces or 0) or 0
-- What is no number was not written here: nobody is given more until all have claimed what they have.
untilMs = tonumber(untilMs or 0) or now + goneAfter
local function beginGrace(ms)
  if now >= untilMs then graces = graces + 1 end
  untilMs = math.max(untilMs, now + ms)
  redis.call('HSET', epoch, 'grace', untilMs, 'graces', graces)
end
if id ~= run then
  at = now
  redis.call('HSET', epoch, 'id', run, 'at', at)
  beginGrace(id and goneAfter or math.min(${COLD_GRACE_MS}, goneAfter) - up)
end

local function record(of)
  local text = redis.call('HGET', members, of)
  if not text then return nil end
  local s, e, l, f = string.match(text, '^(%d+) (%S+) (%S+) (%d)$')
  return { seq = tonumber(s or 0), epoch = e or '-', link = l or '-', flag = f or '0' }
end
local function store(of, r)
  redis.call('HSET', members, of, string.format('%d %s %s %s', r.seq, r.epoch, r.link, r.flag))
end

local own = record(member)
local late = own ~= nil and seq <= own.seq
if not own and known ~= '' then beginGrace(goneAfter) end
if not late then
  store(member, { seq = seq, epoch = run, link = link, flag = '0' })
  redis.call('ZADD', seen, now, member)
  redis.call('ZREM', gone, member)
end

for index = 9 + claims * 4, #ARGV, 2 do
  local other = record(ARGV[index])
  if other and other.link == ARGV[index + 1] and other.epoch == run and other.flag == '0' then
    other.flag = '1'
    store(ARGV[index], other)
  end
end

local silent = {}
if now - at > goneAfter then
  for _, of in ipairs(redis.call('ZRANGEBYSCORE', seen, '-inf', now - goneAfter - 1, 'LIMIT', 0, 16)) do
    local other = record(of)
    if not other or other.flag ~= '0' or other.epoch ~= run then
      free(of)
      redis.call('ZREM', seen, of)
      redis.call('ZADD', gone, now, of)
    else
      silent[#silent + 1] = of
      silent[#silent + 1] = other.link
    end
  end
  for _, of in ipairs(redis.call('ZRANGEBYSCORE', gone, '-inf', now - 3600000, 'LIMIT', 0, 16)) do
    redis.call('ZREM', gone, of)
    redis.call('HDEL', members, of)
  end
end

local reply = { run, late and 1 or 0, own and 0 or 1, now < untilMs and 1 or 0, redis.call('ZCARD', seen) }
reply[6] = late and 0 or claims
for index = 9, 8 + (late and 0 or claims) * 4, 4 do
  local key, total = ARGV[index], tonumber(ARGV[index + 1])
  local hold, wish = tonumber(ARGV[index + 2]), tonumber(ARGV[index + 3])
  local cap = prefix .. ':c:' .. key
  local reserve = total >= 10 and math.max(1, math.floor(total / 20)) or 0
  local granted, wanted = others(cap, member)
  local grantable = total - reserve
  local want = math.min(wish, grantable)
  local due = 0
  if want > 0 then
    local all = wanted + want
    due = all <= grantable and want or math.max(1, math.ceil(grantable * want / all))
  end
  local room = math.max(0, grantable - granted)
  local count
  if now < untilMs then
    count = hold
    if hold == 0 and want > 0 then
      local spare, spareOf = unpack(redis.call('HMGET', cap, 'spare', 'spareOf'))
      spare = tonumber(spareOf or 0) == graces and tonumber(spare or 0) or 0
      if spare < math.floor(reserve / 2) then
        redis.call('HSET', cap, 'spare', spare + 1, 'spareOf', graces)
        count = 1
      end
    end
  else
    local overdue = hold > due + math.max(1, math.floor(due / 4))
    count = math.min(room, (hold > due and not overdue) and hold or due)
  end
  local block = math.max(hold, count)
  set(cap, member, granted, wanted, block, want)
  local keys = prefix .. ':k:' .. member
  if block > 0 or want > 0 then redis.call('SADD', keys, key) else redis.call('SREM', keys, key) end
  reply[#reply + 1] = key
  reply[#reply + 1] = count
  reply[#reply + 1] = due
end
for _, name in ipairs({ members, seen, gone, epoch, prefix .. ':k:' .. member }) do
  redis.call('PEXPIRE', name, ${KEPT_MS})
end
for _, word in ipairs(silent) do reply[#reply + 1] = word end
return reply
`;

/** Gives back everything that a member has. ARGV: member. */
export const LEAVE: string = `${NOW}${FREE}
free(ARGV[1])
redis.call('HDEL', prefix .. ':members', ARGV[1])
redis.call('ZREM', prefix .. ':seen', ARGV[1])
redis.call('ZREM', prefix .. ':gone', ARGV[1])
return 1
`;

/** Puts an entry. ARGV: section, key, value, how long it holds. */
export const PUT: string = `${NOW}
local values, expiry = prefix .. ':s:' .. ARGV[1], prefix .. ':x:' .. ARGV[1]
redis.call('HSET', values, ARGV[2], ARGV[3])
redis.call('ZADD', expiry, now + tonumber(ARGV[4]), ARGV[2])
local keep = math.max(${KEPT_MS}, tonumber(ARGV[4]))
for _, name in ipairs({ values, expiry }) do
  if redis.call('PTTL', name) < keep then redis.call('PEXPIRE', name, keep) end
end
return 1
`;

/** Removes an entry. ARGV: section, key. */
export const REMOVE: string = `${NOW}
redis.call('HDEL', prefix .. ':s:' .. ARGV[1], ARGV[2])
redis.call('ZREM', prefix .. ':x:' .. ARGV[1], ARGV[2])
return 1
`;

/** Reads a section: how many entries were left out, and each key with its value. ARGV: section. */
export const READ: string = `${NOW}
local values, expiry = prefix .. ':s:' .. ARGV[1], prefix .. ':x:' .. ARGV[1]
for _, key in ipairs(redis.call('ZRANGEBYSCORE', expiry, '-inf', now, 'LIMIT', 0, 1000)) do
  redis.call('HDEL', values, key)
  redis.call('ZREM', expiry, key)
end
local reply, taken = { 0 }, 0
for _, key in ipairs(redis.call('ZRANGE', expiry, 0, ${STORE_LIMITS.entries - 1})) do
  local length = redis.call('HSTRLEN', values, key)
  if length > 0 and length <= ${STORE_LIMITS.valueChars} and #key <= 512 then
    reply[#reply + 1] = key
    reply[#reply + 1] = redis.call('HGET', values, key)
    taken = taken + 1
  end
end
reply[1] = redis.call('HLEN', values) - taken
return reply
`;
