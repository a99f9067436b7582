//! Names of addresses that machine code mentions.

use std::collections::HashMap;

use traceorus_base::Tag;
use traceorus_base::bytecode::Op;
use traceorus_base::objects::*;
use traceorus_vm::{dispatch, string};

use crate::ir::{CallId, IrBuf, Ty};
use crate::lower::Thunks;
use crate::places::chunk_name;
use crate::rt;

/// A table of names by address.
#[derive(Default)]
pub struct Symbols {
    names: HashMap<u64, String>,
}

impl Symbols {
    /// What is known of a state before anything is compiled: helpers, handlers, functions of traces, thunks.
    ///
    /// # Safety
    /// `g` is the hot part of a live state.
    pub unsafe fn of_state(g: *const GlobalHot, thunks: &Thunks) -> Symbols {
        let mut s = Symbols::default();
        // SAFETY: as promised.
        let resume = unsafe { (*g).resume as u64 };
        let base = dispatch::interpreter_code().start;
        for &op in Op::ALL {
            s.add(
                dispatch::helper_address(op) as u64,
                format!("helper_{op:?}"),
            );
            if resume != 0 {
                let handler = base + 8 * u64::from(dispatch::handler_of(op));
                s.add(handler, format!("traceorus_op_{op:?}"));
            }
        }
        s.add(dispatch::poll_address() as u64, "poll_step".into());
        s.add(resume, "traceorus_interp_resume".into());
        for &id in CallId::ALL {
            s.add(rt::address(id) as u64, format!("rt_{}", id.info().name));
        }
        s.add(g as u64, "global".into());
        for (address, name) in [
            (thunks.exit, "exit_thunk"),
            (thunks.poll, "poll_thunk"),
            (thunks.barrier, "barrier_thunk"),
            (thunks.alloc, "alloc_thunk"),
            (thunks.ret, "return_thunk"),
        ] {
            s.add(address, name.into());
        }
        s
    }
    /// Adds a name. The first one of an address stays.
    pub fn add(&mut self, address: u64, name: String) {
        if address != 0 {
            self.names.entry(address).or_insert(name);
        }
    }
    /// The name of exactly this address.
    pub fn name(&self, address: u64) -> Option<&str> {
        self.names.get(&address).map(String::as_str)
    }
    /// Adds descriptions of the objects among a trace's constants.
    ///
    /// # Safety
    /// [GC-LIVE] the constants' objects are alive.
    #[inline(never)]
    pub(crate) unsafe fn add_constants(&mut self, buf: &IrBuf) {
        let mut counts = HashMap::new();
        for k in &buf.konsts {
            let Some(tag) = k.ty.tag().filter(|_| k.ty.is_gc() && k.bits != 0) else {
                continue;
            };
            let n = counts.entry(k.ty).or_insert(0u32);
            *n += 1;
            // SAFETY: as promised.
            let name = unsafe { describe(k.ty, tag, k.bits, *n) };
            self.add(k.bits, name);
        }
    }
}

/// An object in a few words; `n` counts those of its type.
unsafe fn describe(ty: Ty, tag: Tag, bits: u64, n: u32) -> String {
    // SAFETY: [GC-LIVE] as the caller: the tag tells the type.
    unsafe {
        match ty {
            Ty::Str => {
                let text = String::from_utf8_lossy(string::str_bytes(bits as *mut Str));
                let short: String = text.chars().take(20).collect();
                format!("str:{short:?}")
            }
            Ty::Func => match traceorus_vm::debuginfo::proto_of(bits as *const GcHeader) {
                Some(p) => format!("fun:{}:{}", chunk_name(p), (*p).line_defined),
                None => format!("native:{n}"),
            },
            _ => format!("{}:{n}", tag.type_name()),
        }
    }
}
