//! Text of a trace: one instruction per line, snapshots between.
//!
//! ```text
//!   #0 pc=0x40 base=0 live=4 []
//! 0001    any SLOAD   #3
//! 0002    tag SLOADT  #3
//! 0003 >  tag TEQ     0002 int
//! 0004    int ADD     0001 +2
//! 0005 ---- LOOP ----
//! 0006    int ADD     0004 +2
//! 0007    int PHI     0004 0006
//! ```
//! Number, `>` for guards, type, op, operands. Operands: `0001` an instruction, `+2` an integer, `+1.5` a float, a bare type name a tag,
//! `type:bits` any other constant, `#n` a literal (fields, calls and tags by name), `-` none. A snapshot stands before the first
//! instruction that it serves; its entries are `slot: payload tag`, and recipes of sunk objects follow it. BASE is not printed. [`super::parse`] reads the same text.

use std::collections::HashMap;
use std::fmt::Write;

use traceorus_base::Tag;

use super::{
    CallId, EntryCheck, FieldId, Ins, IrBuf, IrOp, Konst, Mode, Part, Ref, Snap, SnapNo, Ty,
};

/// How to print.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Print {
    /// Addresses as numbers by type in order of appearance (`fun:1`) instead of `fun:0x7f..`: stable between runs.
    pub names: bool,
    /// Removed instructions, too (needed if the text is to be parsed again as the same buffer).
    pub nops: bool,
}

/// The trace as text.
pub fn print(buf: &IrBuf, how: Print) -> String {
    let mut p = Printer {
        buf,
        how,
        out: String::new(),
        names: HashMap::new(),
        counts: [0; Ty::ALL.len()],
    };
    p.all();
    p.out
}

/// One instruction as text, without line end.
pub fn print_ins(buf: &IrBuf, r: Ref) -> String {
    let mut p = Printer {
        buf,
        how: Print::default(),
        out: String::new(),
        names: HashMap::new(),
        counts: [0; Ty::ALL.len()],
    };
    p.line(r);
    p.out
}

/// Name of a tag in texts: that of its type, or `tag:number`.
pub(super) fn tag_name(t: Tag) -> String {
    match Ty::of_tag(t) {
        Ty::Any => format!("tag:{}", t.0),
        ty => ty.name().trim_end().to_string(),
    }
}

struct Printer<'a> {
    buf: &'a IrBuf,
    how: Print,
    out: String,
    names: HashMap<(Ty, u64), u32>,
    counts: [u32; Ty::ALL.len()],
}

