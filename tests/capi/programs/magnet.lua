-- answers each request of the web server
local r = lighty.r
local n = tonumber(r.req_attr["uri.query"]) or 10
local t = {}
for i = 1, n do t[#t + 1] = ("%d:%s"):format(i, i % 3 == 0 and "fizz" or "no") end
r.resp_header["Content-Type"] = "text/plain"
r.resp_body.set(table.concat(t, ",") .. " " .. r.req_attr["uri.path"] .. " " .. tostring(lighty.stat("/no/such/file")) .. "\n")
return 200
