//! The command as a whole: options, exit codes, messages, signals, output that cannot be written.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

fn command(args: &[&str]) -> Command {
    let mut c = Command::new(env!("CARGO_BIN_EXE_traceorus"));
    c.args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for v in [
        "LUA_INIT",
        "LUA_INIT_5_4",
        "LUA_PATH",
        "LUA_PATH_5_4",
        "LUA_CPATH",
        "LUA_CPATH_5_4",
        "TRACEORUS_DUMP",
    ] {
        c.env_remove(v);
    }
    c
}

/// Exit status, standard output and standard error (with the program's name cut to `lua`).
fn finish(mut child: Child, input: &str) -> (Option<i32>, String, String) {
    child
        .stdin
        .take()
        .expect("piped")
        .write_all(input.as_bytes())
        .expect("the program reads its input");
    let o = child.wait_with_output().expect("it ends");
    let text =
        |b: &[u8]| String::from_utf8_lossy(b).replace(env!("CARGO_BIN_EXE_traceorus"), "lua");
    (o.status.code(), text(&o.stdout), text(&o.stderr))
}

fn run(args: &[&str], input: &str) -> (Option<i32>, String, String) {
    finish(command(args).spawn().expect("it starts"), input)
}

fn output(args: &[&str], input: &str) -> String {
    let (status, out, err) = run(args, input);
    assert_eq!((status, err.as_str()), (Some(0), ""), "{args:?}");
    out
}

#[test]
fn options() {
    assert_eq!(
        output(&["-eprint(1)", "-ea=3", "-e", "print(a)"], ""),
        "1\n3\n"
    );
    assert_eq!(
        output(
            &[
                "-l",
                "str=string",
                "-lm=math",
                "-e",
                "print(str.upper'a', m.max(1, 2))"
            ],
            ""
        ),
        "A\t2\n"
    );
    assert_eq!(output(&[], "print(10)\nprint(2)\n"), "10\n2\n");
    assert_eq!(
        output(&["-", "-h"], "print(arg[1], arg[0], arg[-1] ~= nil, ...)"),
        "-h\t-\ttrue\t-h\n"
    );
    assert_eq!(
        output(&["-e", "print(arg[0] ~= nil, arg[1])"], ""),
        "true\t-e\n"
    );
    let v = output(&["-v", "-e", "print'hello'"], "");
    assert!(
        v.starts_with("Traceorus ") && v.ends_with("PUC-Rio\nhello\n"),
        "{v}"
    );
    assert!(output(&["--help"], "").starts_with("usage: lua [options]"));
    assert!(output(&["--version"], "").starts_with("Traceorus "));
    assert!(
        output(&["--dump", "bytecode", "-e", "local x = 1"], "")
            .lines()
            .count()
            > 2
    );
}

#[test]
fn environment() {
    let with = |args: &[&str], vars: &[(&str, &str)]| {
        let c = command(args)
            .envs(vars.iter().copied())
            .spawn()
            .expect("it starts");
        let (status, out, err) = finish(c, "");
        (status.expect("no signal"), out, err)
    };
    let vars = [
        ("LUA_INIT", "x = 1"),
        ("LUA_INIT_5_4", "x = 2"),
        ("LUA_PATH", "p;;"),
        ("LUA_CPATH", "c"),
    ];
    let (_, out, _) = with(
        &["-e", "print(x, package.path:match'^p;/', package.cpath)"],
        &vars,
    );
    assert_eq!(out, "2\tp;/\tc\n");
    let (_, out, _) = with(&["-E", "-e", "print(x, package.path:match'^p;/')"], &vars);
    assert_eq!(out, "nil\tnil\n");
    let (status, _, err) = with(&["-e", ""], &[("LUA_INIT", "error('msg')")]);
    assert_eq!(status, 1);
    assert!(
        err.starts_with("lua: LUA_INIT:1: msg\nstack traceback:\n"),
        "{err}"
    );
    let (_, _, err) = with(&["-e", "x = 1"], &[("TRACEORUS_DUMP", "bc")]);
    assert!(err.lines().count() > 2, "{err}");
}

