//! C modules of the system (Debian's lpeg, cjson, lfs, socket, posix) in the command: `modules/modules.lua` prints what it prints with `lua5.4`.

use std::process::Command;
use std::time::Duration;

#[path = "lua/command.rs"]
mod command;

const TIMEOUT: Duration = Duration::from_secs(300);

/// What the script prints, and how it ends.
fn printed(
    program: &std::path::Path,
    settings: &[(&str, &str)],
) -> std::io::Result<(Option<i32>, String)> {
    let mut c = Command::new(program);
    c.current_dir(command::repository().join("tests/modules"));
    c.arg("modules.lua").envs(settings.iter().copied());
    let o = command::run(&mut c, TIMEOUT)?;
    assert!(!o.timed_out, "{settings:?} takes too long");
    let text = [o.stdout, o.stderr].concat();
    Ok((o.status, String::from_utf8_lossy(&text).into_owned()))
}

#[test]
fn modules_work_as_with_lua() {
    let Ok(expected) = printed("lua5.4".as_ref(), &[]) else {
        return command::skip("lua5.4 is not installed");
    };
    assert_eq!(expected.0, Some(0), "{}", expected.1);
    let hot = "hotloop=1,hotcall=1,hotexit=1,exitrandom=20";
    for settings in [
        &[][..],
        &[("TRACEORUS_JIT", "off")],
        &[("TRACEORUS_JIT", hot)],
        &[("TRACEORUS_GC_STRESS", "20")],
        &[("TRACEORUS_STACK_STRESS", "1")],
    ] {
        let got = printed(command::binary(), settings).expect("the command runs");
        assert_eq!(got, expected, "{settings:?}");
    }
}
