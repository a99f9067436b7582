//! When traces are made, put to sleep, removed: what the statistics of a program say of that.

use std::path::PathBuf;
use std::process::Command;

/// What a program printed, and the statistics of its traces.
struct Ran {
    out: String,
    stats: serde_json::Value,
}

impl Ran {
    fn n(&self, group: &str, name: &str) -> u64 {
        self.stats[group][name].as_u64().expect("a number")
    }
    fn trees(&self, name: &str) -> u64 {
        self.n("trees", name)
    }
    fn aborts(&self) -> u64 {
        let causes = self.stats["aborts"]["causes"].as_object();
        causes.map_or(0, |c| c.values().filter_map(|n| n.as_u64()).sum())
    }
}

/// Runs `text` with these parameters, and without the compiler: the output has to be the same. `None`: no traces can be made here.
fn run(name: &str, set: &str, text: &str) -> Option<Ran> {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let file = dir.join(format!("policy_{name}.lua"));
    let to = dir.join(format!("policy_{name}.json"));
    std::fs::write(&file, text).expect("writable");
    let command = |jit: &str| {
        let mut c = Command::new(env!("CARGO_BIN_EXE_traceorus"));
        for (name, _) in std::env::vars() {
            if name.starts_with("TRACEORUS_") || name.starts_with("LUA_") {
                c.env_remove(name);
            }
        }
        c.env("TRACEORUS_STATS", format!("json:{}", to.display()));
        c.env("TRACEORUS_JIT", jit);
        let o = c.arg(&file).output().expect("it starts");
        let err = String::from_utf8_lossy(&o.stderr).into_owned();
        assert!(o.status.success(), "{name}: {err}");
        String::from_utf8_lossy(&o.stdout).into_owned()
    };
    let plain = command("off");
    let out = command(set);
    assert_eq!(out, plain, "{name}");
    let stats = std::fs::read(&to).expect("statistics");
    let stats: serde_json::Value = serde_json::from_slice(&stats).expect("JSON");
    if stats["on"] != true {
        assert!(
            std::env::var_os("TRACEORUS_NO_SKIP").is_none(),
            "no traces can be made"
        );
        return None;
    }
    Some(Ran { out, stats })
}

/// `n` functions with a loop each, in `f`.
fn functions(n: u32) -> String {
    format!(
        "local f = {{}}\nfor k = 1, {n} do\n  f[k] = load('return function(n) local s = 0 for i = 1, n do s = s + i * ' .. k .. \
         ' % 7 end return s end')()\nend\nlocal s = 0\n"
    )
}

/// Thousands of small loops, each hot for a while: all are compiled, in the place of those that are not used any more.
#[test]
fn cold_trees_make_room() {
    let text = functions(2000) + "for k = 1, 2000 do s = s + f[k](150) end\nprint(s)\n";
    let Some(r) = run("cold", "maxtrace=100,maxcompile=100", &text) else {
        return;
    };
    assert!(r.n("traces", "loops") >= 1900, "it stopped compiling");
    assert!(r.trees("evicted") >= 1700);
    // (side traces of the last loop, whose tree would fill all of the room)
    let refused = r.n("recordings", "refused");
    assert!(refused < 30 && r.aborts() < 100, "{refused} {}", r.aborts());
}

/// With little code memory holes are filled again.
#[test]
fn code_memory_is_used_again() {
    let text = functions(1000) + "for k = 1, 1000 do s = s + f[k](150) end\nprint(s)\n";
    let Some(r) = run("holes", "maxmcode=64", &text) else {
        return;
    };
    assert!(r.n("traces", "loops") >= 950, "it stopped compiling");
    assert!(r.trees("evicted") > 500 && r.n("size", "bytes") > 300_000);
}

/// What is used all the time stays, also when other things come and go.
#[test]
fn trees_in_use_stay() {
    let text = functions(600)
        + "local function inner(n) local t = 0 for i = 1, n do t = t + i % 3 end return t end\n\
           for k = 1, 600 do s = s + f[k](150) + inner(100) end\nprint(s)\n";
    let Some(r) = run("used", "maxtrace=60", &text) else {
        return;
    };
    assert!(r.n("traces", "loops") >= 550);
    // `inner` is woken after each nap, and not compiled again and again
    assert!(r.trees("woken") >= 1 && r.trees("woken") < 400);
    let again = r.n("traces", "loops") - 600.min(r.n("traces", "loops"));
    assert!(again < 60, "{again}");
}

/// More hot loops than there is room for, one after the other: what is compiled stays, the others are tried more and more rarely.
#[test]
fn no_thrashing() {
    let text =
        functions(60) + "for r = 1, 300 do for k = 1, 60 do s = s + f[k](60) end end\nprint(s)\n";
    let Some(r) = run("thrash", "maxtrace=20", &text) else {
        return;
    };
    let begun = r.n("recordings", "begun");
    assert!((20..1500).contains(&begun), "{begun}");
}