/// Short-lived objects of a hot loop are not made.
#[test]
fn allocations_are_sunk() {
    let script = "local V = {} V.__index = V
        local s, cells = 0, 0
        for i = 1, 1000 do
            local v = setmetatable({x = i}, V)
            v.y = {i, -i}
            local n = 0
            local function add(k) n = n + k end
            add(v.x) add(v.y[2])
            s, cells = s + v.x, cells + n
        end
        print(s, cells)";
    let counts = |opt: &str| {
        let mut c = command(&["-e", script]);
        c.env("TRACEORUS_JIT", "hotloop=3");
        c.env("TRACEORUS_OPT", opt).env("TRACEORUS_STATS", "");
        let (status, out, err) = finish(c.spawn().expect("it starts"), "");
        assert_eq!((status, out.as_str()), (Some(0), "500500\t0\n"), "{err}");
        let line = err.lines().find(|l| l.starts_with("allocations"));
        let line = line.expect("statistics").to_owned();
        let count = |n: usize| -> u32 {
            let word = line.split_whitespace().nth(n);
            word.and_then(|w| w.parse().ok()).expect("a number")
        };
        (count(1), count(5))
    };
    assert_eq!(counts("3"), (0, 8));
    assert_eq!(counts("3,-sink").1, 0);
}

#[test]
fn failures() {
    for (args, message) in [
        (
            &["-h"][..],
            "lua: unrecognized option '-h'\nusage: lua [options]",
        ),
        (&["-e"], "lua: '-e' needs argument\nusage: "),
        (
            &["-e", "a"],
            "lua: (command line):1: syntax error near <eof>\n",
        ),
        (&["-e", "error{}"], "lua: (error object is a table value)\n"),
        (
            &[
                "-e",
                "error(setmetatable({}, {__tostring = function() return 'obj' end}))",
            ],
            "lua: obj\n",
        ),
        (
            &["-e", "error'x'"],
            "lua: (command line):1: x\nstack traceback:\n\t[C]: in function 'error'\n",
        ),
        (
            &["/nonexistent.lua"],
            "lua: cannot open /nonexistent.lua: No such file or directory\n",
        ),
        (&["/"], "lua: cannot read /: Is a directory\n"),
        (
            &["-l", "nonexistent"],
            "lua: module 'nonexistent' not found:\n\tno field package.preload['nonexistent']\n",
        ),
        (&["-e", "arg = 1", "-"], "lua: 'arg' is not a table"),
    ] {
        let (status, out, err) = run(args, "");
        assert_eq!((status, out.as_str()), (Some(1), ""), "{args:?}");
        assert!(err.starts_with(message), "{args:?}: {err}");
    }
    assert_eq!(run(&["-e", "io.write'x' os.exit(7)"], "").0, Some(7));
    assert_eq!(
        run(&["-e", "io.write'x' os.exit(true, true)"], ""),
        (Some(0), "x".into(), "".into())
    );
    assert_eq!(
        run(&["-W", "-e", "warn('a', 'b')"], "").2,
        "Lua warning: ab\n"
    );
}

#[test]
fn interactive_without_terminal() {
    let (status, out, err) = run(
        &["-i"],
        "1 + 1\n=2\nfor i = 1, 2 do\nprint(i)\nend\nx = = 1\nerror'e'\n",
    );
    assert_eq!(status, Some(0));
    let (_, out) = out.split_once('\n').expect("a banner");
    assert_eq!(
        out,
        "> 1 + 1\n2\n> =2\n2\n> for i = 1, 2 do\n>> print(i)\n>> end\n1\n2\n> x = = 1\n> error'e'\n> \n"
    );
    assert!(
        err.starts_with("stdin:1: unexpected symbol near '='\nstdin:1: e\nstack traceback:\n"),
        "{err}"
    );
}

