//! The command `traceorus`: the `lua` program's command line on Traceorus.

// `main` is C's: what Rust does before its own (mostly looking for the end of the stack in a list of all mappings) takes a
// tenth of the memory of an empty script
#![cfg_attr(not(test), no_main)]

mod exports;
mod opts;
mod repl;
mod reports;
#[cfg(target_os = "linux")]
mod resident;
mod sampler;
mod signals;

use std::ffi::{CStr, CString, c_char, c_int};
use std::os::unix::ffi::OsStringExt;
use std::rc::Rc;

use traceorus::raw::base as traceorus_base;
use traceorus::raw::gc::HostAlloc;
use traceorus::raw::stdlib::{base, cfile};
#[cfg(target_os = "linux")]
use traceorus::raw::trace::Jit;
use traceorus::raw::trace::dump::Out;
use traceorus::raw::trace::{Config, Outputs, params};
use traceorus::raw::vm::ctx::{Ctx, LResult};
use traceorus::raw::vm::{native, state};
use traceorus::raw::{Observer, new_state, open_libs, traceback};
use traceorus_base::chunk::Chunk;
use traceorus_base::{Tag, Value};

use traceorus_lang_common::listing;

use opts::{Action, Options, Stop};

/// First line of the interactive mode. The official test suite wants it to end in "PUC-Rio".
const BANNER: &str = concat!(
    "Traceorus ",
    env!("CARGO_PKG_VERSION"),
    "  Lua 5.4, compatible with Lua 5.4.8 of Lua.org, PUC-Rio\n"
);

/// What the main function works with.
struct Program {
    /// The command line, with the program's name first.
    args: Vec<CString>,
    options: Options,
    /// In front of messages; none in interactive mode.
    name: std::cell::Cell<Option<&'static str>>,
}

/// The program's entry: called by C's start-up code, as in a C program. Gives the exit status.
///
/// # Safety
/// `argv` has `argc` strings that live as long as the program.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    let args = (0..argc as usize)
        // SAFETY: as promised.
        .map(|i| unsafe { CStr::from_ptr(*argv.add(i)) }.to_owned())
        .collect();
    // a panic has printed its message
    let run = std::panic::catch_unwind(|| command(args));
    run.unwrap_or(101)
}

/// All of the program: what the command line asks for. Gives the exit status.
fn command(args: Vec<CString>) -> c_int {
    open_standard_streams();
    signals::keep_broken_pipes_quiet();
    let name: &'static str = match args.first() {
        Some(a) if !a.is_empty() => String::leak(a.to_string_lossy().into_owned()),
        _ => "traceorus",
    };
    let status = match opts::parse(&args) {
        Ok(options) => {
            let p = Program {
                args,
                options,
                name: Some(name).into(),
            };
            run(&p)
        }
        Err(Stop::Help) => write_stdout(opts::usage(name).as_bytes()),
        Err(Stop::JitHelp) => write_stdout(jit_help().as_bytes()),
        Err(Stop::Version) => write_stdout(BANNER.as_bytes()),
        Err(Stop::Bad(m)) => {
            cfile::write_stderr(format!("{name}: {m}\n{}", opts::usage(name)).as_bytes());
            false
        }
    };
    let written = cfile::finish_output();
    if let Err(e) = written
        && status
    {
        message(
            Some(name),
            &[
                b"cannot write to standard output: ",
                &cfile::strerror(e)[..],
            ]
            .concat(),
        );
    }
    c_int::from(!status || written.is_err())
}

/// Opens `/dev/null` as each standard stream that is closed, so that no file which the program opens takes its place.
fn open_standard_streams() {
    // SAFETY: plain system calls. The lowest descriptor that is free is taken, and those below are open.
    unsafe {
        for fd in 0..3 {
            if libc::fcntl(fd, libc::F_GETFD) == -1 {
                libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
            }
        }
    }
}

/// Writes to C's standard output.
fn write_stdout(s: &[u8]) -> bool {
    // SAFETY: standard output is never closed.
    unsafe { cfile::write(cfile::stdout(), s) };
    true
}

/// Writes a message to standard error.
fn message(program: Option<&str>, msg: &[u8]) {
    let mut m = Vec::new();
    if let Some(p) = program {
        m.extend_from_slice(p.as_bytes());
        m.extend_from_slice(b": ");
    }
    m.extend_from_slice(msg);
    m.push(b'\n');
    cfile::write_stderr(&m);
}

