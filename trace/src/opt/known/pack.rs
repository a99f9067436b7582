//! [`Known`] as traces keep it: in a few bytes, read when a side trace begins.
//!
//! ```text
//! number of exits
//! number of constants, for each type, bits
//! number of nodes, for each op, type, operands; guards: from, exits - until; loads: exits - until
//! number of leaves, for each node, slot and tag, from, until - from
//! ```
//! Numbers are in base 128, signed ones with the sign in the lowest bit; so are operands that are refs, with the lowest bit for constants.

use super::{Known, Leaf, Node};
use crate::ir::{Class, IrOp, Konst, Mode, REF_NONE, Ref, Ty};

/// What a trace knows at its exits, packed.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Packed(Box<[u8]>);

struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, mut n: u64) {
        while n >= 128 {
            self.0.push(n as u8 | 128);
            n >>= 7;
        }
        self.0.push(n as u8);
    }
    fn signed(&mut self, n: i64) {
        self.number((n << 1 ^ n >> 63) as u64);
    }
    fn operand(&mut self, m: Mode, o: Ref) {
        match m {
            Mode::None => {}
            Mode::Lit => self.number(o.0.into()),
            Mode::Signed => self.signed((o.0 as i16).into()),
            Mode::Ref | Mode::Const if o.is_const() => {
                self.number(o.const_index() as u64 * 2 + 1);
            }
            Mode::Ref | Mode::Const => self.number(o.ins_index() as u64 * 2),
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> usize {
        let (&first, rest) = self.0.split_first().expect("as it was written");
        self.0 = rest;
        first.into()
    }
    fn number(&mut self) -> u64 {
        let (mut n, mut shift) = (0, 0);
        loop {
            let b = self.byte() as u64;
            n |= (b & 127) << shift;
            shift += 7;
            if b < 128 {
                return n;
            }
        }
    }
    fn signed(&mut self) -> i64 {
        let n = self.number();
        (n >> 1) as i64 ^ -((n & 1) as i64)
    }
    fn operand(&mut self, m: Mode) -> Ref {
        match m {
            Mode::None => REF_NONE,
            Mode::Lit => Ref(self.number() as u16),
            Mode::Signed => Ref(self.signed() as u16),
            Mode::Ref | Mode::Const => {
                let n = self.number();
                let index = n as usize / 2;
                match n & 1 {
                    0 => Ref::from_ins(index),
                    _ => Ref::from_const(index),
                }
            }
        }
    }
}

impl Known {
    /// The same in few bytes.
    pub fn pack(&self) -> Packed {
        if self.nodes.is_empty() {
            return Packed::default();
        }
        let mut w = Writer(Vec::with_capacity(8 * self.nodes.len()));
        w.number(self.exits.into());
        w.number(self.konsts.len() as u64);
        for k in &self.konsts {
            w.number(k.ty as u64);
            w.signed(k.bits as i64);
        }
        w.number(self.nodes.len() as u64);
        for n in &self.nodes {
            w.0.push(n.op as u8);
            w.0.push(n.ty as u8);
            let [ma, mb] = n.op.modes();
            w.operand(ma, n.a);
            w.operand(mb, n.b);
            if n.op.is_guard() {
                w.number(n.from.into());
            }
            if n.op.is_guard() || n.op.class() == Class::L {
                w.number((self.exits - n.until).into());
            }
        }
        w.number(self.leaves.len() as u64);
        for l in &self.leaves {
            w.number(l.node.into());
            w.signed(i64::from(l.slot) * 2 + i64::from(l.tag));
            w.number(l.from.into());
            w.number((l.until - l.from).into());
        }
        Packed(w.0.into())
    }
}

impl Packed {
    /// As it was before.
    pub fn unpack(&self) -> Known {
        if self.0.is_empty() {
            return Known::default();
        }
        let mut r = Reader(&self.0);
        let exits = r.number() as u16;
        let konsts = (0..r.number()).map(|_| Konst {
            ty: Ty::ALL[r.byte()],
            bits: r.signed() as u64,
        });
        let konsts = konsts.collect();
        let nodes = (0..r.number()).map(|_| {
            let (op, ty) = (IrOp::ALL[r.byte()], Ty::ALL[r.byte()]);
            let [ma, mb] = op.modes();
            let (a, b) = (r.operand(ma), r.operand(mb));
            let from = if op.is_guard() { r.number() as u16 } else { 0 };
            let ends = op.is_guard() || op.class() == Class::L;
            let until = exits - if ends { r.number() as u16 } else { 0 };
            Node {
                op,
                ty,
                a,
                b,
                from,
                until,
            }
        });
        let nodes = nodes.collect();
        let leaves = (0..r.number()).map(|_| {
            let node = r.number() as u16;
            let at = r.signed();
            let from = r.number() as u16;
            Leaf {
                node,
                slot: (at >> 1) as i16,
                tag: at & 1 != 0,
                from,
                until: from + r.number() as u16,
            }
        });
        let leaves = leaves.collect();
        Known {
            exits,
            nodes,
            leaves,
            konsts,
        }
    }
}
