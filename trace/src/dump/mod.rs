//! Dumps of what the trace compiler does (`TRACEORUS_DUMP`), for people and for comparing runs.
//!
//! Every section begins with a line `---- TRACE n what ...`. Colours are used on a terminal only. With the stage `sym` no address is
//! printed: objects get numbers by type, code gets names and offsets, so that two runs of a program give the same text.

mod color;
mod disasm;
mod symbols;

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::rc::Rc;

use traceorus_base::Value;
use traceorus_base::objects::*;
use traceorus_vm::dispatch;

use crate::abort::Abort;
use crate::config::{Config, Target};
use crate::ir::print::{self, Print};
use crate::ir::{IrBuf, Ref};
use crate::params::dump;
use crate::places::place;
use crate::record::{Kind, Recorder};
use crate::traces::Trace;

pub use symbols::Symbols;

/// Where dumps go. Clones share it.
#[derive(Clone, Default)]
pub struct Out {
    /// None: standard error.
    file: Option<Rc<RefCell<File>>>,
    color: bool,
}

impl Out {
    /// Opens what the configuration names. The error is a message.
    pub fn open(config: &Config) -> Result<Out, String> {
        let dumps = config.params.dump != 0 || config.dump_bytecode;
        match &config.dump_target {
            Target::File(name) if dumps => {
                let file = File::create(name)
                    .map_err(|e| format!("cannot write dumps to {}: {e}", name.display()))?;
                Ok(Out {
                    file: Some(Rc::new(RefCell::new(file))),
                    color: false,
                })
            }
            _ => Ok(Out {
                file: None,
                color: dumps
                    && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
                    && std::io::stderr().is_terminal(),
            }),
        }
    }
    /// Writes a section.
    pub fn write(&self, text: &str) {
        let colored;
        let text = if self.color {
            colored = color::section(text);
            &colored
        } else {
            text
        };
        // a dump that cannot be written is nothing to stop the program for
        let _ = match &self.file {
            Some(f) => f.borrow_mut().write_all(text.as_bytes()),
            None => std::io::stderr().write_all(text.as_bytes()),
        };
    }
}

/// The dumps of one trace compiler.
pub struct Dump {
    out: Out,
    /// `Params::dump`.
    stages: u32,
    /// Names instead of addresses.
    names: bool,
}

/// A piece of machine code with the IR that it was made from.
pub(crate) struct Code<'a> {
    pub bytes: &'a [u8],
    pub ir: &'a IrBuf,
    /// Offset at which the code of an instruction begins.
    pub at: &'a [(u32, Ref)],
    /// Offset of the loop's head.
    pub loop_head: Option<u32>,
}

fn kind(k: Kind) -> String {
    match k {
        Kind::Loop => "loop".into(),
        Kind::Func => "function".into(),
        Kind::Cont { .. } | Kind::Event { .. } => "continuation".into(),
        Kind::Meet { .. } => "meet".into(),
        Kind::Side { parent, exit } => format!("side of {parent}/{exit}"),
    }
}

impl Dump {
    /// As the configuration asks, to `out`.
    pub fn new(config: &Config, out: Out) -> Dump {
        Dump {
            out,
            stages: config.params.dump,
            names: config.dump_names,
        }
    }
    /// Whether a stage is dumped.
    #[inline]
    pub fn wants(&self, stage: u32) -> bool {
        self.stages & stage != 0
    }

    /// A recording was given up.
    #[inline(never)]
    pub(crate) fn abort(&self, r: &Recorder, why: Abort) {
        if !self.wants(dump::TRACE) {
            return;
        }
        // SAFETY: [CODE] last_pc is an instruction; [GC-LIVE] the recording keeps its prototypes.
        let (op, start, last) = unsafe {
            (
                dispatch::op_at(r.last_pc),
                place(&r.protos, r.start_pc),
                place(&r.protos, r.last_pc),
            )
        };
        self.out.write(&format!(
            "---- TRACE abort {} {start} -- {} at {last} ({})\n",
            kind(r.kind),
            why.text(),
            op.mnemonic(),
        ));
    }

    /// A trace was compiled.
    #[inline(never)]
    pub(crate) fn trace(&self, r: &Recorder, t: &Trace) {
        if !self.wants(dump::TRACE) {
            return;
        }
        // SAFETY: [GC-LIVE] the recording keeps its prototypes.
        let place = |pc| unsafe { place(&r.protos, pc) };
        let mut s = format!(
            "---- TRACE {} {} {} -- {} bytecodes, {} IR, {} snapshots, {} bytes, {}\n",
            t.number,
            kind(t.kind),
            place(r.start_pc),
            r.nbc,
            r.buf.len(),
            r.buf.snaps.len(),
            t.bytes,
            t.link.text(),
        );
        for p in &r.performed {
            let _ = writeln!(s, "     helper {} at {}", p.name(), place(p.pc));
        }
        self.out.write(&s);
    }

