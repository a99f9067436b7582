//! The trace compiler seen from outside: options, variables, the `jit` library, dumps and reports.

use std::path::PathBuf;
use std::process::Command;

/// Hot enough to be compiled, with a branch that makes a side trace.
const LOOP: &str = "local s = 0\nfor i = 1, 20000 do\n  s = s + i\n  if i % 3 == 0 then s = s - 1 end\nend\nprint(s)\n";

struct Ran {
    status: Option<i32>,
    out: String,
    err: String,
}

fn run_with(args: &[&str], vars: &[(&str, &str)]) -> Ran {
    let mut c = Command::new(env!("CARGO_BIN_EXE_traceorus"));
    for (name, _) in std::env::vars() {
        if name.starts_with("TRACEORUS_") || name.starts_with("LUA_") {
            c.env_remove(name);
        }
    }
    let o = c
        .args(args)
        .envs(vars.iter().copied())
        .output()
        .expect("it starts");
    Ran {
        status: o.status.code(),
        out: String::from_utf8_lossy(&o.stdout).into_owned(),
        err: String::from_utf8_lossy(&o.stderr).replace(env!("CARGO_BIN_EXE_traceorus"), "lua"),
    }
}

fn run(args: &[&str]) -> Ran {
    run_with(args, &[])
}

