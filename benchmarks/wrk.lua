-- wrk -s wrk.lua URL -- SHARE FILE [SHARE FILE ...]
-- Sends random requests from files, each file in its share. A file has complete requests, each
-- followed by a NUL; ten # in a request become a random number.
local MARK = ("#"):rep(10)
local plan = {}

local function read(name)
  local file = assert(io.open(name, "rb"))
  local pool = {}
  for text in file:read("*a"):gmatch("%Z+") do table.insert(pool, text) end
  file:close()
  pool.varies = pool[1]:find(MARK, 1, true)
  return pool
end

function init(args)
  math.randomseed(os.time())
  for n = 1, #args, 2 do
    local pool = read(args[n + 1])
    for _ = 1, tonumber(args[n]) do table.insert(plan, pool) end
  end
end

function request()
  local pool = plan[math.random(#plan)]
  local text = pool[math.random(#pool)]
  if pool.varies then
    text = text:gsub(MARK, ("%010d"):format(math.random(10 ^ 9)))
  end
  return text
end

function done(summary, latency)
  local errors = summary.errors
  local function ms(percent) return latency:percentile(percent) / 1000 end
  io.write(("RESULT {\"requests\": %d, \"seconds\": %f, \"errors\": %d, "):format(
    summary.requests, summary.duration / 1e6,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout))
  io.write(("\"latencies\": {\"p50\": %f, \"p95\": %f, \"p99\": %f}}\n"):format(ms(50), ms(95), ms(99)))
end