    /// An instruction of bytecode is about to be recorded.
    ///
    /// # Safety
    /// [CODE] pc is an instruction of one of the recording's prototypes.
    #[inline(never)]
    pub(crate) unsafe fn bytecode(&self, r: &Recorder, pc: *const Instr) {
        if !self.wants(dump::REC) {
            return;
        }
        // SAFETY: as promised.
        let (op, place) = unsafe { (dispatch::op_at(pc), place(&r.protos, pc)) };
        let indent = 2 * r.frames.len();
        self.out
            .write(&format!("{:indent$}{:<10} {place}\n", "", op.mnemonic()));
    }

    /// The optimised IR of what is to become trace `number`.
    #[inline(never)]
    pub(crate) fn ir(&self, number: u16, r: &Recorder) {
        if !self.wants(dump::IR) {
            return;
        }
        let how = Print {
            names: self.names,
            ..Print::default()
        };
        let mut s = format!("---- TRACE {number} IR\n");
        for line in print::print(&r.buf, how).lines() {
            let snap = line.trim_start().starts_with('#');
            if !snap || self.wants(dump::SNAP) {
                s.push_str(&self.named_pc(line, r));
                s.push('\n');
            }
        }
        self.out.write(&s);
    }

    /// A line with the source place instead of the address of an instruction, if names are wanted.
    fn named_pc<'a>(&self, line: &'a str, r: &Recorder) -> Cow<'a, str> {
        if self.names
            && let Some((before, rest)) = line.split_once("pc=0x")
            && let Some((pc, after)) = rest.split_once(' ')
            && let Ok(pc) = usize::from_str_radix(pc, 16)
        {
            // SAFETY: [GC-LIVE] the recording keeps its prototypes; the address is only compared.
            let place = unsafe { place(&r.protos, pc as *const Instr) };
            return format!("{before}pc={place} {after}").into();
        }
        line.into()
    }

    /// Its register allocation, as text.
    #[inline(never)]
    pub(crate) fn allocation(&self, number: u16, text: impl FnOnce() -> String) {
        if self.wants(dump::RA) {
            let text = text();
            self.out
                .write(&format!("---- TRACE {number} registers\n{text}"));
        }
    }

    /// The machine code of a trace.
    #[inline(never)]
    pub(crate) fn machine_code(&self, t: &Trace, code: &Code<'_>, symbols: &Symbols) {
        if !self.wants(dump::MC) {
            return;
        }
        let mut s = format!("---- TRACE {} mcode {}\n", t.number, code.bytes.len());
        s.push_str(&disasm::listing(t, code, symbols, self.names));
        self.out.write(&s);
    }

    /// An exit was taken and the state put back.
    ///
    /// # Safety
    /// [SNAP-EXACT] the slots of the exit have just been written for the thread `l`; `base` is the trace's BASE there.
    #[inline(never)]
    pub(crate) unsafe fn exit(&self, t: &Trace, exit: u16, base: *const Value) {
        if !self.wants(dump::EXIT) {
            return;
        }
        let map = t.exits.get(exit);
        // SAFETY: [GC-LIVE] a live trace keeps its prototypes.
        let place = unsafe { place(&t.protos, map.pc as *const Instr) };
        let mut s = format!("---- TRACE {} exit {exit} to {place}", t.number);
        for slot in map.slots().filter(|s| !s.word) {
            // SAFETY: as promised.
            let v = unsafe { *base.offset(slot.slot as isize) };
            let _ = write!(s, " [{}]={}", slot.slot - map.base, self.value(v));
        }
        s.push('\n');
        self.out.write(&s);
    }

    fn value(&self, v: Value) -> String {
        use traceorus_base::Tag;
        match v.tag {
            Tag::NIL => "nil".into(),
            Tag::TRUE => "true".into(),
            Tag::FALSE => "false".into(),
            Tag::INT => v.as_int().to_string(),
            Tag::FLOAT => format!("{:?}", v.as_float()),
            t if self.names => t.type_name().into(),
            t => format!("{}:{:#x}", t.type_name(), v.payload),
        }
    }

    /// Anything else, under the heading `what`.
    pub fn note(&self, what: &str) {
        if self.wants(dump::TRACE) {
            self.out.write(&format!("---- TRACE {what}\n"));
        }
    }
}

impl crate::loc::Link {
    /// In words, without addresses.
    pub fn text(&self) -> String {
        use crate::loc::Link;
        match self {
            Link::Loop => "-> loop".into(),
            Link::Entry { base: 0, .. } => "-> entry of a trace".into(),
            Link::Entry { base, .. } => format!("-> entry of a trace, BASE {base:+}"),
            Link::SelfEntry { base } => format!("-> its own entry, BASE {base:+}"),
            Link::Return { .. } | Link::Event(_) => "-> continuation of the caller".into(),
            Link::Body { .. } => "-> body of a loop".into(),
            Link::Exit | Link::Resume { .. } => "-> interpreter".into(),
        }
    }
}