#[test]
fn closed_pipe() {
    for code in [
        "while true do print(1) end",
        "while true do io.write('y\\n') end",
        "io.write(('y'):rep(1000000))",
    ] {
        let mut child = command(&["-e", code]).spawn().expect("it starts");
        let mut out = child.stdout.take().expect("piped");
        out.read_exact(&mut [0]).expect("it writes");
        drop(out);
        let (status, _, err) = finish(child, "");
        assert_eq!(status, Some(1), "{code}");
        assert!(
            err.contains("cannot write to standard output: Broken pipe"),
            "{code}: {err}"
        );
    }
    // programs that we start die of a closed pipe as usual
    assert_eq!(
        output(&["-e", "print(os.execute('yes | head -1'))"], ""),
        "y\ntrue\texit\t0\n"
    );
}

#[test]
fn full_disk() {
    for args in [
        &["-e", "print(1)"][..],
        &["-e", "io.write('x')"],
        &["-e", "io.write('x') os.exit(0)"],
        &["-e", "print(('x'):rep(100000))"],
        &["-v"],
    ] {
        let full = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .expect("a Linux system");
        let child = command(args).stdout(full).spawn().expect("it starts");
        let (status, _, err) = finish(child, "");
        assert_eq!(status, Some(1), "{args:?}");
        assert!(
            err.ends_with("cannot write to standard output: No space left on device\n"),
            "{args:?}: {err}"
        );
    }
}