/// A file for one test; the folder is cargo's, the name the test's.
fn scratch(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn script(name: &str, text: &str) -> String {
    let path = scratch(name);
    std::fs::write(&path, text).expect("writable");
    path.to_str().expect("UTF-8").to_string()
}

/// Whether traces can be made here at all.
fn compiles() -> bool {
    let ok = run(&["-e", "print((jit.status()), pcall(jit.on))"]).out == "true\ttrue\n";
    if !ok {
        assert!(
            std::env::var_os("TRACEORUS_NO_SKIP").is_none(),
            "no traces can be made"
        );
        eprintln!("skipped: no traces can be made");
    }
    ok
}

#[test]
fn bad_values_end_the_program() {
    for (args, vars, message) in [
        (
            &["-j", "hotlop=1"][..],
            &[][..],
            "lua: -j: no parameter is called 'hotlop'\n",
        ),
        (
            &["-jhotloop=0"],
            &[],
            "lua: -j: parameter 'hotloop' must be 1 to 65534\n",
        ),
        (&["-Ox"], &[], "lua: -O: 'x' is neither a level"),
        (
            &["--dump", "x"],
            &[],
            "lua: --dump: no stage 'x' to dump; there are bc,",
        ),
        (
            &["--dump=ir:/nonexistent/x"],
            &[],
            "lua: cannot write dumps to /nonexistent/x: ",
        ),
        (
            &["--perf=x"],
            &[],
            "lua: --perf: 'x' is neither map nor jitdump\n",
        ),
        (
            &["--log", "a=b=c"],
            &[],
            "lua: TRACEORUS_LOG: 'a=b=c' is no filter: ",
        ),
        (
            &[],
            &[("TRACEORUS_JIT", "maybe")],
            "lua: TRACEORUS_JIT: 'maybe' is neither off, on nor",
        ),
        (
            &[],
            &[("TRACEORUS_OPT", "-flod")],
            "lua: TRACEORUS_OPT: no such pass: '-flod'",
        ),
        (
            &[],
            &[("TRACEORUS_DUMP", "ir,x")],
            "lua: TRACEORUS_DUMP: no stage 'x'",
        ),
        (
            &[],
            &[("TRACEORUS_PERF", "1")],
            "lua: TRACEORUS_PERF: '1' is neither",
        ),
        (
            &[],
            &[("TRACEORUS_GDBJIT", "x")],
            "lua: TRACEORUS_GDBJIT: 'x' is neither",
        ),
    ] {
        let args: Vec<&str> = args.iter().copied().chain(["-e", "print(1)"]).collect();
        let r = run_with(&args, vars);
        assert_eq!(
            (r.status, r.out.as_str()),
            (Some(1), ""),
            "{args:?} {vars:?}"
        );
        assert!(r.err.starts_with(message), "{args:?} {vars:?}: {}", r.err);
    }
}

#[test]
fn help_lists_the_parameters() {
    let r = run_with(&["-j", "help"], &[("TRACEORUS_JIT", "hotexit=3")]);
    assert_eq!(r.status, Some(0));
    let row = r.out.lines().find(|l| l.trim().starts_with("hotexit"));
    let row: Vec<&str> = row.expect("a row").split_whitespace().collect();
    assert_eq!(row[..4], ["hotexit", "3", "10", "1-65534"]);
}

#[test]
fn switched_off() {
    let file = script("switched_off.lua", LOOP);
    for (args, vars) in [
        (&["-joff"][..], &[][..]),
        (&[], &[("TRACEORUS_JIT", "off")]),
        (&["-j", "maxtrace=0"], &[]),
    ] {
        let args: Vec<&str> = args
            .iter()
            .copied()
            .chain(["--dump=trace", &file])
            .collect();
        let r = run_with(&args, vars);
        assert_eq!((r.status, r.out.as_str()), (Some(0), "200003334\n"));
        assert!(!r.err.contains("---- TRACE 1"), "{}", r.err);
    }
}

#[test]
fn dumps() {
    if !compiles() {
        return;
    }
    let file = script("dumps.lua", LOOP);
    let all = "bc,rec,ir,snap,ra,mc,exit,sym";
    let one = run(&["-O-select", "--dump", all, &file]);
    assert_eq!((one.status, one.out.as_str()), (Some(0), "200003334\n"));
    for part in [
        "main <",
        "---- TRACE 1 IR\n",
        "  #0 pc=/",
        "---- TRACE 1 registers\n",
        "---- TRACE 1 loop ",
        "---- TRACE 1 mcode ",
        "->entry:\n",
        "->loop:\n",
        "---- TRACE 1 exit ",
        "side of 1/",
    ] {
        assert!(one.err.contains(part), "no '{part}' in\n{}", one.err);
    }
    assert!(!one.err.contains('\x1b'), "colours only on a terminal");
    // with names instead of addresses, what is not about memory is the same in each run
    let stages = "rec,snap,mc,exit,sym";
    let dump = || run_with(&[&file], &[("TRACEORUS_DUMP", stages)]).err;
    assert_eq!(dump(), dump());
    // to a file
    let to = scratch("dumps.txt");
    let spec = format!("trace:{}", to.display());
    let r = run(&["--dump", &spec, &file]);
    assert_eq!(r.err, "");
    let text = std::fs::read_to_string(&to).expect("the file");
    assert!(text.starts_with("---- TRACE 1 loop "), "{text}");
}

#[test]
fn statistics() {
    let file = script("statistics.lua", LOOP);
    let r = run(&["--stats", &file]);
    assert_eq!(r.out, "200003334\n");
    assert!(
        r.err.starts_with("---- statistics of the trace compiler\n"),
        "{}",
        r.err
    );
    for part in ["\ntraces ", "\nguards ", "\nexits ", "\ntime "] {
        assert!(r.err.contains(part), "no '{part}' in\n{}", r.err);
    }
    // as JSON, however the program ends
    for (n, end) in ["", "os.exit(3)", "os.exit(3, true)", "error('x')"]
        .iter()
        .enumerate()
    {
        let file = script(&format!("statistics{n}.lua"), &format!("{LOOP}{end}"));
        let to = scratch(&format!("statistics{n}.json"));
        let _ = std::fs::remove_file(&to);
        let spec = format!("json:{}", to.display());
        let r = run_with(&[&file], &[("TRACEORUS_STATS", &spec)]);
        assert_eq!(r.out, "200003334\n");
        let text = std::fs::read(&to).expect("the file");
        let v: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
        if compiles() {
            assert!(v["traces"]["loops"].as_u64() >= Some(1), "{end}: {v}");
            assert!(v["guards"]["asked"].as_u64() >= v["guards"]["implied"].as_u64());
            let start = &v["traces"]["list"][0]["start"];
            assert_eq!(start["chunk"], file.as_str());
            assert_eq!(start["line"], 3);
        }
    }
    let r = run(&["--stats=/nonexistent/x", "-e", "print(1)"]);
    assert_eq!((r.status, r.out.as_str()), (Some(0), "1\n"));
    assert!(
        r.err
            .starts_with("cannot write statistics to /nonexistent/x: "),
        "{}",
        r.err
    );
}

/// Where the Lua code of a library function would be slower than the function itself, it runs only if it may be compiled.
#[test]
fn slow_bodies_are_for_the_compiler() {
    for (n, work) in [
        "('a b c d'):gsub('%a', function() end)",
        "string.format('%s', setmetatable({}, {__tostring = function() return 'x' end}))",
    ]
    .iter()
    .enumerate()
    {
        let file = script(
            &format!("slow_bodies{n}.lua"),
            &format!("for i = 1, 100 do local s = {work} end"),
        );
        let to = scratch(&format!("slow_bodies{n}.json"));
        let executed = |jit: &str| {
            let spec = format!("json:{}", to.display());
            let env = [("TRACEORUS_STATS", spec.as_str()), ("TRACEORUS_JIT", jit)];
            run_with(&[&file], &env);
            let text = std::fs::read(&to).expect("the file");
            let v: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
            let e = &v["executed"];
            ["interpreted", "compiled", "performed"]
                .iter()
                .map(|k| e[k].as_u64().expect("a number"))
                .sum::<u64>()
        };
        let (off, on) = (executed("off,count=1"), executed("count=1"));
        assert!(off > 100 && off < 2500, "{work}: {off} instructions");
        if compiles() {
            assert!(on > off + 500, "{work}: {on} instructions, {off} without");
        }
    }
}

#[test]
fn explanation() {
    let file = script("explanation.lua", LOOP);
    let r = run(&["--explain", "-joff", &file]);
    assert!(r.err.starts_with("Nothing is compiled"), "{}", r.err);
    let r = run(&["--explain", "-e", "print(1)"]);
    if compiles() {
        assert!(r.err.starts_with("No line was hot"), "{}", r.err);
        let r = run(&["--explain", &file]);
        let at = format!("{file}:3: s = s + i");
        let (_, rest) = r.err.split_once(&at).expect(&r.err);
        let verdict = rest.lines().nth(1).expect("a verdict");
        assert_eq!(verdict, "    compiled: trace 1 of a loop begins here");
        // hot, and not to be compiled
        let hook = "local function f()\n  local s = 0\n  for i = 1, 2000 do\n    s = s + i\n  end\n  return s\nend\njit.off(f)\nf()\n\
                    for i = 1, 500 do\n  f()\nend\n";
        let file = script("explanation_off.lua", hook);
        let r = run(&["--explain", "-j", "hotloop=5", &file]);
        assert!(
            r.err.contains("compilation is switched off for it"),
            "{}",
            r.err
        );
    }
}

#[test]
fn log() {
    if !compiles() {
        return;
    }
    let file = script("log.lua", LOOP);
    let r = run_with(&[&file], &[("TRACEORUS_LOG", "compile=debug")]);
    assert!(
        r.err
            .lines()
            .any(|l| l.contains("DEBUG compile: compiled number=1")),
        "{}",
        r.err
    );
    assert_eq!(
        run_with(&[&file], &[("TRACEORUS_LOG", "record=error")]).err,
        ""
    );
}

#[test]
fn perf_map() {
    if !compiles() {
        return;
    }
    let file = script(
        "perf_map.lua",
        &format!("{LOOP}print(io.open('/proc/self/stat'):read('n'))"),
    );
    let r = run_with(&[&file], &[("TRACEORUS_PERF", "map")]);
    let pid = r.out.lines().nth(1).expect("a number");
    let name = format!("/tmp/perf-{pid}.map");
    let map = std::fs::read_to_string(&name).expect("a map");
    std::fs::remove_file(&name).expect("it is ours");
    let line = map
        .lines()
        .find(|l| l.contains("trace_1:loop:"))
        .expect("trace 1");
    let words: Vec<&str> = line.splitn(3, ' ').collect();
    assert!(u64::from_str_radix(words[0], 16).is_ok() && u64::from_str_radix(words[1], 16).is_ok());
    assert!(words[2].ends_with("perf_map.lua:3"), "{line}");
}

#[test]
fn library() {
    let r = run(&[concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/jit/library.lua"
    )]);
    assert_eq!((r.status, r.err.as_str()), (Some(0), ""));
    if compiles() {
        let r = run(&[concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/jit/compiled.lua"
        )]);
        assert_eq!((r.status, r.err.as_str()), (Some(0), ""));
    }
    if compiles() {
        let r = run(&[concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/jit/coroutines.lua"
        )]);
        assert_eq!((r.status, r.err.as_str()), (Some(0), ""));
    }
    // what programs turn off stays off
    let file = script("library_off.lua", &format!("jit.off(true, true)\n{LOOP}"));
    let r = run(&["--dump=trace", &file]);
    assert!(!r.err.contains("---- TRACE 1 "), "{}", r.err);
}

