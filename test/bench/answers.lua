-- SPDX-License-Identifier: Apache-2.0
-- Tells at wrk's end how many requests were answered, and how many bytes the answers had: `answers: N bytes B`.

function done(summary)
    io.write(string.format("answers: %d bytes %d\n", summary.requests, summary.bytes))
end