#[test]
fn closed_standard_output() {
    let file = std::env::temp_dir().join(format!("traceorus-closed-{}", std::process::id()));
    let code = "local f = io.open(arg[1], 'w') print('lost') io.stderr:write('seen') f:close()";
    let child = Command::new("sh")
        .args(["-c", r#"exec "$0" - "$1" >&-"#])
        .args([env!("CARGO_BIN_EXE_traceorus").as_ref(), file.as_os_str()])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a shell");
    let (status, _, err) = finish(child, code);
    assert_eq!((status, err.as_str()), (Some(0), "seen"));
    // the file that was opened did not become standard output
    assert_eq!(std::fs::read(&file).expect("it was made"), b"");
    std::fs::remove_file(&file).expect("it is there");
}

#[test]
fn interrupt() {
    let mut child = command(&[
        "-e",
        "pcall(function() print(12) while true do end end) print(42) while true do end",
    ])
    .spawn()
    .expect("it starts");
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    let mut next = |line: &mut String| {
        line.clear();
        out.read_line(line).expect("readable");
    };
    let kill = || {
        // SAFETY: a child that has not been waited for.
        unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
    };
    next(&mut line);
    assert_eq!(line, "12\n");
    kill();
    next(&mut line);
    assert_eq!(line, "42\n");
    // the second one is not caught any more
    kill();
    use std::os::unix::process::ExitStatusExt;
    assert_eq!(child.wait().expect("it ends").signal(), Some(libc::SIGINT));

    // a loop that has one way, and one whose ways meet in compiled code
    let branches = "local n, i = { 0, 0, 0 }, 0
        ::top:: i = i + 1 if i == 100000 then print(i) end
        do local x = i * 7919 % 1013
        if x % 2 == 0 then n[1] = n[1] + x else n[2] = n[2] + i end
        if x % 3 == 0 then n[2] = n[2] + x else n[3] = n[3] + i end
        if x % 5 < 2 then n[3] = n[3] + x goto top end n[1] = n[1] + i end
        goto top";
    for (lines, text) in [(1..=1, "print(1) while true do end"), (1..=7, branches)] {
        let mut child = command(&["-e", text]).spawn().expect("it starts");
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        out.read_line(&mut String::new()).expect("readable");
        // SAFETY: a child that has not been waited for.
        unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
        let (status, _, err) = finish(child, "");
        assert_eq!(status, Some(1));
        let at = |n| format!("lua: (command line):{n}: interrupted!\nstack traceback:\n");
        assert!(lines.into_iter().any(|n| err.starts_with(&at(n))), "{err}");
    }
}

/// Systems may forbid memory that is writable first and executable later (systemd's `MemoryDenyWriteExecute`).
#[test]
fn no_memory_becomes_executable() {
    use std::os::unix::process::CommandExt;
    const PR_SET_MDWE: libc::c_int = 65;
    const PR_MDWE_REFUSE_EXEC_GAIN: libc::c_ulong = 1;
    let refuse = || {
        // SAFETY: a setting of this process, given all its arguments.
        let r = unsafe { libc::prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) };
        match r {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    };
    let code = "local s = 0 for i = 1, 1e5 do s = s + i end print(s, (jit.status()))";
    for (jit, out) in [
        ("-joff", "5000050000\tfalse\n"),
        ("-jon", "5000050000\ttrue\n"),
    ] {
        let mut c = command(&[jit, "-jhotloop=2", "--stats", "-e", code]);
        // SAFETY: only a system call, between fork and exec.
        let child = match unsafe { c.pre_exec(refuse) }.spawn() {
            Ok(child) => child,
            Err(e) if e.raw_os_error() == Some(libc::EINVAL) => {
                return eprintln!("SKIPPED: the system cannot refuse executable memory");
            }
            Err(e) => panic!("{e}"),
        };
        let (status, got, err) = finish(child, "");
        assert_eq!((status, got.as_str()), (Some(0), out), "{jit}: {err}");
        // and the loop ran as machine code
        let loops = err.contains("compiled: 1 of loops");
        assert_eq!(loops, jit == "-jon", "{err}");
    }
}

/// A debugger finds its way from a library function through the interpreter, whose handlers have names.
#[test]
fn backtraces_name_handlers() {
    let gdb = Command::new("gdb")
        .args(["-batch", "-nx", "-ex", "set breakpoint pending on"])
        .args(["-ex", "break getenv if $_streq((char *)$rdi, \"HOMEX\")"])
        .args(["-ex", "run", "-ex", "bt", "--args"])
        .args([env!("CARGO_BIN_EXE_traceorus"), "-joff", "-e"])
        .arg("local function f() local x = os.getenv('HOMEX') return x end f()")
        .stdin(Stdio::null())
        .output();
    let Ok(gdb) = gdb else {
        assert!(
            std::env::var_os("TRACEORUS_NO_SKIP").is_none(),
            "no gdb here"
        );
        return eprintln!("SKIPPED: no gdb here");
    };
    let out = String::from_utf8_lossy(&gdb.stdout);
    let frames: Vec<&str> = out.lines().filter(|l| l.starts_with('#')).collect();
    let at = |name: &str| frames.iter().position(|f| f.contains(name));
    let (library, handler, enter) = (at("os::getenv"), at("traceorus_op_"), at("::docall"));
    assert!(
        library.is_some() && library < handler && handler < enter,
        "{out}"
    );
}

/// Most programs need nothing of the library that has `sin`: it is loaded when they do, and done without if that fails.
#[test]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn mathematical_library() {
    let loaded = "local function loaded() for l in io.lines('/proc/self/maps') do if l:find('libm.so', 1, true) then return true end end return false end ";
    assert_eq!(
        output(
            &[
                "-e",
                &format!(
                    "{loaded} print(loaded(), 2^2, math.sqrt(2), math.sin(0), 7.5 % 2, loaded())"
                )
            ],
            ""
        ),
        "false\t4.0\t1.4142135623731\t0.0\t1.5\ttrue\n"
    );
    let full = "local files = {} repeat local f = io.open('/dev/null') files[#files + 1] = f until not f \
        print(math.sin(1), 2^0.5) files[1]:close() print(math.sin(1), 2^0.5)";
    let line = "0.8414709848079\t1.4142135623731\n";
    assert_eq!(output(&["-e", full], ""), line.repeat(2));
}