/// The text of `-j help`: every parameter with the value that the environment gives it.
fn jit_help() -> String {
    let params = match Config::from_env(|n| std::env::var(n).ok()) {
        Ok(c) => c.params,
        Err(_) => Config::default().params,
    };
    format!(
        "-j off, -j on, -j name=value,... (also TRACEORUS_JIT, jit.opt.start):\n{}\
         -O0 to -O3, -O+pass,-pass (also TRACEORUS_OPT, jit.opt.start): {}\n\
         --dump stage,...[:file] (also TRACEORUS_DUMP): {}\n",
        params.table(),
        params::pass_names(),
        params::dump::stage_names(),
    )
}

/// What prints the bytecode of each chunk: to standard output (`--dump bytecode`) or, with the stage `bc`, to where dumps go.
fn observer(p: &Program, config: &Config, out: &Out) -> Option<Observer> {
    if p.options.dump {
        return Some(Rc::new(|c: &Chunk| {
            write_stdout(listing::list(c).as_bytes());
        }));
    }
    let out = out.clone();
    config.dump_bytecode.then(|| {
        let show: Observer = Rc::new(move |c: &Chunk| out.write(&listing::list(c)));
        show
    })
}

/// Settings of the trace compiler, and what they open.
fn settings(p: &Program) -> Result<(Config, Outputs), String> {
    let config = Config::from_env(|n| std::env::var(n).ok())?;
    let config = p.options.configure(config)?;
    if let Some(filter) = &config.log {
        reports::log(filter)?;
    }
    let outputs = Outputs::open(&config)?;
    Ok((config, outputs))
}

/// Makes a state, runs everything in it and closes it. True if nothing failed.
fn run(p: &Program) -> bool {
    let (config, outputs) = match settings(p) {
        Ok(s) => s,
        Err(e) => {
            message(p.name.get(), e.as_bytes());
            return false;
        }
    };
    // SAFETY: the system's allocator; the state is closed when nothing runs any more.
    unsafe {
        let l = new_state(
            HostAlloc::System,
            observer(p, &config, &outputs.dump),
            &config,
            outputs,
        );
        signals::set_target((*l).global);
        reports::prepare((*l).global, &config);
        let cx = Ctx::new(l);
        #[cfg(target_os = "linux")]
        if let Some(jit) = Jit::of(cx.g()) {
            jit.at_first = Some(resident::forget_start);
        }
        cx.g().interrupt = Some(signals::interrupted);
        cx.push(cx.new_native("main", native!(pmain), &[]));
        cx.push(Value::ptr(p, Tag::LIGHTUD));
        let ok = match cx.pcall(1, 1, Value::NIL) {
            Ok(_) => !cx.pop().is_falsy(),
            Err(_) => {
                report(cx, p);
                false
            }
        };
        state::close(l);
        ok
    }
}

/// Prints the error message on top and removes it.
fn report(cx: Ctx, p: &Program) {
    let v = cx.pop();
    let text = match v.tag {
        Tag::STRING => cx.bytes(v),
        t if t.is_number() => cx.bytes(cx.number_to_str(v)),
        _ => b"(error message not a string)",
    };
    message(p.name.get(), text);
}

/// Message handler for everything that runs: a string gets a traceback.
fn msghandler(cx: Ctx) -> LResult<usize> {
    let v = cx.arg(1);
    let text = match v.tag {
        Tag::STRING => cx.bytes(v).to_vec(),
        t if t.is_number() => cx.bytes(cx.number_to_str(v)).to_vec(),
        _ => {
            let f = cx.metafield(v, "__tostring");
            if !f.is_nil() {
                let s = cx.call1(f, &[v])?;
                if s.tag == Tag::STRING {
                    return cx.ret(s);
                }
            }
            format!("(error object is a {} value)", v.tag.type_name()).into_bytes()
        }
    };
    let trace = traceback(cx, Some(&text), 1);
    cx.ret(cx.str(&trace))
}

/// Calls the function below the topmost `nargs` values with the message handler, interruptible. On failure the
/// message is on top.
fn docall(cx: Ctx, nargs: usize, nresults: i32) -> Result<usize, u32> {
    let handler = cx.new_native("msghandler", native!(msghandler), &[]);
    signals::catch_interrupt(true);
    let r = cx.pcall(nargs, nresults, handler);
    signals::catch_interrupt(false);
    r
}

/// Runs a loaded chunk without arguments; reports errors.
fn dochunk(cx: Ctx, p: &Program, f: Result<Value, Value>) -> bool {
    let failed = match f {
        Ok(f) => {
            cx.push(f);
            docall(cx, 0, 0).is_err()
        }
        Err(msg) => {
            cx.push(msg);
            true
        }
    };
    if failed {
        report(cx, p);
    }
    !failed
}

