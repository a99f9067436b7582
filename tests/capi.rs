//! The C API: runs the programs of `tests/capi` against the C library, and compares what they print with the `.out` file beside each.
//!
//! The library is made by `capi/build.sh`, in the profile that this test was built in. The programs are linked with
//! `liblua5.4.so.0` and find it by `LD_LIBRARY_PATH`, so that the very same programs also run with the library of Lua's own
//! implementation: where that is installed, one test compares the outputs with it. A `nostress: reason` in a program's first line
//! leaves it out of the slow runs. The programs are compiled without unwind tables, which errors may not need.
//!
//! Set `TRACEORUS_BLESS=1` to have the `.out` files rewritten from the installed library, `TRACEORUS_SCRIPTS=text` to run only
//! programs whose name contains the text. Nothing runs where there is no C compiler.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

#[path = "lua/command.rs"]
#[allow(dead_code, reason = "the command itself is not run here")]
mod command;
#[path = "capi/library.rs"]
mod library;
#[path = "lua/report.rs"]
mod report;

use library::{Program, check, compile, dynamic, library, programs, scratch, sources, text};
use report::{difference, each, files, installed};

const TIMEOUT: Duration = Duration::from_secs(120);
const STRESS_TIMEOUT: Duration = Duration::from_secs(600);
/// Where Debian's package of the reference implementation has its headers.
const REFERENCE_HEADERS: &str = "/usr/include/lua5.4";

/// The tests of this file take turns, so that no more than two programs ever run at once.
static TURN: Mutex<()> = Mutex::new(());

#[test]
fn programs_print_what_is_expected() {
    run_all("plain", &[], TIMEOUT, |_| true);
}

#[test]
fn programs_run_interpreted() {
    run_all("interpreter", &[("TRACEORUS_JIT", "off")], TIMEOUT, |_| {
        true
    });
}

const HOT: (&str, &str) = ("TRACEORUS_JIT", "hotloop=1,hotcall=1,hotexit=1");

#[test]
fn programs_run_compiled() {
    run_all("hot", &[HOT], TIMEOUT, |_| true);
    let exits = "hotloop=1,hotcall=1,hotexit=1,exitrandom=5";
    run_all("hot, leaving at random", &[(HOT.0, exits)], TIMEOUT, |_| {
        true
    });
}

#[test]
fn programs_survive_stress() {
    for vars in [
        &[("TRACEORUS_GC_STRESS", "1")][..],
        &[("TRACEORUS_STACK_STRESS", "1")],
        &[("TRACEORUS_VERIFY", "1")],
        &[HOT, ("TRACEORUS_GC_STRESS", "1")],
    ] {
        run_all(&format!("{vars:?}"), vars, STRESS_TIMEOUT, Program::is_calm);
    }
}

#[test]
fn expected_output_is_that_of_lua() {
    let _turn = TURN.lock();
    let Some(programs) = programs() else { return };
    let bless = env::var_os("TRACEORUS_BLESS").is_some();
    let probe = command::run(&mut Command::new(&programs[0].binary), TIMEOUT);
    if probe.expect("a program starts").status == Some(127) {
        return command::skip(
            "liblua5.4 is not installed, so the expected outputs were not compared with it",
        );
    }
    let report = each(
        &programs,
        |p| p.name.clone(),
        |program| {
            let outcome = command::run(&mut Command::new(&program.binary), TIMEOUT)
                .map_err(|e| e.to_string())?;
            if bless {
                return fs::write(program.source.with_extension("out"), &outcome.stdout)
                    .map_err(|e| e.to_string());
            }
            check(program, &outcome)
        },
    );
    assert!(
        report.is_empty(),
        "liblua5.4 disagrees with tests/capi (TRACEORUS_BLESS=1 rewrites it)\n{report}"
    );
}

#[test]
fn headers_are_those_of_lua() {
    let Some(lib) = library() else { return };
    if !Path::new(REFERENCE_HEADERS).join("lua.h").is_file() {
        return command::skip(
            "liblua5.4-dev is not installed, so the headers were not compared with it",
        );
    }
    let source = sources().join("abi.c");
    let outputs = [lib.join("include"), PathBuf::from(REFERENCE_HEADERS)].map(|headers| {
        let binary = scratch(&format!("abi-{}", headers.as_os_str().len()));
        compile(&source, &binary, &headers, &dynamic(lib));
        let mut program = Command::new(&binary);
        program.env("LD_LIBRARY_PATH", lib.join("lib"));
        command::run(&mut program, TIMEOUT)
            .expect("a program starts")
            .stdout
    });
    let mut why = String::new();
    difference(&outputs[1], &outputs[0], &mut why);
    assert!(outputs[0] == outputs[1] && !outputs[0].is_empty(), "{why}");
}