impl Printer<'_> {
    fn all(&mut self) {
        if !self.buf.pvals.is_empty() {
            self.out.push_str("pvals:");
            for t in &self.buf.pvals {
                let _ = write!(self.out, " {}", t.name().trim_end());
            }
            self.out.push('\n');
        }
        if !self.buf.entry.is_empty() {
            self.out.push_str("entry:");
            for c in &self.buf.entry {
                let _ = match *c {
                    EntryCheck::Tag(slot, tag) => write!(self.out, " #{slot} {}", tag_name(tag)),
                    EntryCheck::Bits(slot, bits) => write!(self.out, " #{slot}={bits:#x}"),
                };
            }
            self.out.push('\n');
        }
        let mut next = 0;
        for i in 1..=self.buf.len() {
            let r = Ref::from_ins(i);
            while next < self.buf.snaps.len()
                && (self.buf.snaps[next].first <= r || i == self.buf.len())
            {
                self.snap(next);
                next += 1;
            }
            if i < self.buf.len() && (self.how.nops || self.buf.at(r).op != IrOp::Nop) {
                self.line(r);
                self.out.push('\n');
            }
        }
    }
    fn snap(&mut self, n: usize) {
        let Snap {
            start,
            end,
            pc,
            base,
            live,
            top,
            pcalls,
            decided,
            asked,
            done: _,
            ..
        } = self.buf.snaps[n];
        let _ = write!(self.out, "  #{n} pc={pc:#x} base={base} live={live}");
        if top != Snap::NO_TOP {
            let _ = write!(self.out, " top={top}");
        }
        if pcalls != 0 {
            let _ = write!(self.out, " pcalls={pcalls}");
        }
        if decided {
            self.out.push_str(" decided=1");
        } else if asked {
            self.out.push_str(" asked=1");
        }
        self.out.push_str(" [");
        for i in start..end {
            let e = self.buf.entries[i as usize];
            if i > start {
                self.out.push_str(", ");
            }
            let _ = write!(self.out, "{}: ", e.slot);
            self.operand(e.val);
            self.out.push(' ');
            self.operand(e.tag);
        }
        self.out.push_str("]\n");
        for r in self.buf.snap_recipes(SnapNo(n as u16)) {
            let _ = write!(self.out, "    {:04} = {{", r.object.ins_index());
            for (k, f) in self.buf.recipe_fillings(r).iter().enumerate() {
                if k > 0 {
                    self.out.push_str(", ");
                }
                let _ = match f.part {
                    Part::Slot(n) => write!(self.out, ".{n}: "),
                    Part::Elem(n) => write!(self.out, "[{n}]: "),
                    Part::Cell => write!(self.out, "cell: "),
                    Part::Upvalue(n) => write!(self.out, "up {n}: "),
                    Part::Field(n) => write!(
                        self.out,
                        "{}: ",
                        FieldId::from_u16(n).map_or("?", |f| f.info().name)
                    ),
                };
                self.operand(f.val);
                if !f.tag.is_none() {
                    self.out.push(' ');
                    self.operand(f.tag);
                }
            }
            self.out.push_str("}\n");
        }
    }
    fn line(&mut self, r: Ref) {
        let i = self.buf.at(r);
        let n = r.ins_index();
        if i.op == IrOp::Loop {
            let _ = write!(self.out, "{n:04} ---- LOOP ----");
            return;
        }
        let guard = if i.op.is_guard() { '>' } else { ' ' };
        let start = self.out.len();
        let _ = write!(
            self.out,
            "{n:04} {guard}  {} {:<7}",
            i.ty.name(),
            i.op.name()
        );
        let [ma, mb] = i.op.modes();
        for (m, o) in [(ma, i.a), (mb, i.b)] {
            if m != Mode::None {
                self.out.push(' ');
                self.mode(i, m, o);
            }
        }
        let end = self.out[start..].trim_end().len();
        self.out.truncate(start + end);
    }
    fn mode(&mut self, i: Ins, m: Mode, o: Ref) {
        match m {
            Mode::None => {}
            Mode::Ref | Mode::Const => self.operand(o),
            Mode::Signed => {
                let _ = write!(self.out, "#{}", o.0 as i16);
            }
            Mode::Lit => {
                let name = match i.op {
                    IrOp::FLd | IrOp::FRef => {
                        FieldId::from_u16(o.0).map(|f| f.info().name.to_string())
                    }
                    IrOp::Call | IrOp::CallN | IrOp::CallL => {
                        CallId::from_u16(o.0).map(|c| c.info().name.to_string())
                    }
                    IrOp::TEq | IrOp::TNe => Some(tag_name(Tag(o.0 as i16 as i32))),
                    _ => None,
                };
                match name {
                    Some(n) => self.out.push_str(&n),
                    None => {
                        let _ = write!(self.out, "#{}", o.0);
                    }
                }
            }
        }
    }
    fn operand(&mut self, o: Ref) {
        if o.is_none() {
            self.out.push('-');
        } else if o.is_ins() {
            let _ = write!(self.out, "{:04}", o.ins_index());
        } else {
            match self.buf.konsts.get(o.const_index()) {
                Some(&k) => self.konst(k),
                None => self.out.push_str("k?"),
            }
        }
    }
    fn konst(&mut self, k: Konst) {
        let Konst { ty, bits } = k;
        let name = ty.name().trim_end();
        let _ = match ty {
            Ty::Int => write!(self.out, "{:+}", bits as i64),
            Ty::Float => {
                let f = f64::from_bits(bits);
                if f.is_nan() {
                    write!(self.out, "num:{bits:#x}")
                } else {
                    write!(self.out, "{f:+?}")
                }
            }
            Ty::Tag => {
                self.out.push_str(&tag_name(Tag(bits as i32)));
                Ok(())
            }
            Ty::U32 | Ty::U8 => write!(self.out, "{name}:{bits}"),
            Ty::Ptr | Ty::Word if self.how.names => self.named(ty, bits),
            _ if ty.is_gc() && self.how.names => self.named(ty, bits),
            _ => write!(self.out, "{name}:{bits:#x}"),
        };
    }
    fn named(&mut self, ty: Ty, bits: u64) -> std::fmt::Result {
        let counts = &mut self.counts;
        let n = *self.names.entry((ty, bits)).or_insert_with(|| {
            counts[ty as usize] += 1;
            counts[ty as usize]
        });
        write!(self.out, "{}:{n}", ty.name().trim_end())
    }
}