#[test]
fn strings_are_not_left_to_helpers() {
    if !compiles() {
        return;
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/jit/strings.lua");
    let off = run(&["-joff", file]);
    let r = run(&["--stats", file]);
    assert_eq!((r.status, &r.out), (Some(0), &off.out));
    let compiled = r.err.lines().find(|l| l.starts_with("traces"));
    assert!(
        compiled.is_some_and(|l| l.contains(" 2 of loops")),
        "{}",
        r.err
    );
    assert!(!r.err.contains("by calling their helpers"), "{}", r.err);
}

/// The snapshots of the traces of `text`.
fn snapshots(name: &str, text: &str) -> String {
    let r = run(&["--dump=snap", &script(name, text)]);
    assert_eq!(r.status, Some(0), "{}", r.err);
    r.err
}

/// A branch that goes the other way is complete: its exit does not restore what it has looked at, and what follows does not look again.
#[test]
fn exits_of_branches_are_where_they_lead() {
    if !compiles() {
        return;
    }
    let head = "local t, n, m = {}, 0, {}\nfor i = 1, 200 do t[i] = i % 9 == 0 end\n";
    let text = format!(
        "{head}for _ = 1, 50 do for i = 1, 200 do if t[i] then m[n % 5] = n; n = n + 1 end end end print(n)"
    );
    let ir = snapshots("decided.lua", &text);
    assert!(ir.contains("decided=1"), "{ir}");
    assert!(ir.contains("TRUTHY") || ir.contains("TFALSY"), "{ir}");
    // the element's payload is of no use to anybody
    assert!(!ir.contains("any LDV"), "{ir}");
    let mut sides = ir.split("---- TRACE ").filter(|t| t.contains("pvals:"));
    let again = |s: &&str| s.contains(">  tag TTRUTHY") || s.contains(">  tag TFALSY");
    assert!(ir.contains("pvals:") && !sides.any(|s| again(&s)), "{ir}");
    // must not: tables may be equal by __eq, so an exit of the comparison is where that begins
    let text = format!(
        "{head}local a, b = {{}}, {{}} local list = {{ a, b }} for i = 1, 3000 do local x = list[i % 8 // 7 + 1] if x == a then n = n + 1 end end print(n)"
    );
    let ir = snapshots("decided_not.lua", &text);
    let is_comparison = |l: &str| l.contains(">  tab EQ") || l.contains(">  tab NE");
    let guard = ir.lines().position(is_comparison);
    let guard = guard.unwrap_or_else(|| panic!("no comparison: {ir}"));
    let lines: Vec<&str> = ir.lines().take(guard).collect();
    let snap = lines.iter().rev().find(|l| l.starts_with("  #"));
    assert!(snap.is_some_and(|s| !s.contains("decided=1")), "{ir}");
}

/// Dumping exits does not keep ways from meeting: those exits go to traces.
#[test]
fn ways_meet_where_exits_are_dumped() {
    if !compiles() {
        return;
    }
    // (stores, so no selections)
    let text = "local n = { 0, 0, 0, 0 }
for i = 1, 20000 do
  local x = i * 7919 % 1013
  if x % 2 == 0 then n[1] = n[1] + x else n[2] = n[2] + i end
  if x % 3 == 0 then n[2] = n[2] + x else n[3] = n[3] + i end
  if x % 5 < 2 then n[3] = n[3] + x else n[4] = n[4] + i end
  if x % 7 < 3 then n[4] = n[4] + x else n[1] = n[1] + i end
end
print(table.concat(n, ' '))
";
    let r = run(&[
        "--dump=exit",
        "-jmaxcompile=100",
        &script("meets.lua", text),
    ]);
    assert_eq!(r.status, Some(0), "{}", r.err);
    assert!(r.err.contains(" meet "), "{}", r.err);
    assert!(r.err.matches(" exit ").count() < 1000, "{}", r.err);
}

/// What the traces of a function that calls itself are, if it is inlined into itself so often.
fn recursion(unroll: u32) -> String {
    let text = "local function fib(k)\n  if k < 2 then return k end\n  return fib(k - 1) + fib(k - 2)\nend\nprint(fib(24))\n";
    let file = script(&format!("recursion{unroll}.lua"), text);
    let set = format!("-jrecunroll={unroll}");
    let r = run(&["--dump=ir,exit", &set, &file]);
    assert_eq!(
        (r.status, r.out.as_str()),
        (Some(0), "46368\n"),
        "{}",
        r.err
    );
    r.err
}

#[test]
fn recursion_is_compiled() {
    if !compiles() {
        return;
    }
    let (plain, inlined) = (recursion(0), recursion(2));
    for heads in [&plain, &inlined] {
        assert!(heads.contains("function "), "{heads}");
        assert!(heads.contains("continuation "), "{heads}");
        assert!(heads.contains("-> continuation of the caller"), "{heads}");
        // nearly all calls and returns stay in compiled code
        assert!(heads.matches(" exit ").count() < 400, "{heads}");
    }
    // a call with two frames between, and never more than that
    assert!(
        plain.contains("BASE +2") && !plain.contains("BASE +4"),
        "{plain}"
    );
    assert!(
        inlined.contains("BASE +6") && !inlined.contains("BASE +8"),
        "{inlined}"
    );
    // nothing is made, so nothing is polled for; one check of the stack for all frames
    assert!(!inlined.contains("POLL"), "{inlined}");
    let checks = inlined.split(" IR\n").map(|t| t.matches("STKCHK").count());
    assert_eq!(checks.max(), Some(1), "{inlined}");
}

/// A root trace would not know how many arguments there are.
#[test]
fn vararg_functions_are_inlined_only() {
    if !compiles() {
        return;
    }
    let text = "local function sum(a, ...)\n  if not a then return 0 end\n  return a + sum(...)\nend\n\
                local s = 0\nfor i = 1, 500 do s = s + sum(i, 2, 3) end\n\
                local function two(...) return ... end\nfor i = 1, 500 do s = s + two(i, 1) end\nprint(s)\n";
    let file = script("vararg_functions.lua", text);
    let r = run(&["--dump=trace,sym", &file]);
    assert_eq!(
        (r.status, r.out.as_str()),
        (Some(0), "253000\n"),
        "{}",
        r.err
    );
    let compiled = |kind| {
        let of = |l: &str| l.contains(kind) && !l.contains(" abort ");
        r.err.lines().any(of)
    };
    assert!(compiled(" loop ") && !compiled(" function "), "{}", r.err);
}

#[test]
fn recursion_that_makes_objects_polls() {
    if !compiles() {
        return;
    }
    let text = "local function tree(d)\n  if d == 0 then return {} end\n  return {tree(d - 1), tree(d - 1)}\nend\n\
                for i = 1, 20 do tree(8) end\nprint(#tree(3))\n";
    let file = script("recursion_objects.lua", text);
    let r = run(&["--dump=ir", &file]);
    assert_eq!((r.status, r.out.as_str()), (Some(0), "2\n"), "{}", r.err);
    assert!(r.err.contains("POLL"), "{}", r.err);
}

/// What ends traces of a loop with two ways, the second of which is `other`; the first only looks at what is in `o`, `t` and the upvalue `u`.
fn ends_of_side_traces(name: &str, other: &str) -> String {
    let text = format!(
        "local o, t, u = {{ x = 1 }}, {{ 1, 2, 3 }}, 1
local function get() u = u + 0 return u end
local function run(step)
  local i, s, k = 0, 0, 1
  while i < 4000 do
    if i % 7 < 4 then s = s + o.x + t[1] + #t + u * k + step else {other} end
    i = i + 1
  end
  return s
end
print(run(1), get())"
    );
    let file = script(&format!("enters_{name}.lua"), &text);
    let off = run(&["-joff", &file]);
    let r = run(&["-O-select", "-j", "watch=0", "--dump=trace", &file]);
    assert_eq!(r.out.lines().next(), off.out.lines().next(), "{name}");
    r.out + &r.err
}

#[test]
fn side_traces_go_on_in_the_body() {
    if !compiles() {
        return;
    }
    let body = "-> body of a loop";
    for (name, other) in [
        ("values", "s = s - i"),
        ("made", "local n = { i } s = s + #n"),
        ("read", "s = s + o.x + t[i % 3 + 1] + u"),
    ] {
        let ends = ends_of_side_traces(name, other);
        assert!(ends.contains(body), "{name}: {ends}");
    }
    // what the loop relies on is changed, or may be
    for (name, other) in [
        ("field", "o.x = i"),
        ("alias", "local p = t[7] or o p.x = i"),
        ("shape", "o.y = i"),
        ("object", "o = { x = i }"),
        ("element", "t[1] = i"),
        ("length", "t[#t + 1] = i t[#t] = nil"),
        (
            "metatable",
            "setmetatable(o, i % 2 == 0 and { __index = t } or nil)",
        ),
        ("upvalue", "u = i"),
        ("slot", "step = i"),
        ("same", "k = k + 0"),
        ("call", "collectgarbage('step')"),
    ] {
        let ends = ends_of_side_traces(name, other);
        assert!(
            ends.contains("side of") && !ends.contains(body),
            "{name}: {ends}"
        );
    }
}