/// Headers alone, in the order that a program may choose, as C and as C++.
#[test]
fn headers_stand_alone() {
    let Some(lib) = library() else { return };
    for (header, language, standard) in [
        ("lua.h", "c", "c99"),
        ("lauxlib.h", "c", "c99"),
        ("lualib.h", "c", "c11"),
        ("lua.h", "c++", "c++11"),
        ("lua.hpp", "c++", "c++17"),
    ] {
        let file = scratch("header.c");
        fs::write(
            &file,
            format!("#include \"{header}\"\n#include \"{header}\"\n"),
        )
        .expect("a writable folder");
        let mut cc = Command::new("cc");
        cc.args([
            "-Wall",
            "-Wextra",
            "-Werror",
            "-pedantic",
            "-fsyntax-only",
            "-x",
            language,
        ]);
        cc.arg(format!("-std={standard}"))
            .arg("-I")
            .arg(lib.join("include"))
            .arg(&file);
        let out = cc.output().expect("cc starts");
        assert!(
            out.status.success(),
            "{header} as {standard}\n{}",
            String::from_utf8_lossy(&out.stderr)
        );
    }
}

#[test]
fn exactly_the_functions_of_lua_are_exported() {
    let Some(lib) = library() else { return };
    let mut expected = declared();
    expected.insert("lua_ident".to_owned());
    for file in ["liblua5.4.so.0", "libtraceorus.so"] {
        let out = Command::new("nm")
            .args(["-D", "--defined-only", "--with-symbol-versions"])
            .arg(lib.join("lib").join(file))
            .output();
        let listing = String::from_utf8(out.expect("nm starts").stdout).expect("names of symbols");
        let symbols: BTreeSet<String> = listing
            .lines()
            .filter_map(|l| l.split(' ').nth(2))
            .map(str::to_owned)
            .collect();
        let wanted: BTreeSet<String> = expected
            .iter()
            .map(|name| format!("{name}@@LUA_5.4"))
            .chain(["LUA_5.4@@LUA_5.4".to_owned()])
            .collect();
        // older versions of nm leave out the node itself, or its version
        let differing: Vec<&String> = symbols
            .symmetric_difference(&wanted)
            .filter(|s| !s.starts_with("LUA_5.4"))
            .collect();
        assert!(differing.is_empty(), "{file}: {differing:?}");
    }
}

/// Names of the functions that the headers declare.
fn declared() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for header in ["lua.h", "lauxlib.h", "lualib.h"] {
        let text = text(&command::repository().join("capi/include").join(header));
        for line in text.lines().filter(|l| l.starts_with("LUA")) {
            if let Some((_, rest)) = line.split_once('(') {
                names.extend(rest.split_once(')').map(|(name, _)| name.to_owned()));
            }
        }
    }
    assert_eq!(names.len(), 154, "the functions of Lua 5.4");
    names
}

#[test]
fn every_function_is_called_by_a_program() {
    let macros: [(&str, &str); 15] = [
        ("lua_callk", "lua_call"),
        ("lua_pcallk", "lua_pcall"),
        ("lua_newuserdatauv", "lua_newuserdata"),
        ("lua_tonumberx", "lua_tonumber"),
        ("lua_tointegerx", "lua_tointeger"),
        ("lua_tolstring", "lua_tostring"),
        ("lua_yieldk", "lua_yield"),
        ("luaL_checkversion_", "luaL_checkversion"),
        ("luaL_loadfilex", "luaL_loadfile"),
        ("luaL_loadbufferx", "luaL_loadbuffer"),
        ("luaL_checklstring", "luaL_checkstring"),
        ("luaL_optlstring", "luaL_optstring"),
        ("lua_pushcclosure", "lua_pushcfunction"),
        ("lua_rotate", "lua_insert"),
        ("lua_settop", "lua_pop"),
    ];
    let programs: String = files(&sources(), "c").iter().map(|f| text(f)).collect();
    let called = |name: &str| {
        programs.contains(&format!("{name}("))
            || (name.starts_with("luaopen_") && programs.contains(name))
    };
    let missing: Vec<String> = declared()
        .into_iter()
        .filter(|name| !called(name) && !macros.iter().any(|(f, m)| f == name && called(m)))
        .collect();
    assert!(
        missing.is_empty(),
        "no program of tests/capi calls {missing:?}"
    );
}

