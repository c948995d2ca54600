-- wrk's side of bench/load.py: sends the requests of a file in turn, prints figures as JSON.
-- The file is a number of bytes on a line, then so many bytes, again and again.
local shots, sent = {}, 0

function init(args)
  local file = assert(io.open(args[1], "rb"))
  for size in file:lines() do
    shots[#shots + 1] = file:read(tonumber(size))
  end
  file:close()
end

function request()
  sent = sent + 1
  return shots[(sent - 1) % #shots + 1]
end

function done(summary, latency, _)
  local bad = summary.errors
  local failures = bad.connect + bad.read + bad.write + bad.status + bad.timeout
  print(string.format(
    '{"requests": %d, "seconds": %.6f, "failures": %d, "p50": %.3f, "p95": %.3f, "p99": %.3f}',
    summary.requests, summary.duration / 1e6, failures,
    latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3))
end
