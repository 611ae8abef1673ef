-- Sends the bytes of the file BENCH_REQUEST as they are, over and over, and prints the counts as one JSON line.
local file = assert(io.open(assert(os.getenv("BENCH_REQUEST")), "rb"))
local bytes = file:read("*a")
file:close()

wrk.format = function() return bytes end

function done(summary)
  local e = summary.errors
  local failures = e.connect + e.read + e.write + e.status + e.timeout
  io.write(string.format('\nBENCH {"requests":%d,"failures":%d,"durationUs":%d}\n', summary.requests, failures, summary.duration))
end