#[test]
fn a_program_links_statically() {
    let _turn = TURN.lock();
    let Some(lib) = library() else { return };
    let source = sources().join("stack.c");
    let binary = scratch("stack-static");
    let archive = lib
        .join("lib/libtraceorus.a")
        .to_string_lossy()
        .into_owned();
    compile(
        &source,
        &binary,
        &lib.join("include"),
        &[archive, "-lm".into(), "-ldl".into(), "-lpthread".into()],
    );
    let program = Program {
        name: "stack".into(),
        source,
        binary,
    };
    let outcome =
        command::run(&mut Command::new(&program.binary), TIMEOUT).expect("a program starts");
    check(&program, &outcome).unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn every_package_name_gives_the_library() {
    let Some(lib) = library() else { return };
    if !installed("pkg-config") {
        return command::skip("pkg-config is not installed");
    }
    for (name, linked) in [
        ("traceorus", "-ltraceorus"),
        ("lua", "-llua5.4"),
        ("lua5.4", "-llua5.4"),
        ("lua-5.4", "-llua5.4"),
        ("lua54", "-llua5.4"),
    ] {
        let out = Command::new("pkg-config")
            .args(["--cflags", "--libs", &format!("{name} >= 5.4 {name} < 5.5")])
            .env("PKG_CONFIG_PATH", lib.join("lib/pkgconfig"))
            .output()
            .expect("pkg-config starts");
        let flags = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(
            out.status.success()
                && flags.contains(linked)
                && flags.contains(&*lib.file_name().expect("a name").to_string_lossy()),
            "{name}: {flags}"
        );
    }
}

/// Debug builds notice misuse and say in which function it was.
#[cfg(debug_assertions)]
#[test]
fn misuse_is_noticed() {
    let _turn = TURN.lock();
    let Some(lib) = library() else { return };
    let binary = scratch("misuse");
    compile(
        &sources().join("misuse.c"),
        &binary,
        &lib.join("include"),
        &dynamic(lib),
    );
    for (mistake, function) in [
        ("call", "lua_callk"),
        ("settop", "lua_settop"),
        ("pop", "lua_settop"),
        ("rotate", "lua_rotate"),
        ("pushvalue", "lua_pushvalue"),
        ("setfield", "lua_setfield"),
        ("rawset", "lua_rawset"),
        ("next", "lua_next"),
        ("concat", "lua_concat"),
        ("closure", "lua_pushcclosure"),
        ("error", "lua_error"),
        ("results", "results"),
        ("overflow", "lua_push"),
        ("metatable", "lua_setmetatable"),
        ("xmove", "lua_xmove"),
    ] {
        let mut program = Command::new(&binary);
        program.arg(mistake).env("LD_LIBRARY_PATH", lib.join("lib"));
        let outcome = command::run(&mut program, TIMEOUT).expect("a program starts");
        let said = String::from_utf8_lossy(&outcome.stderr).into_owned();
        assert!(
            outcome.status.is_none() && said.contains(function),
            "{mistake}: {:?}, {said}{}",
            outcome.status,
            String::from_utf8_lossy(&outcome.stdout)
        );
    }
}

/// Runs the programs that `wanted` picks with our library, and panics with a report of all that failed.
fn run_all(
    mode: &str,
    vars: &[(&str, &str)],
    timeout: Duration,
    wanted: impl Fn(&Program) -> bool,
) {
    let _turn = TURN.lock();
    let (Some(lib), Some(programs)) = (library(), programs()) else {
        return;
    };
    let picked: Vec<Program> = programs.into_iter().filter(wanted).collect();
    let report = each(
        &picked,
        |p| p.name.clone(),
        |program| {
            let mut run = Command::new(&program.binary);
            run.env("LD_LIBRARY_PATH", lib.join("lib"))
                .envs(vars.iter().copied());
            let outcome = command::run(&mut run, timeout).map_err(|e| e.to_string())?;
            check(program, &outcome)
        },
    );
    assert!(report.is_empty(), "{mode}: {report}");
    eprintln!("{mode}: {} programs passed", picked.len());
}
