-- What wrk sends and what it tells at the end.
--
-- Arguments after "--": get PATH | users MOST | create PREFIX

local kind, value

-- Each thread has its own state; there is one thread.
function init(arguments)
  kind, value = arguments[1], arguments[2]
  if kind == "users" then
    local requests = {}
    for id = 1, tonumber(value) do
      requests[id] = wrk.format("GET", "/users/" .. id)
    end
    math.randomseed(os.time())
    request = function()
      return requests[math.random(#requests)]
    end
  elseif kind == "create" then
    local count = 0
    wrk.headers["Content-Type"] = "application/json"
    request = function()
      count = count + 1
      local body = '{"name":"Ada Lovelace","email":"' .. value .. count .. '@example.com"}'
      return wrk.format("POST", "/users", nil, body)
    end
  else
    wrk.path = value
    local fixed = wrk.format("GET", value)
    request = function()
      return fixed
    end
  end
end

-- Seconds and microseconds are wrk's own: durations and latencies come in microseconds.
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"p50_us":%d,"p99_us":%d,"broken":%d,"refused":%d}\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.timeout, errors.status))
end
