-- One script for every case: method, size of the body and "close" come as arguments after the URL.
-- With a number of keys behind them, so many requests are made beforehand and sent in turn; else
-- `request` is not defined, so wrk builds the bytes once and the generator stays cheap.
function init(args)
  wrk.method = args[1]
  local size = tonumber(args[2])
  if size > 0 then
    wrk.body = string.rep("x", size)
    wrk.headers["Content-Type"] = "application/octet-stream"
  end
  if args[3] == "close" then wrk.headers["Connection"] = "close" end
  local keys = tonumber(args[4])
  if keys > 0 then
    local made, turn = {}, 0
    for i = 1, keys do made[i] = wrk.format(nil, wrk.path .. "?" .. i) end
    function request()
      turn = turn % keys + 1
      return made[turn]
    end
  end
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\nRESULT {"requests":%d,"micros":%d,"bytes":%d,"p50":%d,"p99":%d,"max":%d,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}\n',
    summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(99), latency.max,
    e.connect, e.read, e.write, e.status, e.timeout))
end