/// Trees that others jump into can be removed, and be there again.
#[test]
fn links_are_opened_and_closed() {
    let text = functions(300)
        + "local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end\n\
           local t = { 1, 2, 3, 4 }
        local function walk(n) local t = 0 for i = 1, n do t = t + fib(i % 9) end return t end\n\
           for k = 1, 300 do s = s + f[k](120)\n\
             if k % 3 == 0 then s = s + walk(60) end\n\
             if k % 50 == 0 then collectgarbage() end\n\
           end\nprint(s)\n";
    for maxtrace in [25, 40, 60] {
        let Some(r) = run("links", &format!("maxtrace={maxtrace}"), &text) else {
            return;
        };
        assert!(r.trees("evicted") > 50 && r.trees("woken") > 0);
    }
}

/// The same where a loop of the tree has several ways: traces of other trees end in its first one only.
#[test]
fn links_lead_to_roots() {
    let text = functions(300)
        + "local lists = {{}, {}, {}}\nfor i = 1, 60 do lists[1][i] = i; lists[2][i] = i + 0.5; lists[3][i] = i .. '' end\n\
           local function sum(t) local n = 0 for i = 1, #t do n = n + t[i] end return n end\n\
           local function total(k) local n = sum(lists[k % 3 + 1]) return n + sum(lists[(k + 1) % 3 + 1]) end\n\
           for k = 1, 300 do s = s + f[k](120)\n\
             if k % 4 ~= 0 then for j = 1, 40 do s = s + total(k + j) end end\n\
           end\nprint(s)\n";
    for maxtrace in [30, 50, 80] {
        let Some(r) = run("roots", &format!("maxtrace={maxtrace}"), &text) else {
            return;
        };
        assert!(r.trees("evicted") > 50 && r.trees("woken") > 0);
    }
}

/// Coroutines and callbacks that are inside of a tree when it is removed.
#[test]
fn trees_are_removed_under_their_users() {
    let text = functions(400)
        + "local n = 0\n\
           local function gen(k) return coroutine.wrap(function() for i = 1, 1e9 do coroutine.yield(i * k) end end) end\n\
           local g1, g2 = gen(1), gen(2)\n\
           local o = setmetatable({}, {__index = function(t, k) n = n + 1; return f[n % 400 + 1](80) end})\n\
           for k = 1, 400 do\n\
             for i = 1, 30 do s = s + g1() - g2() + o[i] end\n\
             table.sort({3, 1, 2, k}, function(a, b) s = s + f[k](70) return a < b end)\n\
           end\nprint(s)\n";
    if let Some(r) = run("under", "maxtrace=30", &text) {
        assert!(r.trees("evicted") > 50);
    }
}

/// Programs that fit are left alone.
#[test]
fn nothing_is_removed_without_need() {
    let text = functions(100) + "for k = 1, 100 do s = s + f[k](300) end\nprint(s)\n";
    let Some(r) = run("fits", "maxtrace=200", &text) else {
        return;
    };
    for name in ["evicted", "naps", "woken", "losing"] {
        assert_eq!(r.trees(name), 0, "{name}");
    }
    let waited = ["postponed", "refused"].map(|n| r.n("recordings", n));
    assert_eq!(waited, [0, 0]);
    // (the last loop calls another function each time)
    assert_eq!(r.n("traces", "removed"), r.trees("rerooted"));
}

/// Recording has its share of the run time.
#[test]
fn compilation_has_a_budget() {
    let text = functions(400) + "for k = 1, 400 do s = s + f[k](100) end\nprint(s)\n";
    let Some(all) = run("budget_off", "maxcompile=100,freecompile=0", &text) else {
        return;
    };
    assert_eq!(all.n("recordings", "postponed"), 0);
    let few = run("budget_on", "maxcompile=1,freecompile=0", &text).expect("as above");
    assert!(few.n("recordings", "postponed") > 0);
    assert!(few.n("recordings", "begun") < all.n("recordings", "begun"));
}

/// What it costs does not depend on what else the machine does.
#[test]
fn cost_of_compilation_is_reproducible() {
    let text = functions(40) + "for k = 1, 40 do s = s + f[k](100) end\nprint(s)\n";
    let cost =
        |name, text: &str| Some(run(name, "maxcompile=100", text)?.n("recordings", "cost_us"));
    let Some(first) = cost("cost", &text) else {
        return;
    };
    assert_eq!(cost("cost_again", &text), Some(first));
    let half = text.replace("k = 1, 40", "k = 1, 20");
    let half = cost("cost_half", &half).expect("as above");
    assert!(half < first && first < 3 * half, "{half}, {first}");
}

/// The iteration that is recorded first is of a kind that does not come again.
#[test]
fn loops_get_the_root_they_need() {
    // (stores, so that the branch does not become a selection)
    let text = "local t = {0, 0}\nfor i = 1, 20000 do\n  if i < 75 then t[1] = t[1] + 1 else t[2] = t[2] + i * 2 end\nend\nprint(t[1], t[2])\n";
    let Some(r) = run("reroot", "maxcompile=100", text) else {
        return;
    };
    assert_eq!(r.trees("rerooted"), 1);
    assert_eq!((r.n("traces", "loops"), r.n("traces", "sides")), (2, 0));
    assert!(r.n("exits", "total") < 30);
}

