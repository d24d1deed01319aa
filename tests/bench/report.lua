-- One line for the benchmark: requests, errors, 50th and 99th percentile in microseconds, bytes.
done = function(summary, latency)
    local e = summary.errors
    io.write(string.format("BENCH %d %d %d %d %d\n", summary.requests,
        e.connect + e.read + e.write + e.status + e.timeout,
        latency:percentile(50), latency:percentile(99), summary.bytes))
end
