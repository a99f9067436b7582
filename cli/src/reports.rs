//! Statistics and explanations at the end of the program, and the log.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering::Relaxed};

use traceorus::raw::base::objects::GlobalHot;
use traceorus::raw::stdlib::cfile;
use traceorus::raw::trace::places::Place;
use traceorus::raw::trace::report::{self, Report};
use traceorus::raw::trace::{Config, Jit};
use traceorus::raw::vm::state::Global;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::sampler;

/// The state to report on; null once that is done.
static STATE: AtomicPtr<GlobalHot> = AtomicPtr::new(std::ptr::null_mut());
static EXPLAIN: AtomicBool = AtomicBool::new(false);

/// Sets the log up. The error is a message.
pub fn log(filter: &str) -> Result<(), String> {
    let targets: Targets = filter
        .parse()
        .map_err(|e| format!("TRACEORUS_LOG: '{filter}' is no filter: {e}"))?;
    let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(color)
        .without_time();
    tracing_subscriber::registry()
        .with(layer)
        .with(targets)
        .try_init()
        .map_err(|e| format!("TRACEORUS_LOG: {e}"))
}

/// Sees to it that the reports that the configuration asks for are made when the state is closed, or when `os.exit` ends the program.
///
/// # Safety
/// `g` is a live state.
pub unsafe fn prepare(g: *mut GlobalHot, config: &Config) {
    if config.stats.is_none() && !config.explain {
        return;
    }
    EXPLAIN.store(config.explain, Relaxed);
    STATE.store(g, Relaxed);
    // SAFETY: as promised; the handler is a plain function.
    unsafe {
        if let Some(jit) = Jit::of(Global::of(g)) {
            jit.at_close = Some(|jit| make(Some(jit)));
        }
        libc::atexit(at_exit);
        sampler::start(g);
    }
}

extern "C" fn at_exit() {
    let g = STATE.load(Relaxed);
    if !g.is_null() {
        // SAFETY: set back when the state is closed.
        make(unsafe { Jit::of(Global::of(g)) });
    }
}

/// Makes the reports, once.
fn make(jit: Option<&mut Jit>) {
    if STATE.swap(std::ptr::null_mut(), Relaxed).is_null() {
        return;
    }
    let samples = sampler::stop();
    let explain = EXPLAIN.load(Relaxed);
    let report = match jit {
        // SAFETY: [GC-LIVE] the state is live: it is being closed, or the program ends.
        Some(jit) => unsafe {
            let report = explain.then(|| Report::new(jit, samples.clone()));
            report::finish(jit, samples);
            report
        },
        None => explain.then(|| Report::without_compiler(samples)),
    };
    if let Some(r) = report {
        let sources = Sources::default();
        cfile::flush_stdout();
        cfile::write_stderr(report::explain(&r, |p| sources.line(p)).as_bytes());
    }
}

/// Lines of source files, read when first asked for.
#[derive(Default)]
struct Sources(RefCell<HashMap<String, Vec<String>>>);

impl Sources {
    fn line(&self, p: &Place) -> Option<String> {
        let mut files = self.0.borrow_mut();
        let lines = files.entry(p.chunk.to_string()).or_insert_with(|| {
            let bytes = std::fs::read(&*p.chunk).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            text.lines().map(str::to_string).collect()
        });
        lines.get((p.line as usize).checked_sub(1)?).cloned()
    }
}