/// A loop that meets lists of other kinds has a trace for each; one kind, one trace.
#[test]
fn loops_have_several_ways() {
    let text = |kinds: &str| {
        format!(
            "local function sum(t) local s = 0 for i = 1, #t do s = s + t[i] end return s end\n\
             local lists = {{}}\nfor k = 1, 4 do lists[k] = {{}} end\n\
             for i = 1, 200 do lists[1][i] = i % 7; lists[2][i] = i + 0.5; lists[3][i] = tostring(i); lists[4][i] = i % 3 == 0 and i or i / 2 end\n\
             local s = 0\nfor r = 1, 200 do for _, k in ipairs{{{kinds}}} do s = s + sum(lists[k]) end end\nprint(s)\n"
        )
    };
    let Some(one) = run("way", "maxcompile=100", &text("1, 1")) else {
        return;
    };
    assert!(one.n("traces", "loops") <= 3);
    let two = run("ways", "maxcompile=100", &text("1, 2")).expect("as above");
    let more = two.n("traces", "loops") - one.n("traces", "loops");
    assert!(
        (1..3).contains(&more) && two.trees("rerooted") == 0,
        "{more}"
    );
    let all = run("all_ways", "maxcompile=100", &text("1, 2, 3, 4, 2, 1")).expect("as above");
    let more = all.n("traces", "loops") - one.n("traces", "loops");
    assert!((2..9).contains(&more), "{more}");
    assert!(all.n("exits", "total") < 600);
}

/// Branches that go either way are no reason for that.
#[test]
fn branches_are_no_ways() {
    let text = "local s = 0\nfor i = 1, 20000 do\n  if i % 3 == 0 then s = s + 1 elseif i % 3 == 1 then s = s - 2 else s = s ~ 1 end\nend\nprint(s)\n";
    if let Some(r) = run("branches", "maxcompile=100", text) {
        assert_eq!(r.n("traces", "loops"), 1);
    }
}

/// A path that is taken now and then, or as often as the other one, is a side trace; and so is the end of a short loop.
#[test]
fn good_roots_stay() {
    for (name, body) in [
        ("half", "if i % 2 == 0 then s = s + 1 else s = s - 2 end"),
        ("rare", "if i % 50 == 0 then s = s + 1 else s = s - 2 end"),
        ("short", "for k = 1, i % 3 do s = s + k end"),
    ] {
        let text = format!("local s = 0\nfor i = 1, 20000 do\n  {body}\nend\nprint(s)\n");
        if let Some(r) = run(name, "maxcompile=100", &text) {
            assert_eq!(r.trees("rerooted"), 0, "{name}");
        }
    }
}

/// A tree that is left all the time, with nothing to be done about it, is given up.
#[test]
fn losing_trees_are_removed() {
    // (no selection, which would have no exits)
    let text = "local s, t = 0, {}\nfor i = 1, 100000 do\n  if i % 2 == 0 then s = s + 1 else t[1] = i end\nend\nprint(s)\n";
    let Some(r) = run("losing", "maxside=0", text) else {
        return;
    };
    // (unoptimised, exits may be too slow to be seen as a nuisance)
    if !cfg!(debug_assertions) {
        assert!((1..8).contains(&r.trees("losing")));
    }
    let kept = run("kept", "maxcompile=100", text).expect("as above");
    assert_eq!(kept.trees("losing"), 0);
    assert_eq!(kept.out, r.out);
}

/// What follows a metamethod in a loop that is not compiled yet waits for the loop, and is not recorded around and around in its place.
#[test]
fn what_follows_calls_waits_for_the_loop() {
    let text = "
        local V = {}
        local function v(x, y) return setmetatable({ x = x, y = y }, V) end
        V.__add = function(a, b) return v(a.x + b.x, a.y + b.y) end
        V.__sub = function(a, b) return v(a.x - b.x, a.y - b.y) end
        local p, q = v(1, 2), v(0.5, 0.25)
        for i = 1, 20000 do
          local d = p - q
          p = p + d - d
          q = q + v(0.001, 0)
          if i % 16 == 0 then q = q - v(0.016, 0) end
        end
        print(p.x, p.y, q.y)";
    let Some(r) = run("follows", "maxcompile=100", text) else {
        return;
    };
    assert!(r.n("traces", "loops") >= 1);
    let causes = &r.stats["aborts"]["causes"];
    assert!(causes["InnerLoop"].as_u64() > Some(0), "{causes}");
    assert_eq!(
        r.aborts(),
        causes["InnerLoop"].as_u64().unwrap(),
        "{causes}"
    );
}

/// Once the loop is compiled, what follows a call in it leads there.
#[test]
fn what_follows_calls_leads_to_the_loop() {
    let text = "
        local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
        local s = 0
        for i = 1, 30000 do s = (s + fib(i % 4)) % 1000 end
        print(s)";
    let Some(r) = run("leads", "maxcompile=100", text) else {
        return;
    };
    assert!(r.n("traces", "loops") == 1 && r.n("traces", "continuations") >= 2);
    assert!(r.aborts() < 10, "{}", r.aborts());
}