/// `-l [g=]mod`.
fn dolibrary(cx: Ctx, p: &Program, spec: &[u8]) -> LResult<bool> {
    let (global, module) = match spec.iter().position(|&b| b == b'=') {
        Some(at) => (&spec[..at], &spec[at + 1..]),
        // a suffix after '-' is a version and not part of the variable's name
        None => (spec.split(|&b| b == b'-').next().unwrap_or(spec), spec),
    };
    let globals = Value::ptr(cx.globals(), Tag::TABLE);
    cx.push(cx.index(globals, cx.str("require"))?);
    cx.push(cx.str(module));
    if docall(cx, 1, 1).is_err() {
        report(cx, p);
        return Ok(false);
    }
    let v = cx.arg(cx.top());
    cx.set_index(globals, cx.str(global), v)?;
    cx.pop();
    Ok(true)
}

/// The script with its arguments.
fn script(cx: Ctx, p: &Program, at: usize) -> LResult<bool> {
    let name = p.args[at].as_bytes();
    let stdin = name == b"-" && p.args[at - 1].as_bytes() != b"--";
    let failed = match base::load_file(cx, (!stdin).then_some(name), b"bt") {
        Ok(f) => {
            cx.push(f);
            let globals = Value::ptr(cx.globals(), Tag::TABLE);
            let arg = cx.index(globals, cx.str("arg"))?;
            if arg.tag != Tag::TABLE {
                return Err(cx.error("'arg' is not a table"));
            }
            let n = cx.len(arg)?.max(0);
            cx.check_stack(n as usize + 3, "too many arguments to script")?;
            for i in 1..=n {
                let v = cx.geti(arg, i)?;
                cx.push(v);
            }
            docall(cx, n as usize, -1).is_err()
        }
        Err(msg) => {
            cx.push(msg);
            true
        }
    };
    if failed {
        report(cx, p);
    }
    Ok(!failed)
}

/// Runs what `LUA_INIT` says.
fn init(cx: Ctx, p: &Program) -> bool {
    for (var, name) in [
        ("LUA_INIT_5_4", &b"=LUA_INIT_5_4"[..]),
        ("LUA_INIT", b"=LUA_INIT"),
    ] {
        if let Some(v) = std::env::var_os(var) {
            let v = v.into_vec();
            let f = match v.strip_prefix(b"@") {
                Some(file) => base::load_file(cx, Some(file), b"bt"),
                None => base::load_chunk(cx, &v, name, b"bt"),
            };
            return dochunk(cx, p, f);
        }
    }
    true
}

/// The global table `arg`: the script's name at 0, what comes before at negative indices.
fn make_arg(cx: Ctx, p: &Program) -> LResult<()> {
    let t = cx.new_table(p.args.len(), p.args.len());
    let zero = p.options.script.unwrap_or(0) as i64;
    for (i, a) in p.args.iter().enumerate() {
        cx.raw_set(t, Value::int(i as i64 - zero), cx.str(a.as_bytes()))?;
    }
    cx.raw_set_field(cx.globals(), "arg", Value::ptr(t, Tag::TABLE));
    Ok(())
}

/// All of it, as a native function so that errors have a place to go. Returns true if nothing failed.
fn pmain(cx: Ctx) -> LResult<usize> {
    // SAFETY: `run` passes the program, which outlives the call.
    let p = unsafe { &*cx.arg(1).as_ptr::<Program>() };
    let o = &p.options;
    if o.version {
        write_stdout(BANNER.as_bytes());
        cfile::flush_stdout();
    }
    if o.no_env {
        cx.registry_set("LUA_NOENV", Value::TRUE);
    }
    open_libs(cx, |_| true);
    make_arg(cx, p)?;
    cx.g().heap.set_mode(traceorus::raw::gc::Mode::Generational); // as `lua`
    cx.set_top(0);
    if !o.no_env && !init(cx, p) {
        return Ok(0);
    }
    for a in &o.actions {
        let ok = match a {
            Action::Execute(s) => {
                dochunk(cx, p, base::load_chunk(cx, s, b"=(command line)", b"bt"))
            }
            Action::Library(s) => dolibrary(cx, p, s)?,
            Action::Warnings => {
                base::warning(cx, b"@on", false);
                true
            }
        };
        if !ok {
            return Ok(0);
        }
    }
    if let Some(at) = o.script
        && !script(cx, p, at)?
    {
        return Ok(0);
    }
    let executed = o.version || o.actions.iter().any(|a| matches!(a, Action::Execute(_)));
    if o.interactive {
        repl::run(cx, p)?;
    } else if o.script.is_none() && !executed {
        if repl::stdin_is_terminal() {
            write_stdout(BANNER.as_bytes());
            repl::run(cx, p)?;
        } else {
            let f = base::load_file(cx, None, b"bt");
            if !dochunk(cx, p, f) {
                return cx.ret(Value::TRUE); // as `lua`: a failing standard input does not show in the exit status
            }
        }
    }
    cx.ret(Value::TRUE)
}
