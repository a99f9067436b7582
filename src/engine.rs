//! Puts the parts together: a state, the front end as its loader, the libraries.

use std::cell::Cell;
use std::rc::Rc;

use traceorus_base::Value;
use traceorus_base::chunk::Chunk;
use traceorus_base::objects::Thread;
use traceorus_gc::HostAlloc;
use traceorus_lang_lua::{Error, Workspace, compile_into, compile_nested};
use traceorus_trace::{Config, Jit, Outputs};
use traceorus_vm::ctx::{Ctx, LResult, Throw};
use traceorus_vm::state::{self, Global};
use traceorus_vm::string::str_val;
use traceorus_vm::{debuginfo, dump, load, throw};

use crate::jitlib;

/// Is shown every chunk before it is materialised.
pub type Observer = Rc<dyn Fn(&Chunk)>;

/// What the loader finds in `Global::user`.
pub(crate) struct Embedder {
    pub(crate) observer: Option<Observer>,
    /// Of the front end; empty while it is in use.
    workspace: Rc<Cell<Workspace>>,
}

impl Embedder {
    pub(crate) fn new(observer: Option<Observer>) -> Embedder {
        Embedder {
            observer,
            workspace: Rc::default(),
        }
    }
}

/// A new state that can load chunks, or null if the host refuses the memory. No library is open.
///
/// # Safety
/// As `vm::state::new`.
pub unsafe fn new_state(
    host: HostAlloc,
    observer: Option<Observer>,
    config: &Config,
    outputs: Outputs,
) -> *mut Thread {
    // SAFETY: as promised; the state is fresh.
    unsafe {
        let l = state::new(host);
        if l.is_null() {
            return l;
        }
        let g = Global::of((*l).global);
        g.loader = Some(load_source);
        if let Some(jit) = Jit::new(g, config, outputs) {
            jit.install();
        }
        g.user = Some(Box::new(Embedder::new(observer)));
        l
    }
}

/// What we attached to the state.
pub(crate) fn embedder(g: &Global) -> Option<&Embedder> {
    g.user.as_ref()?.downcast_ref()
}

/// Memory that compiling a small chunk takes.
const COMPILING: usize = 4096;

/// The loader: text through the front end, binary chunks through the verifier.
unsafe fn load_source(l: *mut Thread, source: &[u8], name: &[u8], mode: &[u8]) -> LResult<Value> {
    // SAFETY: `l` is live.
    let (g, depth) = unsafe { (Global::of((*l).global), (*l).ncalls & 0xffff) };
    let user = embedder(g);
    let observer = user.and_then(|e| e.observer.clone());
    let workspace = user.map(|e| e.workspace.clone()).unwrap_or_default();
    if g.heap.is_counted() {
        // what compiling takes is not the host's, but says whether it has memory to compile
        // SAFETY: [NATIVE-FRAME] what `l` runs is rooted.
        unsafe { throw::reserve(l, COMPILING)? };
    }
    let mut fail = |msg: &[u8], status: u32| {
        // SAFETY: `l` is live; a fresh string.
        unsafe { Err::<Value, Throw>(throw::set_error(l, str_val(g.str_new(msg)), status)) }
    };
    let binary = source.first() == Some(&0x1b);
    let kind = if binary { "binary" } else { "text" };
    if !mode.contains(&kind.as_bytes()[0]) {
        let mode = String::from_utf8_lossy(mode);
        return fail(
            format!("attempt to load a {kind} chunk (mode is '{mode}')").as_bytes(),
            3,
        );
    }
    let chunk = if binary {
        match dump::undump(source, name) {
            Ok(c) => c,
            Err(m) => return fail(m.as_bytes(), 3),
        }
    } else {
        let made = if observer.is_some() {
            compile_nested(source, name, depth)
        } else {
            // SAFETY: `l` is live; the functions come from the front end, which gives the main function unless it fails.
            let mut loader = unsafe { load::Loader::new(l, name) };
            let mut w = workspace.take();
            let made = compile_into(source, name, depth, &mut w, &mut loader);
            workspace.set(w);
            match made {
                // SAFETY: as above.
                Ok(()) | Err(Error::Stopped) => return unsafe { loader.finish() },
                Err(Error::Syntax(e)) => Err(e),
            }
        };
        match made {
            Ok(c) => c,
            Err(e) if e.overflow => {
                // as in PUC this is an error of the running function, which a message handler sees
                let r = fail(&e.message, 2);
                // SAFETY: `l` runs the native function that loads; the error is registered.
                unsafe { throw::run_handler(l) };
                return r;
            }
            Err(e) => return fail(&e.message, 3),
        }
    };
    if let Some(show) = observer {
        show(&chunk);
    }
    // SAFETY: `l` is live; the chunk comes from the front end or was verified.
    unsafe { load::load_chunk(l, &chunk) }
}

/// Opens the libraries that `wanted` accepts, in the running native frame, and settles what there is then
/// ([`traceorus_gc::Heap::settle`]).
pub fn open_libs(cx: Ctx, mut wanted: impl FnMut(&str) -> bool) {
    let jit = wanted("jit");
    traceorus_stdlib::open_some(cx, wanted);
    if jit {
        jitlib::open(cx);
    }
    // SAFETY: between two calls of library functions all that is in use is rooted.
    unsafe { cx.g().heap.settle() };
}

/// Message and stack traceback of the running thread, from the given level on.
pub fn traceback(cx: Ctx, msg: Option<&[u8]>, level: i32) -> Vec<u8> {
    // SAFETY: [NATIVE-FRAME] the frames of the running thread are intact.
    unsafe { debuginfo::traceback(cx.l, msg, level) }
}
