//! What `-j count=1` counts: every instruction once, wherever it ran, and guards.

use std::process::Command;

use serde_json::Value;

/// Loops, calls, recursion, side traces, coroutines, metamethods, errors; no branch becomes a selection in it.
const MIXED: &str = r#"
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
local point = setmetatable({}, { __add = function(a, b) return b end, __index = function(t, k) return k end })
local sum, list = 0, {}
for i = 1, 3000 do
  list[i] = i % 7 == 0 and tostring(i) or i
  local v = list[i]
  if type(v) == "string" then sum = sum + #v else sum = sum + v // 3 end
  for k = 1, i % 5 do sum = sum + k end
end
local wrapped = coroutine.wrap(function() for i = 1, 2000 do coroutine.yield(i) end end)
for _ = 1, 2000 do sum = sum + wrapped() end
for i = 1, 2000 do sum = point + sum; sum = sum + point[i] end
for i = 1, 500 do
  local ok = pcall(function() if i % 3 == 0 then error("x") end end)
  if not ok then sum = sum + 1 end
end
for k, v in pairs(list) do if v == k then sum = sum + 1 end end
print(sum, fib(20), #string.rep("x", 10):gsub("x", function(c) return c .. c end))
"#;

/// The statistics of a program that runs with these parameters, and what it prints.
fn run(source: &str, parameters: &str) -> (Value, String) {
    // no instruction is watched, so that branches stay branches
    run_as(source, &format!("watch=0,{parameters}"))
}

fn run_as(source: &str, parameters: &str) -> (Value, String) {
    let mut c = Command::new(env!("CARGO_BIN_EXE_traceorus"));
    for (name, _) in std::env::vars() {
        if name.starts_with("TRACEORUS_") || name.starts_with("LUA_") {
            c.env_remove(name);
        }
    }
    let o = c
        .args(["-j", parameters, "--stats=json", "-e", source])
        .output()
        .expect("it starts");
    let err = String::from_utf8_lossy(&o.stderr);
    let stats = serde_json::from_str(&err).unwrap_or_else(|e| panic!("{e}: {err}"));
    (stats, String::from_utf8_lossy(&o.stdout).into_owned())
}

fn executed(stats: &Value, what: &str) -> u64 {
    stats["executed"][what]
        .as_u64()
        .unwrap_or_else(|| panic!("no {what}: {}", stats["executed"]))
}

#[test]
fn each_instruction_counts_once_wherever_it_runs() {
    let (off, expected) = run(MIXED, "off,count=1");
    let all = executed(&off, "interpreted");
    assert_eq!(executed(&off, "compiled"), 0);
    assert!(all > 200_000, "{all}");
    for parameters in [
        "count=1",
        "count=1,exitrandom=50",
        "count=1,hotloop=3,hotcall=5,hotexit=2",
    ] {
        let (on, printed) = run(MIXED, parameters);
        assert_eq!(printed, expected, "{parameters}");
        let compiled = executed(&on, "compiled");
        if on["traces"]["list"].as_array().is_none_or(Vec::is_empty) {
            assert_eq!(compiled, 0, "nothing is compiled here");
            continue;
        }
        let sum = executed(&on, "interpreted") + compiled;
        // what a trace leaves off in the middle of is counted on one side or the other, or at worst on both or none
        let error = sum.abs_diff(all) as f64 / all as f64;
        assert!(error < 0.003, "{parameters}: {sum} instead of {all}");
        assert!(compiled > all / 2, "{parameters}: {compiled} of {all}");
    }
}

#[test]
fn a_loop_is_counted_exactly() {
    let source = "local s = 0 for i = 1, 100000 do s = s + i end";
    let (off, _) = run(source, "off,count=1");
    let (on, _) = run(source, "count=1");
    let sum = executed(&on, "interpreted") + executed(&on, "compiled");
    assert_eq!(sum, executed(&off, "interpreted"));
    // nearly everything is found out before the loop, but that it goes on
    if executed(&on, "compiled") != 0 {
        assert!(executed(&on, "interpreted") < 1000);
        assert!(executed(&on, "guards_recorded") > 2 * executed(&on, "guards"));
    }
}

#[test]
fn guards_of_types_that_fail_are_told() {
    let failed = |what: &str| {
        let source = format!(
            "local s = 0 local t = {{ 1, 2, 3, 4, 5, 6, 7, 8, 9, 'x' }} for i = 1, 20000 do\n\
             local v = t[i % 10 + 1] {what} end"
        );
        let (on, _) = run(&source, "count=1");
        let all = executed(&on, "type_guards");
        (all - executed(&on, "type_guards_held"), all)
    };
    let (n, all) = failed("s = s + #(v .. '')");
    assert!(all == 0 || (1500..2500).contains(&n), "{n} of {all}");
    // what the program asks for is no assumption
    for what in [
        "if type(v) == 'number' then s = s + v end",
        "if v == 'x' then s = s + 1 end",
    ] {
        let (n, all) = failed(what);
        assert!(n < 100, "{what}: {n} of {all}");
    }
    // nor what a look-up asks: whether there is a value, and how many elements, of which a table without any has no kind
    for source in [
        "local s, m = 0, setmetatable({ 1, 1, 1 }, { __index = function() return 2 end })
         for i = 1, 20000 do s = s + m[i % 4 + 1] end",
        "local s, leaf, node = 0, {}, { {}, {} }
         for i = 1, 20000 do local t = i % 3 == 0 and leaf or node if t[1] then s = s + 1 end end",
    ] {
        let (on, _) = run(source, "count=1");
        let all = executed(&on, "type_guards");
        let n = all - executed(&on, "type_guards_held");
        assert!(all > 1000 && n < 100, "{source}: {n} of {all}");
    }
    let source = "local s = 0 for i = 1, 1000 do s = s + i end";
    let (plain, _) = run(source, "on");
    assert!(plain["executed"].is_null(), "not counted unless asked for");
}

/// Loops run compiled, and check less than half of what was recorded.
#[test]
fn loops_run_compiled() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../bench/programs/common");
    for name in [
        "heat",
        "life",
        "lu",
        "mandelbrot",
        "matmul",
        "montecarlo",
        "nbody",
        "sieve",
        "spectral",
    ] {
        let source = format!("arg = {{ 0.25 }} dofile('{folder}/{name}.lua')");
        let (on, _) = run_as(&source, "count=1");
        let (compiled, performed) = (executed(&on, "compiled"), executed(&on, "performed"));
        if on["traces"]["list"].as_array().is_none_or(Vec::is_empty) {
            assert_eq!(compiled, 0, "nothing is compiled here");
            continue;
        }
        let all = compiled + executed(&on, "interpreted");
        assert!(
            100 * (compiled - performed) > 95 * all,
            "{name}: {compiled} - {performed} of {all}"
        );
        let (recorded, run) = (executed(&on, "guards_recorded"), executed(&on, "guards"));
        assert!(
            10 * run < 6 * recorded,
            "{name}: {run} guards of {recorded}"
        );
    }
}

/// Runs of compiled code are compared with what the interpreter does, those that are left for no reason included.
#[test]
fn runs_are_replayed() {
    let (on, printed) = run(
        MIXED,
        "hotloop=1,hotcall=1,hotexit=1,replay=20,exitrandom=30",
    );
    assert_eq!(printed, run(MIXED, "off").1);
    let made = on["traces"]["list"]
        .as_array()
        .is_some_and(|l| !l.is_empty());
    assert!(
        !made || on["replayed"].as_u64() > Some(5),
        "{}",
        on["replayed"]
    );
}
