-- SPDX-License-Identifier: Apache-2.0
-- wrk's requests with one of many session cookies, drawn anew for each: wrk … URL -- FILE HOW_MANY
-- FILE holds a cookie's value on each line, all of one length; the first HOW_MANY take part. The
-- file stays one string, so that a million cookies cost the client what one does.

local head, tail, cookies, length, count

function init(args)
    local file = assert(io.open(args[1], "rb"))
    cookies = file:read("*a")
    file:close()
    length = cookies:find("\n", 1, true)
    count = tonumber(args[2])
    assert(count * length <= #cookies, "the file has too few cookies")
    wrk.headers["Cookie"] = "keycloak_session=@"
    head, tail = wrk.format():match("^(.*)@(.*)$")
    math.randomseed(os.time())
end

function request()
    local at = (math.random(count) - 1) * length
    return head .. cookies:sub(at + 1, at + length - 1) .. tail
end