/// Closures that call other closures of the same function are no recursion: the loop around them contains them all. But a chain of them that is too long is cut.
#[test]
fn closures_of_one_function_are_inlined() {
    let text = |depth: u32| {
        format!(
            "local function lit(n) return function() return n end end
             local function var(k) return function(e) return e[k] end end
             local function add(a, b) return function(e) return a(e) + b(e) end end
             local f = var 'x'
             for i = 1, {depth} do f = i % 2 == 0 and add(f, lit(i)) or add(lit(i), f) end
             local s, env = 0, {{ x = 1 }}
             for i = 1, 20000 do
               env.x = i
               s = s + f(env)
             end
             print(s)"
        )
    };
    let Some(r) = run("closures", "maxcompile=100", &text(6)) else {
        return;
    };
    // as the first one is known, so are all others: nothing is left to look at
    let ir = r.n("size", "ir");
    assert!(ir < 600 && r.aborts() < 50, "{ir} {}", r.aborts());
    let Some(r) = run("chain", "maxcompile=100", &text(150)) else {
        return;
    };
    assert!(
        r.n("traces", "loops") >= 1 && r.aborts() < 50,
        "{}",
        r.aborts()
    );
}

/// Objects that die at once have the same shape after each collection, as long as there is compiled code for it.
#[test]
fn shapes_of_short_lived_objects_stay() {
    let text = "
        local function class()
          local c = {}
          c.__index = c
          return setmetatable(c, { __call = function(k, ...)
            local o = setmetatable({}, k)
            o:init(...)
            return o
          end })
        end
        local Circle, Square = class(), class()
        function Circle:init(r) self.r = r end
        function Circle:area() return self.r * self.r * 3 end
        function Square:init(s) self.s = s end
        function Square:area() return self.s * self.s end
        local make = {
          function(i) return Circle(i % 7) end,
          function(i) return Square(i % 5) end,
        }
        local a = 0
        for i = 1, 100000 do
          a = a + make[i % 2 + 1](i):area()
          if i % 1000 == 0 then collectgarbage() end
        end
        print(a)";
    let Some(r) = run("shapes", "maxcompile=100", text) else {
        return;
    };
    let sides = r.n("traces", "sides");
    assert!(sides < 12, "{sides} side traces");
    let exits = r.n("exits", "total");
    assert!(exits < 500, "{exits} exits");
}

/// Objects with metatables of their own, each of which leads to another table: what the helpers do with them has no guards that only one of them passes.
#[test]
fn what_helpers_do_is_not_guarded() {
    let text = "local names, s = { 'a', 'b', 'c' }, 0
        for i = 1, 6000 do
          local outer = { a = i, b = 2 }
          local inner = setmetatable({}, { __index = outer })
          ACCESS
        end
        print(s)";
    for (name, access) in [
        ("a new field", "inner.loop = i s = s + inner.loop"),
        (
            "a new field, computed",
            "inner[names[i % 3 + 1]] = i s = s + i",
        ),
        ("a new element", "inner[1] = i s = s + inner[1]"),
        ("an element far off", "inner[i % 2 + 9] = i s = s + i"),
        (
            "inherited, computed",
            "s = s + (inner[names[i % 3 + 1]] or 0)",
        ),
        (
            "of a dictionary",
            "for k = 1, 70 do inner['k' .. k] = k end s = s + (inner[names[i % 3 + 1]] or 0)",
        ),
    ] {
        let text = text.replace("ACCESS", access);
        let Some(r) = run("unguarded", "maxcompile=100", &text) else {
            return;
        };
        let (sides, exits) = (r.n("traces", "sides"), r.n("exits", "total"));
        assert!(
            sides < 16 && exits < 1000,
            "{name}: {sides} side traces, {exits} exits"
        );
    }
}

/// A function that others wait for is recorded by the next call, even if compiled code gets to most of the calls first.
#[test]
fn what_others_wait_for_comes_next() {
    let text = include_str!("../../bench/programs/cliffs/raytrace.lua");
    let Some(r) = run("waits", "maxcompile=100", text) else {
        return;
    };
    let causes = &r.stats["aborts"]["causes"];
    assert!(causes["CalleeFirst"].as_u64() < Some(20), "{causes}");
    let exits = r.n("exits", "total");
    assert!(exits < 20000, "{exits} exits");
}

/// Exits at which nothing is recorded have code of their own, but are counted, up to the last few of each.
#[test]
fn short_exits_are_counted() {
    let text = "local a, b, n = {}, {}, 0\n\
                for i = 1, 40000 do\n\
                  local s = string.rep('x', 1000 + i % 9):reverse():upper() -- (else the tree loses)\n\
                  if i % 2 == 0 then a[i % 64 + 1] = i; n = n + 1 else b[i % 64 + 1] = n end\n\
                end\nprint(n, a[1], b[2])\n";
    let set = "maxside=0,maxcompile=100";
    let Some(r) = run("short", set, text) else {
        return;
    };
    let places = r.stats["exits"]["places"].as_array().expect("a list");
    let taken: u64 = places.iter().filter_map(|p| p["count"].as_u64()).sum();
    assert!((19_000..=22_000).contains(&taken), "{taken}");
    assert_eq!(r.n("traces", "sides"), 0);
    // with side traces there is nothing to be short
    let r = run("sides", "maxcompile=100", text).expect("as above");
    let places = r.stats["exits"]["places"].as_array().expect("a list");
    let taken: u64 = places.iter().filter_map(|p| p["count"].as_u64()).sum();
    assert!(r.n("traces", "sides") > 0 && taken < 500, "{taken}");
}

