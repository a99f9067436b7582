//! Table constructors.

use traceorus_base::bytecode::Op;

use super::Emitter;
use super::expr::{Left, small_int};
use crate::ast::{Kind, Konst, ListId, Node, NodeId};

/// Positional items that are stored at once.
const FLUSH: u32 = 50;
/// Most fields of a record.
const MAX_FIELDS: usize = 32;

impl Emitter<'_> {
    /// A new table in `t`, the next free register, not reserved.
    pub(super) fn table(&mut self, n: Node, t: u32) {
        let ast = self.i.ast;
        let (end_line, items) = match ast.list(ListId(n.a)) {
            [line, items @ ..] => (*line, items),
            [] => return,
        };
        if items.len() == n.b as usize && self.record(items, t, n.line) {
            return;
        }
        let npositional = items.len() as u32 - n.b;
        let at = self.b.emit(Op::NewTable, t, 0, 0, n.line);
        self.b.word(0);
        self.reserve(1);
        let mut stored = 0;
        let mut pending = 0;
        let mut open = false;
        for (i, &item) in items.iter().enumerate() {
            let item = NodeId(item);
            let node = self.node(item);
            if node.kind == Kind::Item {
                self.field(t, node);
                continue;
            }
            // PUC stores a full batch when it comes to the next item of any kind; so do we before a positional one.
            if pending == FLUSH {
                self.set_list(Op::SetList, t, pending, stored, npositional, node.line);
                stored += pending;
                pending = 0;
            }
            if i + 1 == items.len() && ast.is_multi(item) {
                self.open(item);
                open = true;
            } else {
                self.put_next(item);
                pending += 1;
            }
        }
        if open {
            self.set_list(Op::SetListM, t, 0, stored, npositional - 1, end_line);
        } else if pending > 0 {
            self.set_list(Op::SetList, t, pending, stored, npositional, end_line);
        }
        // an open item that is not the only one is most often one value
        let room = match (open, npositional) {
            (true, 1) => 0,
            (_, n) => n,
        };
        self.b.f.code[at as usize + 1] = u64::from(room) | u64::from(n.b) << 32;
        self.b.free = t;
    }

    fn set_list(&mut self, op: Op, t: u32, n: u32, stored: u32, total: u32, line: u32) {
        self.b.emit(op, t, n, 0, line);
        self.b.word(u64::from(stored) | u64::from(total) << 32);
        self.b.free = t + 1;
    }

    /// `R[t][key] = value`
    fn field(&mut self, t: u32, item: Node) {
        let free = self.b.free;
        let (key, value) = (NodeId(item.a), NodeId(item.b));
        match self.konst(key) {
            Some(Konst::Str(s)) if self.is_short(s) => {
                let v = self.put_any(value, item.line);
                let k = self.str_const(s);
                self.b.emit(Op::SetField, t, v, 0, item.line);
                self.cached_key(1, k);
            }
            Some(k @ Konst::Int(0..=0x7fff)) => {
                let v = self.put_any(value, item.line);
                self.b
                    .emit(Op::SetInt, t, small_int(k).unwrap_or(0), v, item.line);
            }
            _ => {
                let k = self.early(key);
                let (k, v) = match k {
                    Left::Reg(k) => (k, self.put_any(value, item.line)),
                    Left::Node(_) => {
                        let v = self.put_any(value, item.line);
                        (self.put_left(k, item.line), v)
                    }
                };
                self.b.emit(Op::SetIndex, t, k, v, item.line);
            }
        }
        self.b.free = free;
    }

    /// A constructor of nothing but fields with distinct short names: their values at once. False if it is none.
    fn record(&mut self, items: &[u32], t: u32, line: u32) -> bool {
        if items.is_empty() || items.len() > MAX_FIELDS || t as usize + items.len() > 200 {
            return false;
        }
        let mut names = [0u32; MAX_FIELDS];
        for (i, &item) in items.iter().enumerate() {
            let key = NodeId(self.node(NodeId(item)).a);
            match self.konst(key) {
                Some(Konst::Str(s)) if self.is_short(s) && !names[..i].contains(&s.0) => {
                    names[i] = s.0
                }
                _ => return false,
            }
        }
        // PUC makes the table first. Where that would show as a line of its own we keep it, though later.
        let line_seen = self.b.f.lines.last() == Some(&line);
        let mut template = Vec::with_capacity(items.len());
        for (&item, &name) in items.iter().zip(&names) {
            self.put_next(NodeId(self.node(NodeId(item)).b));
            template.push(self.str_const(crate::strings::StrId(name)));
        }
        let templates = &mut self.b.f.templates;
        let number = templates
            .iter()
            .position(|t| *t == template)
            .unwrap_or(templates.len());
        if number == templates.len() {
            templates.push(template);
        }
        let line = match items.last() {
            Some(&last) if line_seen => self.node(NodeId(last)).line,
            _ => line,
        };
        self.b.emit(Op::NewRecord, t, t, items.len() as u32, line);
        self.b.word(number as u64);
        self.b.free = t;
        true
    }
}
