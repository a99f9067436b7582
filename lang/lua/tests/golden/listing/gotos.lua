::top::
local x = f()
if x == 1 then goto top elseif x == 2 then goto done end
do goto inner; ::inner:: end
for i = 1, 3 do
  local y <close> = f()
  if y then goto next end
  if x then goto done end
  ::next::
end
goto done
::done:: ;