/// Exits that wait for recordings to get their share of the time are no loss: the tree stays, and is completed later.
#[test]
fn what_waits_for_time_is_not_lost() {
    let text = "
        local t = { 0, 0 }
        local function run(n, k)
          for i = 1, n do
            if i % k == 0 then t[1] = t[1] + i else t[2] = t[2] - i end
          end
        end
        run(1000, 10000)
        jit_time()
        run(60000, 2)
        print(t[1], t[2])";
    let text = format!(
        "{}local function jit_time() for k = 1, 400 do s = s + f[k](100) end end{text}",
        functions(400)
    );
    let Some(r) = run("waits_for_time", "maxcompile=1,freecompile=0", &text) else {
        return;
    };
    assert!(r.n("recordings", "postponed") > 0);
    // (unoptimised, exits may be too slow to be seen as a nuisance)
    assert_eq!(r.trees("losing"), 0);
}

/// A loop whose back edges are all taken by compiled code is recorded again all the same once its trace is gone.
#[test]
fn loops_come_back_by_links() {
    let text = "
        local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
        local function sum(n)
          local s = 0
          for i = 1, n do s = (s + fib(i % 4 + 3)) % 1000 end
          return s
        end
        local s = sum(3000)
        local j, u = require 'jit', require 'jit.util'
        local gone = 0
        for n = 1, 100 do
          local t = u.traceinfo(n)
          if t and t.kind == 'loop' then gone = gone + 1 j.flush(n) end
        end
        s = s + sum(20000)
        assert(gone > 0 or not j.status())
        print(s)";
    let Some(r) = run("links", "maxcompile=100", text) else {
        return;
    };
    assert!(r.n("traces", "removed") > 0);
    let exits = r.n("exits", "total");
    assert!(exits < 2000, "{exits} exits");
}

/// Methods of classes that are made anew in each run are looked up, so that one trace serves them all; those of classes that stay are told by shapes.
#[test]
fn classes_made_anew_share_traces() {
    let text = |make: &str, first: &str| {
        format!(
            "local function make()
               local C = {{}}
               C.__index = C
               function C.new(x) return setmetatable({{ x = x }}, C) end
               function C:add(k) self.x = (self.x + k) % 1009 end
               function C:get() return self.x end
               return C
             end
             {first}
             local function run(n, k)
               local C = {make}
               local o, s = C.new(1), 0
               for i = 1, n do
                 o:add(i)
                 s = s + o:get()
               end
               return s
             end
             local s = 0
             for k = 1, 1000 do s = s + run(100, k) end
             print(s)"
        )
    };
    let Some(anew) = run("anew", "maxcompile=100", &text("make()", "")) else {
        return;
    };
    let traces = ["loops", "functions", "sides"].map(|k| anew.n("traces", k));
    assert!(traces.iter().sum::<u64>() < 30, "{traces:?}");
    let exits = anew.n("exits", "total");
    assert!(exits < 1000, "{exits} exits");
    let same = run("same", "maxcompile=100", &text("D", "local D = make()")).expect("as above");
    assert_eq!(same.n("traces", "removed"), 0);
    assert!(anew.n("traces", "removed") > 0);
    // nor are six that take turns
    let six = "local D = {} for k = 1, 6 do D[k] = make() end";
    let six = run("six", "maxcompile=100", &text("D[k % 6 + 1]", six)).expect("as above");
    let removed = six.n("traces", "removed");
    assert!(removed < 16, "{removed} traces removed");
}

/// A call of functions that are loaded anew each time has no side traces, which would never be entered again; one of many functions that stay has.
#[test]
fn new_functions_have_no_side_traces() {
    let text = |f: &str| {
        format!(
            "local fs = {{}} for k = 1, 8 do fs[k] = load('local x = ... return x * ' .. k) end
             local s = 0
             for i = 1, 6000 do local f = {f} s = s + f(i) end print(s)"
        )
    };
    let Some(r) = run(
        "anew",
        "on",
        &text("load('local x = ... return x + ' .. i)"),
    ) else {
        return;
    };
    let sides = r.n("traces", "sides");
    assert!(r.n("traces", "loops") >= 1 && sides <= 3, "{sides}");
    let r = run("stay", "on", &text("fs[i * i % 11 % 8 + 1]")).expect("as before");
    assert!(r.n("traces", "sides") >= 4);
}

