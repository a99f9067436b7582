//! What the vm calls: [`JitHooks`].

use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};
use traceorus_gc::Marker;
use traceorus_vm::exec;
use traceorus_vm::jithooks::JitHooks;

use crate::abort::Abort;
use crate::jit::Jit;
use crate::report;

/// The hooks of a trace compiler.
pub(crate) fn of(jit: *mut Jit) -> JitHooks {
    JitHooks {
        data: jit.cast(),
        is_on,
        hot,
        record,
        raising,
        mark,
        proto_freed,
        disturbed,
        close,
    }
}

unsafe fn is_on(data: *mut u8) -> bool {
    // SAFETY: as the hook promises.
    unsafe { (*data.cast::<Jit>()).params.on }
}

unsafe fn hot(data: *mut u8, l: *mut Thread, anchor: *mut Instr, start: *const Instr) {
    // SAFETY: as the hook promises.
    unsafe { (*data.cast::<Jit>()).hot(l, anchor, start) }
}

unsafe fn record(data: *mut u8, l: *mut Thread, pc: *const Instr) -> *const Instr {
    // SAFETY: as the hook promises.
    unsafe { (*data.cast::<Jit>()).record(l, pc) }
}

unsafe fn raising(data: *mut u8, l: *mut Thread) {
    // SAFETY: as the hook promises.
    unsafe {
        let jit = &mut *data.cast::<Jit>();
        let Some(r) = jit.recorder.as_ref() else {
            return;
        };
        let g = &*jit.g;
        // errors in callbacks that are caught there do not concern us; others unwind to our frames, where the pc tells
        if g.hot.activation == r.activation && l == g.hot.current && !r.is_caught(l) {
            jit.abort(Abort::ErrorRaised);
        }
    }
}

unsafe fn mark(data: *mut u8, m: &mut Marker<'_>) {
    // SAFETY: [GC-LIVE] constants of traces and recordings.
    unsafe {
        let jit = &mut *data.cast::<Jit>();
        for e in jit.events.iter().flatten() {
            m.value(e.func);
        }
        // dead traces may still run
        jit.bury();
        for &s in jit.chars.strings() {
            m.value(Value::ptr(s, Tag::STRING));
        }
        if let Some(r) = &jit.recorder {
            // the recording has followed the program into a coroutine that ends with the running instruction
            m.value(Value::ptr(r.l, Tag::THREAD));
            m.value(Value::ptr(r.start_l, Tag::THREAD));
            for k in &r.buf.konsts {
                if k.ty.is_gc() && k.bits != 0 {
                    m.value(Value::new(k.bits, k.ty.tag().expect("an object")));
                }
            }
            for &v in &r.keep {
                m.value(v);
            }
            for &p in &r.protos {
                m.value(Value::ptr(p, Tag::PROTO));
            }
        }
        for v in jit.kept.values() {
            m.value(v);
        }
    }
}

unsafe fn disturbed(data: *mut u8, constant: bool) {
    // SAFETY: as the hook promises.
    unsafe {
        let jit = &mut *data.cast::<Jit>();
        jit.disturb();
        if constant {
            jit.flush();
        }
    }
}

unsafe fn proto_freed(data: *mut u8, p: *mut Proto) {
    // SAFETY: as the hook promises: the code is still intact.
    unsafe {
        let jit = &mut *data.cast::<Jit>();
        let (from, to) = {
            let code = (*p).code as usize;
            (code, code + 8 * (*p).ncode as usize)
        };
        jit.hot_protos.retain(|&q| q != p);
        let other = |at: usize| !(from..to).contains(&at);
        jit.penalties.retain(|&at, _| other(at));
        jit.returns.retain(|&at, _| other(at));
        jit.sites.retain(|&(_, at), _| other(at));
        jit.renewed.retain(|&at, _| other(at));
        jit.joins.retain(|&at| other(at));
        jit.helped.retain(|&at| other(at));
        jit.metatables.retain(|&at, _| other(at));
        jit.by_prototype.retain(|&at| other(at));
        jit.told.retain(|&(at, q), _| other(at) && q != p as usize);
        jit.misses.retain(|&(_, at), _| other(at));
        jit.profile.retain(|&at, _| other(at));
        jit.watched.retain(|&at| other(at));
        if let Some(w) = &mut jit.watch
            && !other(w.anchor as usize)
        {
            w.anchor = std::ptr::null_mut();
        }
        debug_assert!(jit.traces.iter().flatten().all(|t| !t.protos.contains(&p)));
    }
}

unsafe fn close(data: *mut u8) {
    // SAFETY: made by `install`; nothing is called after this.
    unsafe {
        let mut jit = Box::from_raw(data.cast::<Jit>());
        if let Some(f) = jit.at_close.take() {
            f(&mut jit);
        }
        report::finish(&mut jit, None);
        let g = &mut *jit.g;
        g.hot.traces = std::ptr::null();
        drop(jit);
    }
}

impl Jit {
    /// A POLL found work: the state has been written back. True: the trace may go on.
    pub(crate) unsafe fn collect(&mut self, l: *mut Thread, roots: &[(Value, ())]) -> bool {
        // SAFETY: [GC-LIVE] [GC-SAFEPOINT] live slots are on the stack, everything else that the trace has is in `roots`.
        unsafe {
            self.roots.clear();
            self.roots.extend(roots.iter().map(|r| r.0));
            let g = &mut *self.g;
            g.extra_roots = (self.roots.as_ptr(), self.roots.len());
            let more = exec::collect_at_poll(l);
            (*self.g).extra_roots = (std::ptr::null(), 0);
            !more
        }
    }
}
