//! What is resident while a program runs, as the system tells it.
#![cfg(target_os = "linux")]

use std::process::Command;

/// `resident(what)`: KiB of mappings, by a pattern for the line that names one (`7f00-7f10 r-xp 0 08:01 123 /lib/libc.so.6`).
const RESIDENT: &str = r#"
local function resident(what)
  local sum, counts = 0
  for line in io.lines("/proc/self/smaps") do
    if line:find("^%x+%-%x+ ") then counts = line:find(what) end
    local n = line:match("^Rss:%s+(%d+)")
    if n and counts then sum = sum + n end
  end
  return sum
end
"#;

/// Prints of `script`; none if traces can't be made here.
fn run(settings: &str, script: &str) -> Option<Vec<u64>> {
    let run = |script: &str| {
        let o = Command::new(env!("CARGO_BIN_EXE_traceorus"))
            .args([&format!("-j{settings}"), "-e", script])
            .env_remove("TRACEORUS_JIT")
            .output()
            .expect("it starts");
        assert!(o.status.success(), "{}", String::from_utf8_lossy(&o.stderr));
        String::from_utf8_lossy(&o.stdout).into_owned()
    };
    if settings != "off" && run("print((jit.status()))") != "true\n" {
        assert!(
            std::env::var_os("TRACEORUS_NO_SKIP").is_none(),
            "no traces can be made"
        );
        return None;
    }
    let out = run(&format!("{RESIDENT}{script}"));
    Some(
        out.split_whitespace()
            .map(|n| n.parse().expect("a number"))
            .collect(),
    )
}

/// Code and constants of libraries that were touched by linking and opening the libraries are given back when traces are first recorded.
#[test]
fn start_is_forgotten() {
    let script = r#"
        local libraries = " r%-[x-]p .*%.so"
        jit.off() local before = resident(libraries) jit.on()
        local s = 0
        for i = 1, 1000 do s = s + i end
        jit.off() print(before, (resident(libraries)))
    "#;
    if let Some(kib) = run("on", script) {
        assert!(kib[1] < kib[0] * 9 / 10, "{kib:?}");
    }
}

/// And what is touched again is mapped in small pieces.
#[test]
fn pieces_come_again() {
    let script = r#"
        local function largest()
          local most = 0
          for line in io.lines("/proc/self/maps") do
            local from, to = line:match("^(%x+)%-(%x+) r%-xp .*/libc%.so")
            if from then most = math.max(most, tonumber(to, 16) - tonumber(from, 16)) end
          end
          return most // 1024
        end
        jit.off() local before = largest() jit.on()
        local s = 0
        for i = 1, 1000 do s = s + i end
        jit.off() print(before, (largest()))
    "#;
    if let Some(kib) = run("on", script) {
        assert!(kib[1] <= 64 && kib[0] > kib[1], "{kib:?}");
    }
}

/// Code memory is mapped twice; the mapping through which it is written has nothing resident when nothing is compiled.
#[test]
fn code_counts_once() {
    let script = r#"
        local t = { 1, "2", 3.5, false }
        local n = 0
        for i = 1, 5000 do
          local v = t[i * 7 % 11 % 4 + 1]
          if v == false then n = n + 1 elseif type(v) == "string" then n = n - 1 elseif v == 1 then n = n + 3 end
        end
        jit.off() print(resident(" rw%-s .*traceorus%-code"), (resident(" r%-xs .*traceorus%-code")))
    "#;
    if let Some(kib) = run("hotloop=2,hotexit=2,maxside=1", script) {
        assert!(kib[0] == 0 && kib[1] > 0, "{kib:?}");
    }
}

/// Tables that grow on a trace do not leave their smaller storage behind: the peak is little more than the last storage and the one before.
#[test]
fn growth_leaves_nothing_behind() {
    let script = r#"
        local known = { 1 }
        local function length(n)
          local l = known[n]
          if l then return l end
          l = length(n % 2 == 0 and n // 2 or 3 * n + 1) + 1
          known[n] = l
          return l
        end
        for n = 1, 700000 do length(n) end
        local peak
        for line in io.lines("/proc/self/status") do
          peak = peak or line:match("^VmHWM:%s+(%d+)")
        end
        print(math.floor(collectgarbage("count")), peak)
    "#;
    for settings in ["on", "off"] {
        if let Some(kib) = run(settings, script) {
            assert!(kib[0] > 20_000 && kib[1] < kib[0] * 17 / 10, "{kib:?}");
        }
    }
}