/// Tables that have metatables of their own, whose functions are closures of one: what they have is looked up, so that one trace serves them all. Nor is
/// anything left to helpers.
#[test]
fn own_metatables_share_traces() {
    let text = |mt: &str| {
        format!(
            "local mt = {{}}
             mt.__index = function(t, k) local v = {{}} t[k] = v return v end
             local function auto()
               return setmetatable({{}}, {mt})
             end
             local s = 0
             for r = 1, 1500 do
               local t = auto()
               for i = 1, 100 do
                 local row = t['r' .. i % 20]
                 row[i % 5] = (row[i % 5] or 0) + i
               end
               for _, row in pairs(t) do s = s + (row[2] or 1) end
             end
             print(s)"
        )
    };
    let own = "{ __index = function(t, k) local v = {} t[k] = v return v end }";
    let Some(own) = run("own", "maxcompile=100", &text(own)) else {
        return;
    };
    let all = run("all", "maxcompile=100", &text("mt")).expect("as above");
    for (name, r) in [("own", own), ("all", all)] {
        let (sides, exits) = (r.n("traces", "sides"), r.n("exits", "total"));
        assert!(
            sides < 30 && exits < 320,
            "{name}: {sides} side traces, {exits} exits"
        );
        let helpers = r.stats["helpers"].as_object().expect("an object");
        assert!(helpers.is_empty(), "{name}: {helpers:?}");
        // that of all is a constant
        assert!(name == "own" || r.n("traces", "removed") <= 2);
    }
}

/// Trees that are wide already are not made wider by functions that are inlined into themselves.
#[test]
fn wide_recursion_is_linked() {
    let text = "local t = { 1, 2, 3, 4 }
        local function walk(n, a, b, c)
          if n == 0 then return 1 end
          local s = t[1] + t[3] + t[4]
          if a % 2 == 0 then t[1] = t[1] + n else t[2] = t[2] + 1 end
          if b % 3 == 0 then t[3] = t[3] + t[1] % 7 else t[4] = n end
          if c % 5 < 2 then t[2] = t[1] % 11 else t[1] = t[2] % 5 end
          if n % 2 == 0 then s = s + walk(n - 1, a + b, b + c, c + a) end
          return (s + walk(n - 1, a * 3 + 1, b * 5 + 2, c * 7 + 3)) % 1000003
        end
        local s = 0
        for i = 1, 200 do s = (s + walk(12, i, i * 7, i * 13)) % 1000003 end
        print(s)";
    let Some(r) = run("wide", "maxcompile=100", text) else {
        return;
    };
    let sides = r.n("traces", "sides");
    assert!(sides < 140, "{sides} side traces");
}

/// Calls of closures that stay guard the closures, so that what these close over, and call in turn, is constant. Where many are met, or new ones go on being made, they
/// guard the prototype.
#[test]
fn few_closures_are_told_apart() {
    let text = |calls: &str| {
        format!(
            "local function constant(n) return function() return n end end
             local function plus(a, b) return function() return a() + b() end end
             local function sum(f, n) local s = 0 for i = 1, n do s = s + f() end return s end
             local function tree(n) return plus(plus(constant(n), constant(2)), plus(constant(3), constant(n))) end
             local few, many, s = {{}}, {{}}, 0
             for k = 1, 3 do few[k] = tree(k) end
             for k = 1, 30 do many[k] = tree(k) end
             {calls}
             print(s)"
        )
    };
    let of = |name: &str, calls: &str| run(name, "maxcompile=100", &text(calls));
    let loops = |f: &str| format!("for i = 1, 20000 do s = s + {f}() end");
    let Some(one) = of("one", &loops("few[1]")) else {
        return;
    };
    // nothing is left of them
    assert_eq!(one.n("traces", "loops"), 1);
    assert!(
        one.n("guards", "left_in_loops") < 4,
        "{}",
        one.stats["guards"]
    );
    let few = of("few", &loops("few[i % 3 + 1]")).expect("as above");
    assert_eq!(few.trees("renewed"), 0);
    assert!(few.n("traces", "sides") >= 2);
    // each place tells prototypes as soon as four others have come by
    let many = of("many", &loops("many[i % 30 + 1]")).expect("as above");
    let traces = many.n("traces", "sides") + many.n("traces", "loops");
    assert!((1..=2).contains(&many.trees("renewed")), "{}", many.stats);
    assert!(traces < 16 && many.n("exits", "total") < 400, "{traces}");
    // and as soon as many more have been made
    let new = of("new", "for k = 1, 500 do s = s + sum(tree(k), 50) end").expect("as above");
    let traces = new.n("traces", "sides") + new.n("traces", "loops");
    assert!((1..=3).contains(&new.trees("renewed")), "{}", new.stats);
    assert!(traces < 16 && new.n("exits", "total") < 1500, "{traces}");
}

