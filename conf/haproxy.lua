-- SPDX-License-Identifier: Apache-2.0
-- Asks httpd about each request that HAProxy gets: the action keycloak of haproxy.cfg, which see.
-- HAProxy 2.6 or later, built with Lua; no other Lua module is needed.

-- Where httpd's judge listens (conf/forward-auth.conf, with KC_JUDGE_FOR forwarded).
local JUDGE = os.getenv("KEYCLOAK_JUDGE") or "http://127.0.0.1:8080/"
-- How long an answer is waited for. A sign-in's last step asks Keycloak.
local TIMEOUT_MS = 30000

-- The headers of an answer that allows: they are sent to the backend in place of the client's. Add each
-- KeycloakHeader. Cookie has to stay: it is without the session's cookie.
local FROM_ANSWER = { "kubeflow-userid", "kubeflow-groups", "cookie" }

-- What belongs to one connection, or is said of the request here, and so is not handed on.
local NOT_ASKED = {
    ["connection"] = true, ["keep-alive"] = true, ["proxy-connection"] = true, ["te"] = true, ["trailer"] = true,
    ["transfer-encoding"] = true, ["upgrade"] = true, ["content-length"] = true, ["expect"] = true,
    ["x-forwarded-uri"] = true, ["x-forwarded-method"] = true, ["x-forwarded-for"] = true,
}
local NOT_ANSWERED = {
    ["connection"] = true, ["keep-alive"] = true, ["transfer-encoding"] = true, ["content-length"] = true,
}

local from_answer = {}
for _, name in ipairs(FROM_ANSWER) do
    from_answer[name] = true
    NOT_ANSWERED[name] = true
end

-- Header names that some backend takes for the same one have the same plain name.
local function plain(name)
    return (name:lower():gsub("[^%w]", "-"))
end

-- The values of a header of HAProxy's, whose tables begin at 0.
local function list(values)
    local found = {}
    for i = 0, #values do
        if values[i] then
            found[#found + 1] = values[i]
        end
    end
    return found
end

local function question(txn, sent)
    local asked = {}
    for name, values in pairs(sent) do
        if not NOT_ASKED[plain(name)] and (name == "cookie" or not from_answer[plain(name)]) then
            asked[name] = list(values)
        end
    end
    asked["x-forwarded-uri"] = { txn.f:pathq() }
    asked["x-forwarded-method"] = { txn.f:method() }
    return asked
end

local function refuse(txn, answer)
    local reply = txn:reply()
    local status = answer and answer.status or 502
    if status < 300 or status > 599 then
        status = 403
    end
    reply:set_status(status)
    for name, values in pairs(answer and answer.headers or {}) do
        if not NOT_ANSWERED[name] then
            for _, value in ipairs(list(values)) do
                reply:add_header(name, value)
            end
        end
    end
    reply:set_body(answer and answer.body or "")
    txn:done(reply)
end

-- A header that Connection names is of one connection: a proxy behind us would take the identity away.
local function drops_identity(sent)
    for _, header in ipairs({ "connection", "trailer" }) do
        for _, value in ipairs(list(sent[header] or {})) do
            for token in value:gmatch("[^,%s]+") do
                if from_answer[plain(token)] then
                    return true
                end
            end
        end
    end
    return false
end

core.register_action("keycloak", { "http-req" }, function(txn)
    local sent = txn.http:req_get_headers()
    if drops_identity(sent) then
        return refuse(txn, { status = 400, headers = {}, body = "" })
    end
    local answer = core.httpclient():get({ url = JUDGE, headers = question(txn, sent), timeout = TIMEOUT_MS })
    if not answer or answer.status ~= 200 then
        return refuse(txn, answer)
    end
    for name in pairs(sent) do
        if from_answer[plain(name)] then
            txn.http:req_del_header(name)
        end
    end
    for _, name in ipairs(FROM_ANSWER) do
        for _, value in ipairs(list(answer.headers[name] or {})) do
            if value ~= "" then
                txn.http:req_add_header(name, value)
            end
        end
    end
    -- haproxy.cfg refuses what does not have this, so that a fault in here lets nobody in.
    txn:set_var("txn.keycloak_allows", true)
end)
