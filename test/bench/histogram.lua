-- SPDX-License-Identifier: Apache-2.0
-- Tells at wrk's end how long it took in microseconds, how many requests it made, and how many of them
-- took which time: `histogram: duration D requests N`, `histogram: TIME COUNT`.

function done(summary, latency)
    io.write(string.format("histogram: duration %d requests %d\n", summary.duration, summary.requests))
    for index = 1, #latency do
        io.write(string.format("histogram: %d %d\n", latency(index)))
    end
end