/// Side traces that are the same for each iteration of a loop, whichever function comes, are no reason to record it again as it is.
#[test]
fn functions_in_turn_are_no_ways() {
    let text = "local fs = { function(x) return x + 1 end, function(x) return x * 2 end, function(x) return x - 3 end }
        local s = 0
        for r = 1, 3000 do for k = 1, #fs do s = fs[k](s) % 1009 end end
        print(s)";
    let Some(r) = run("turns", "maxcompile=100", text) else {
        return;
    };
    assert!(r.n("traces", "loops") <= 2, "{}", r.stats["traces"]);
    // but a loop that calls what it is given has a trace for each such function
    let text =
        "local function fold(t, f) local s = 0 for i = 1, #t do s = f(s, t[i]) end return s end
        local t, s = {}, 0
        for i = 1, 60 do t[i] = i end
        local function add(a, b) return a + b end
        local function mix(a, b) return (a * 3 + b) % 1009 end
        for r = 1, 2000 do s = s + fold(t, add) + fold(t, mix) end
        print(s)";
    let r = run("given", "maxcompile=100", text).expect("as above");
    assert!(r.n("traces", "loops") >= 3, "{}", r.stats["traces"]);
}

/// Traces that are made while the tree that they end in waits to be recorded anew do not go on in the old one.
#[test]
fn nothing_new_leads_to_what_is_retired() {
    let text = "
        local function account(b)
          local self = {}
          function self.deposit(n) b = b + n end
          function self.get() return b end
          return self
        end
        local as, s = {}, 0
        for i = 1, 1000 do as[i] = account(i) end
        for r = 1, 60 do
          for i = 1, #as do local a = as[i] a.deposit(1) s = s + a.get() % 7 end
        end
        print(s)";
    let Some(r) = run("retired", "maxcompile=100", text) else {
        return;
    };
    let exits = r.n("exits", "total");
    assert!(r.trees("renewed") >= 1 && exits < 2000, "{exits} exits");
}

/// A function that was made once, when its trace was recorded, and more often later.
#[test]
fn functions_made_again_are_recorded_anew() {
    let text = "
        local function counter() local n = 0 return function() for i = 1, 3 do n = n + i end return n end end
        local function work(f, times) local s = 0 for i = 1, times do s = s + f() end return s end
        local first = counter()
        local s = work(first, 2000)
        local all = {}
        for k = 1, 20 do all[k] = counter() end
        for r = 1, 300 do for k = 1, 20 do s = s + work(all[k], 10) end end
        print(s)";
    let Some(r) = run("again", "maxcompile=100", text) else {
        return;
    };
    assert!(r.trees("renewed") >= 1);
    let exits = r.n("exits", "total");
    assert!(exits < 2500, "{exits} exits");
}

/// Tail calls along functions that are constants are followed, whatever their number; those of one function to others of its kind that are not are not for ever.
#[test]
fn chains_of_tail_calls() {
    let text = "
        local function compose(f, g) return function(x) return f(g(x)) end end
        local function add(n) return function(x) return x + n end end
        local f = add(0)
        for i = 1, 24 do f = compose(f, add(i)) end
        local s = 0
        for i = 1, 20000 do s = s + f(i) end
        print(s)";
    let Some(r) = run("chain", "maxcompile=100", text) else {
        return;
    };
    assert_eq!(r.n("traces", "loops"), 1, "{}", r.stats["aborts"]);
    let text = "
        local step
        local function even(n) if n == 0 then return true end return step(n - 1) end
        function step(n) if n == 0 then return false end return even(n - 1) end
        local s = 0
        for i = 1, 3000 do if even(i % 400) then s = s + 1 end end
        print(s)";
    let r = run("even", "maxcompile=100", text).expect("as above");
    assert!(r.n("size", "bytecodes") < 1500, "{}", r.stats["size"]);
}

/// Loops over objects whose class is made anew, metamethods and all, are recorded anew for each class if they run for long with it, in place of one side trace after the other.
#[test]
fn loops_over_classes_made_anew_are_recorded_anew() {
    let text = |make: &str| {
        format!(
            "local function make()
               local V = {{}}
               V.__index = V
               local function new(x, y) return setmetatable({{ x = x, y = y }}, V) end
               V.__add = function(a, b) return new(a.x + b.x, a.y + b.y) end
               V.__mul = function(a, k) return new(a.x * k, a.y * k) end
               function V:dot(b) return self.x * b.x + self.y * b.y end
               return new
             end
             local one = make()
             local function run(n, k)
               local new = {make}
               local p, v, s = new(k, 0), new(0.5, 0.25), 0
               for i = 1, n do
                 p = p + v * 0.01
                 s = (s + p:dot(v)) % 1009
               end
               return s
             end
             local s = 0
             for k = 1, 12 do s = s + run(300000, k) end
             print(string.format('%.6f', s))"
        )
    };
    let Some(anew) = run("classes", "maxcompile=100", &text("make()")) else {
        return;
    };
    let (renewed, exits) = (anew.trees("renewed"), anew.n("exits", "total"));
    assert!(renewed >= 2 && exits < 4000, "{renewed} {exits}");
    let same = run("class", "maxcompile=100", &text("one")).expect("as above");
    assert_eq!(same.trees("renewed"), 0);
}

