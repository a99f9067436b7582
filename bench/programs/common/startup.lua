-- group: startup
-- Start, print one line, stop.
print("startup")
