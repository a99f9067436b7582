//! The programs of `tests/capi` under memory checkers. Valgrind's memcheck watches all that runs: the library and compiled code, too.
//! The sanitizers of the C compiler watch the programs, the library's requests for memory, and that `lua_close` gives all of it back.
//! Both see what [`capi.rs`](capi.rs) cannot: memory used before it is written or after it is freed while the output is right by chance.
//!
//! Settings are those of `capi.rs`.

use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

#[path = "lua/command.rs"]
#[allow(dead_code, reason = "the command itself is not run here")]
mod command;
#[path = "capi/library.rs"]
#[allow(dead_code, reason = "not all of it is used here")]
mod library;
#[path = "lua/report.rs"]
mod report;

use library::{Program, check, compile_all, library, listed, programs, scratch, sources};
use report::{each, installed};

const TIMEOUT: Duration = Duration::from_secs(900);

/// Compiled at once, and leaving at guards that hold.
const HOT: (&str, &str) = (
    "TRACEORUS_JIT",
    "hotloop=1,hotcall=1,hotexit=1,exitrandom=5",
);
const STRESS: (&str, &str) = ("TRACEORUS_GC_STRESS", "20");

/// The tests of this file take turns, so that no more than two programs ever run at once.
static TURN: Mutex<()> = Mutex::new(());

#[test]
fn memcheck_finds_nothing() {
    let _turn = TURN.lock();
    let Some(lib) = library() else { return };
    if !installed("valgrind") {
        return command::skip("valgrind is not installed");
    }
    let suppressions = sources().join("memcheck.supp");
    let watched = |program: &Program| {
        let mut c = Command::new("valgrind");
        c.args(["--quiet", "--error-exitcode=99", "--leak-check=full"])
            .arg(format!("--suppressions={}", suppressions.display()))
            .arg(&program.binary)
            .env("LD_LIBRARY_PATH", lib.join("lib"));
        c
    };
    all_pass(&programs().expect("as the library"), watched);
    let text = "int *volatile m = malloc(4); lua_State *l = luaL_newstate(); lua_pushinteger(l, *m); lua_rotate(l, 1, 1); return lua_tointeger(l, 1) == 3;";
    notices(watched(&mistake(lib, text, &[])), "uninitialised");
}

#[test]
fn sanitizers_find_nothing() {
    let _turn = TURN.lock();
    let Some(lib) = library() else { return };
    let more = ["-fsanitize=address,undefined", "-fno-omit-frame-pointer"];
    if !links_with(&more) {
        return command::skip("the C compiler has no sanitizers");
    }
    let programs = listed("sanitized-");
    compile_all(lib, &programs, &more);
    let watched = |program: &Program| {
        let mut c = Command::new(&program.binary);
        c.env("LD_LIBRARY_PATH", lib.join("lib"))
            .env("ASAN_OPTIONS", "detect_leaks=1");
        c
    };
    all_pass(&programs, watched);
    let text = "for (int i = 0; i < 10; i++) luaL_newstate(); return 0;";
    notices(watched(&mistake(lib, text, &more)), "detected memory leaks");
}

/// Whether the C compiler makes programs with these arguments.
fn links_with(arguments: &[&str]) -> bool {
    let source = scratch("probe.c");
    std::fs::write(&source, "int main(void) { return 0; }\n").expect("a writable folder");
    let mut cc = Command::new("cc");
    cc.args(arguments)
        .arg(&source)
        .arg("-o")
        .arg(scratch("probe"));
    cc.output().is_ok_and(|o| o.status.success())
}

/// Runs what `watched` makes for each program in all modes, and panics with a report of all that failed.
fn all_pass(programs: &[Program], watched: impl Fn(&Program) -> Command + Sync) {
    for vars in [&[][..], &[HOT], &[HOT, STRESS]] {
        let picked: Vec<&Program> = programs
            .iter()
            .filter(|p| !vars.contains(&STRESS) || p.is_calm())
            .collect();
        let report = each(
            &picked,
            |p| p.name.clone(),
            |program| {
                let mut c = watched(program);
                c.envs(vars.iter().copied());
                let outcome = command::run(&mut c, TIMEOUT).map_err(|e| e.to_string())?;
                check(program, &outcome)
            },
        );
        assert!(report.is_empty(), "{vars:?}: {report}");
        eprintln!("{vars:?}: {} programs passed", picked.len());
    }
}

/// A program of this text, compiled with these arguments more.
fn mistake(lib: &Path, text: &str, more: &[&str]) -> Program {
    let name = format!("mistake-{}", more.len());
    let program = Program {
        source: scratch(&format!("{name}.c")),
        binary: scratch(&name),
        name,
    };
    let text = format!("#include <stdlib.h>\n#include <lauxlib.h>\nint main(void) {{ {text} }}\n");
    std::fs::write(&program.source, text).expect("a writable folder");
    compile_all(lib, std::slice::from_ref(&program), more);
    program
}

/// The program must fail, and say so.
fn notices(mut watched: Command, what: &str) {
    let outcome = command::run(&mut watched, TIMEOUT).expect("a program starts");
    let said = String::from_utf8_lossy(&outcome.stderr);
    assert!(
        outcome.status != Some(0) && said.contains(what),
        "{:?}: {said}",
        outcome.status
    );
}