/// Tables grow on traces, however large they are: an instruction that can't be done there would be recorded again and again.
#[test]
fn growth_is_no_exit() {
    for (name, insert) in [
        ("append", "table.insert(t, i)"),
        ("insert", "table.insert(t, #t // 2 + 1, i)"),
        ("store", "t[#t + 1] = i"),
        ("key", "t[i % 500 + 0.5] = i t['k' .. i % 300] = i"),
    ] {
        let text = format!(
            "local s, t = 0, {{}}
            for i = 1, 20000 do
              {insert}
              if #t > 700 then s, t = s + #t, {{}} end
            end
            print(s)"
        );
        let set = "maxcompile=100";
        let Some(r) = run("growth", set, &text) else {
            return;
        };
        let (sides, exits) = (r.n("traces", "sides"), r.n("exits", "total"));
        assert!(
            sides < 30 && exits < 1000,
            "{name}: {sides} side traces, {exits} exits"
        );
    }
}

/// Events of objects that have metatables of their own are looked up: no side trace for each.
#[test]
fn own_events_share_traces() {
    for (event, use_) in [
        ("__call", "o(i)"),
        ("__add", "(o + 1)"),
        ("__sub", "(1 - o)"),
        ("__unm", "-o"),
        ("__len", "#o"),
        ("__concat", "#('a' .. o .. 'b')"),
        ("__lt", "(o < o and 1 or 0)"),
    ] {
        let text = format!(
            "local s = 0
             for i = 1, 4000 do
               local o = setmetatable({{}}, {{ {event} = function(a, b) return '{}' .. i % 5 end }})
               s = s + {use_}
             end
             print(s)",
            if event == "__concat" { "x" } else { "" }
        );
        let Some(r) = run("events", "maxcompile=100", &text) else {
            return;
        };
        let (sides, exits) = (r.n("traces", "sides"), r.n("exits", "total"));
        assert!(
            sides < 20 && exits < 400,
            "{event}: {sides} side traces, {exits} exits"
        );
    }
}

/// Eight branches in a row that go either way.
const BRANCHES: &str = r#"
local seed = 42
local function rnd() seed = (seed * 16807) % 2147483647 return seed end
local bits = {}
for i = 1, 4096 do bits[i] = rnd() // 64 end
local n = { 0, 0, 0, 0, 0, 0, 0, 0 }
for round = 1, 30 do
  for i = 1, #bits do
    local b = bits[i]
    if b & 1 ~= 0 then n[1] = n[1] + i else n[2] = n[2] + 1 end
    if b & 2 ~= 0 then n[2] = n[2] + i else n[3] = n[3] + 1 end
    if b & 4 ~= 0 then n[3] = n[3] + i else n[4] = n[4] + 1 end
    if b & 8 ~= 0 then n[4] = n[4] + i else n[5] = n[5] + 1 end
    if b & 16 ~= 0 then n[5] = n[5] + i else n[6] = n[6] + 1 end
    if b & 32 ~= 0 then n[6] = n[6] + i else n[7] = n[7] + 1 end
    if b & 64 ~= 0 then n[7] = n[7] + i else n[8] = n[8] + 1 end
    if b & 128 ~= 0 then n[8] = n[8] + i else n[1] = n[1] + 1 end
  end
end
print(table.concat(n, " "))
"#;

#[test]
fn ways_meet() {
    let free = "maxcompile=100,freecompile=100000";
    let Some(p) = run("meet", free, BRANCHES) else {
        return;
    };
    let made = |p: &Ran| p.n("traces", "sides") + p.n("traces", "meets");
    assert!(p.n("traces", "meets") >= 3, "{}", p.stats["traces"]);
    assert!(made(&p) < 60, "{}", p.stats["traces"]);
    // they multiply where that is not done
    let all = run("meet_not", &format!("{free},maxmeet=65535"), BRANCHES).expect("as above");
    assert_eq!(all.n("traces", "meets"), 0);
    assert!(made(&all) > 2 * made(&p), "{}", all.stats["traces"]);
}

#[test]
fn one_branch_does_not_meet() {
    // other closures, and other types of what they are given: side traces, and roots of their own in the end
    let text = r#"
local function keep(t, f) local n = 0 for i = 1, #t do if f(t[i]) then n = n + 1 end end return n end
local t = {}
for i = 1, 2000 do t[i] = i end
local sum = 0
for r = 1, 60 do
  local odd = r % 2
  sum = sum + keep(t, function(x) return x % 2 == odd end)
end
print(sum)
"#;
    let Some(p) = run("meet_one", "maxcompile=100", text) else {
        return;
    };
    assert_eq!(p.n("traces", "meets"), 0, "{}", p.stats["traces"]);
}

#[test]
fn calls_of_very_many_functions_are_left_to_the_interpreter() {
    let text = r#"
local visit = {}
for k = 1, 40 do
  visit[k] = load("local n = ... return function(x) return (x * n + " .. k .. ") % 1000 end")(k)
end
local s = 0
for i = 1, 60000 do s = s + visit[i * 7 % 40 + 1](i) end
print(s)
"#;
    let free = "maxcompile=100,freecompile=100000";
    let Some(p) = run("many_calls", free, text) else {
        return;
    };
    assert!(p.n("traces", "sides") < 40, "{}", p.stats["traces"]);
    assert!(p.n("traces", "functions") >= 20, "{}", p.stats["traces"]);
}
