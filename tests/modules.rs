//! C modules of the system (Debian's packages for Lua 5.4) in the command: the scripts of `modules` print what they print with `lua5.4`, in
//! several modes. The first line of each names the modules that it needs.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

#[path = "lua/command.rs"]
mod command;
#[path = "lua/report.rs"]
mod report;

use report::{difference, each, files, installed};

const TIMEOUT: Duration = Duration::from_secs(300);

/// Runs a script in its folder.
fn run(program: &Path, script: &Path, settings: &[(&str, &str)]) -> Option<command::Outcome> {
    let mut c = Command::new(program);
    c.current_dir(script.parent().expect("a folder"));
    c.arg(script.file_name().expect("a name"))
        .envs(settings.iter().copied());
    command::run(&mut c, TIMEOUT).ok()
}

/// Whether the reference has all modules that the script needs; says so if not.
fn has_modules(script: &Path) -> bool {
    let text = fs::read_to_string(script).expect("a readable script");
    let first = text.lines().next().unwrap_or("");
    let needs = first
        .strip_prefix("-- needs: ")
        .expect("the first line names modules");
    let missing = needs.split(' ').find(|name| {
        let mut c = Command::new("lua5.4");
        c.args(["-e", &format!("require '{name}'")]);
        command::run(&mut c, TIMEOUT).is_ok_and(|o| o.status != Some(0))
    });
    if let Some(name) = missing {
        command::skip(&format!("{script:?} needs the module {name}"));
    }
    missing.is_none()
}

#[test]
fn modules_work_as_with_lua() {
    if !installed("lua5.4") {
        return command::skip("lua5.4 is not installed");
    }
    let scripts = files(&command::repository().join("tests/modules"), "lua");
    let scripts: Vec<_> = scripts.into_iter().filter(|s| has_modules(s)).collect();
    let program = command::binary();
    let hot = ("TRACEORUS_JIT", "hotloop=1,hotcall=1,hotexit=1");
    let leaving = (hot.0, "hotloop=1,hotcall=1,hotexit=1,exitrandom=20");
    let collecting = ("TRACEORUS_GC_STRESS", "20");
    let report = each(
        &scripts,
        |s| {
            s.file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        },
        |script| {
            let lua = run("lua5.4".as_ref(), script, &[]).ok_or("lua5.4 does not start")?;
            if lua.status != Some(0) {
                return Err(format!("lua5.4: {}", String::from_utf8_lossy(&lua.stderr)));
            }
            for settings in [
                &[][..],
                &[("TRACEORUS_JIT", "off")],
                &[hot],
                &[leaving],
                &[collecting],
                &[hot, collecting],
                &[("TRACEORUS_STACK_STRESS", "1")],
            ] {
                let got = run(program, script, settings).ok_or("the command does not start")?;
                if got.status == Some(0) && got.stdout == lua.stdout && got.stderr == lua.stderr {
                    continue;
                }
                if got.timed_out {
                    return Err(format!("{settings:?}: takes too long"));
                }
                let mut why = format!("{settings:?}: status {:?}\n", got.status);
                difference(&lua.stdout, &got.stdout, &mut why);
                difference(&lua.stderr, &got.stderr, &mut why);
                return Err(why);
            }
            Ok(())
        },
    );
    assert!(report.is_empty(), "{report}");
}

/// Some modules are not linked with the C library's mathematical part, as the program that they are made for is.
#[test]
fn a_module_may_use_the_mathematical_library() {
    if !installed("cc") {
        return command::skip("cc is not installed");
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("modules");
    fs::create_dir_all(&folder).expect("a writable folder");
    let source = folder.join("rounding.c");
    let text = "#include <lua.h>\ndouble round(double);\nint luaopen_rounding(lua_State *L) { lua_pushnumber(L, round(lua_gettop(L) + 0.7)); return 1; }\n";
    fs::write(&source, text).expect("a writable folder");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-fno-builtin", "-I"])
        .arg(command::repository().join("capi/include"))
        .arg(&source)
        .arg("-o")
        .arg(folder.join("rounding.so"));
    assert!(cc.status().expect("cc starts").success());
    let script = folder.join("main.lua");
    fs::write(
        &script,
        "package.cpath = './?.so'\nprint(require 'rounding')\n",
    )
    .expect("a writable folder");
    let got = run(command::binary(), &script, &[]).expect("the command starts");
    assert_eq!(
        String::from_utf8_lossy(&[got.stdout, got.stderr].concat()),
        "3.0\t./rounding.so\n"
    );
}
