//! Dumps of what the trace compiler does, to standard error.

use std::fmt::Write;

use traceorus_base::objects::*;
use traceorus_vm::{debuginfo, dispatch, string};

use crate::abort::Abort;
use crate::ir::Ref;
use crate::jit::Trace;
use crate::record::{Kind, Recorder};

fn out(text: &str) {
    use std::io::Write;
    // a closed standard error is nothing to stop for
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// `chunk:line` of an instruction of one of the recording's prototypes.
pub(crate) fn place(protos: &[*mut Proto], pc: *const Instr) -> String {
    // SAFETY: [GC-LIVE] the prototypes are kept by the recording or trace.
    unsafe {
        for &p in protos {
            let code = (*p).code as *const Instr;
            if pc >= code && pc < code.add((*p).ncode as usize) {
                let line = debuginfo::line_of_word(p, pc.offset_from(code) as usize);
                let name = if (*p).source.is_null() {
                    "?".into()
                } else {
                    String::from_utf8_lossy(string::str_bytes((*p).source))
                        .trim_start_matches(['@', '='])
                        .to_string()
                };
                return format!("{name}:{line}");
            }
        }
        "?".into()
    }
}

fn kind(k: Kind) -> String {
    match k {
        Kind::Loop => "loop".into(),
        Kind::Func => "function".into(),
        Kind::Cont { .. } => "continuation".into(),
        Kind::Side { parent, exit } => format!("side of {parent}/{exit}"),
    }
}

pub(crate) fn abort(r: &Recorder, why: Abort) {
    // SAFETY: [CODE] last_pc is an instruction.
    let op = unsafe { dispatch::op_at(r.last_pc) };
    out(&format!(
        "---- TRACE abort {} {} -- {} at {} ({})\n",
        kind(r.kind),
        place(&r.protos, r.start_pc),
        why.text(),
        place(&r.protos, r.last_pc),
        op.mnemonic(),
    ));
}

pub(crate) fn trace(r: &Recorder, t: &Trace) {
    let mut s = format!(
        "---- TRACE {} {} {} -- {} bytecodes, {} IR, {} snapshots, {} bytes, {:?}\n",
        t.number,
        kind(t.kind),
        place(&r.protos, r.start_pc),
        r.nbc,
        r.buf.len(),
        r.buf.snaps.len(),
        t.bytes,
        t.link,
    );
    for &(op, pc) in &r.generic_ops {
        let _ = writeln!(
            s,
            "     helper {} at {}",
            op.mnemonic(),
            place(&r.protos, pc)
        );
    }
    out(&s);
}

pub(crate) unsafe fn bytecode(r: &Recorder, pc: *const Instr) {
    // SAFETY: [CODE] pc is an instruction.
    let op = unsafe { dispatch::op_at(pc) };
    out(&format!(
        "{:>width$}{} {}\n",
        "",
        op.mnemonic(),
        place(&r.protos, pc),
        width = 2 * r.frames.len()
    ));
}

pub(crate) fn ir(number: u16, r: &Recorder, snaps: bool) {
    out(&format!("---- TRACE {number} IR\n"));
    out(&crate::ir::print(&r.buf, snaps));
}

pub(crate) fn machine_code(t: &Trace, bytes: &[u8], at: &[(u32, Ref)]) {
    let mut s = format!("---- TRACE {} mcode {}\n", t.number, bytes.len());
    let _ = at;
    for (i, chunk) in bytes.chunks(16).enumerate() {
        let _ = write!(s, "{:08x} ", t.address + 16 * i as u64);
        for b in chunk {
            let _ = write!(s, " {b:02x}");
        }
        s.push('\n');
    }
    out(&s);
}

pub(crate) fn exit(t: &Trace, exit: u16, pc: *const Instr) {
    out(&format!(
        "---- TRACE {} exit {} to {}\n",
        t.number,
        exit,
        place(&t.protos, pc)
    ));
}
