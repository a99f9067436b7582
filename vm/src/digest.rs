//! A digest of data: the same for the same data, whatever its addresses, the layout of its tables and the order of their keys.
//!
//! Each object gets a hash of what it holds itself (scalars, strings, the function that a closure is of). Then, for some rounds, what an object
//! refers to is mixed in, so that a difference spreads to all that is within so many references of it. What is in a table is added up, so
//! order does not count. The digest is that of all objects and of the roots.
//!
//! What differs between equal runs has no part in it: addresses, the contents of weak tables, the stacks of coroutines, the bytes of userdata.

use std::collections::HashMap;

use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};

use crate::state::Global;
use crate::string::str_bytes;
use crate::table::{table_get_str, table_next};

/// How far a difference spreads.
const ROUNDS: usize = 8;

/// A step of a hash: mixes `b` into `a`.
fn mix(a: u64, b: u64) -> u64 {
    let x = (a.rotate_left(23) ^ b).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ x >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^ x >> 32
}

fn bytes(b: &[u8]) -> u64 {
    b.iter().fold(b.len() as u64, |h, &c| mix(h, c.into()))
}

/// What an entry of an object refers to: how, and which objects.
struct Edge {
    from: u32,
    label: u64,
    to: [Option<u32>; 2],
}

#[derive(Default)]
struct Graph {
    numbers: HashMap<u64, u32>,
    /// Objects by number.
    objects: Vec<Value>,
    /// What they hold themselves.
    own: Vec<u64>,
    edges: Vec<Edge>,
}

impl Graph {
    /// The hash of a scalar, or the number of an object.
    unsafe fn part(&mut self, v: Value) -> Result<u64, u32> {
        let tag = v.tag.0 as u64;
        if v.tag == Tag::STRING {
            // SAFETY: [GC-LIVE] as the caller.
            return Ok(mix(tag, unsafe { bytes(str_bytes(v.as_ptr())) }));
        }
        if v.tag == Tag::FLOAT {
            let x = v.as_float();
            return Ok(mix(tag, if x.is_nan() { 1 } else { x.to_bits() }));
        }
        if v.tag == Tag::LIGHTUD || v.is_nil() || matches!(v.tag, Tag::TRUE | Tag::FALSE) {
            return Ok(mix(tag, 0));
        }
        if !v.tag.is_collectable() {
            return Ok(mix(tag, v.payload));
        }
        let next = self.objects.len() as u32;
        let n = *self.numbers.entry(v.payload).or_insert(next);
        if n == next {
            self.objects.push(v);
            self.own.push(tag);
        }
        Err(n)
    }

    /// The object `from` holds `key` and, under it, `value`.
    unsafe fn entry(&mut self, from: u32, key: Value, value: Value) {
        // SAFETY: [GC-LIVE] as the caller.
        let (k, v) = unsafe { (self.part(key), self.part(value)) };
        let (label, to) = match (k, v) {
            (Ok(k), Ok(v)) => {
                let own = &mut self.own[from as usize];
                *own = own.wrapping_add(mix(k, v));
                return;
            }
            (Ok(k), Err(v)) => (k, [None, Some(v)]),
            (Err(k), Ok(v)) => (v, [Some(k), None]),
            (Err(k), Err(v)) => (0, [Some(k), Some(v)]),
        };
        self.edges.push(Edge { from, label, to });
    }

    /// The object `from` holds `value` in a place of its own.
    unsafe fn field(&mut self, from: u32, place: usize, value: Value) {
        let place = Value::int(place as i64 - 1_000_000);
        // SAFETY: [GC-LIVE] as the caller.
        unsafe { self.entry(from, place, value) }
    }

    /// What object `n` holds.
    unsafe fn scan(&mut self, n: u32, g: &Global) {
        let v = self.objects[n as usize];
        // SAFETY: [GC-LAYOUT] [GC-LIVE] a live object, whose kind says what it is.
        unsafe {
            let p = v.as_ptr::<GcHeader>();
            let extra = usize::from((*p).extra);
            let add = |graph: &mut Graph, h: u64| {
                let own = &mut graph.own[n as usize];
                *own = mix(*own, h);
            };
            match (*p).kind {
                k if k == ObjKind::Table as u8 => {
                    let t = p.cast::<Table>();
                    let mt = (*t).metatable;
                    if !mt.is_null() {
                        self.field(n, 0, Value::ptr(mt, Tag::TABLE));
                        let mode = g.hot.meta_names[MetaMethod::Mode as usize];
                        if table_get_str(mt, mode).tag == Tag::STRING {
                            return;
                        }
                    }
                    let (mut key, mut hint) = (Value::NIL, 0);
                    while let Ok(Some((k, v, h))) = table_next(t, key, hint) {
                        self.entry(n, k, v);
                        (key, hint) = (k, h);
                    }
                }
                k if k == ObjKind::Cell as u8 => self.field(n, 0, (*p.cast::<Cell>()).value),
                k if k == ObjKind::LuaClosure as u8 => {
                    let proto = (*p.cast::<LuaClosure>()).proto;
                    if !(*proto).source.is_null() {
                        add(self, bytes(str_bytes((*proto).source)));
                    }
                    add(self, (*proto).line_defined.into());
                    add(self, (*proto).ncode.into());
                    let cells = p.cast::<u8>().add(LuaClosure::UPVALS).cast::<*mut Cell>();
                    for i in 0..extra {
                        let cell = *cells.add(i);
                        if !cell.is_null() {
                            // a cell has no tag: its value stands for it
                            self.field(n, i, (*cell).value);
                        }
                    }
                }
                k if k == ObjKind::NativeClosure as u8 => {
                    let f = p.cast::<NativeClosure>();
                    if !(*f).name.is_null() {
                        let name = std::slice::from_raw_parts((*f).name, (*f).name_len as usize);
                        add(self, bytes(name));
                    }
                    let values = p.cast::<u8>().add(NativeClosure::UPVALS).cast::<Value>();
                    for i in 0..extra {
                        self.field(n, i, *values.add(i));
                    }
                }
                k if k == ObjKind::Userdata as u8 => {
                    let u = p.cast::<Userdata>();
                    add(self, (*u).size);
                    if !(*u).metatable.is_null() {
                        self.field(n, extra, Value::ptr((*u).metatable, Tag::TABLE));
                    }
                    let values = p.cast::<u8>().add(Userdata::UVALS).cast::<Value>();
                    for i in 0..extra {
                        self.field(n, i, *values.add(i));
                    }
                }
                k if k == ObjKind::Thread as u8 => add(self, (*p.cast::<Thread>()).status.into()),
                _ => {}
            }
        }
    }

    /// Hashes of the objects, references mixed in.
    fn hashes(&self) -> Vec<u64> {
        let mut now = self.own.clone();
        for _ in 0..ROUNDS {
            let mut next = self.own.clone();
            for e in &self.edges {
                let [key, value] = e.to.map(|n| n.map_or(0, |n| now[n as usize]));
                let held = mix(mix(e.label, key), value);
                next[e.from as usize] = next[e.from as usize].wrapping_add(held);
            }
            now = next;
        }
        now
    }
}

/// The digest of the data that can be reached from `roots`, which are in a certain order.
///
/// # Safety
/// [GC-LIVE] the roots are live values of the state `g`, and nothing runs in it meanwhile.
pub unsafe fn digest(g: &Global, roots: &[Value]) -> u64 {
    let mut graph = Graph::default();
    // SAFETY: as promised: what live objects refer to is live.
    unsafe {
        let parts: Vec<Result<u64, u32>> = roots.iter().map(|&v| graph.part(v)).collect();
        let mut n = 0;
        while n < graph.objects.len() {
            graph.scan(n as u32, g);
            n += 1;
        }
        let hashes = graph.hashes();
        let all = hashes
            .iter()
            .fold(0u64, |sum, &h| sum.wrapping_add(mix(h, 1)));
        let root = |p: Result<u64, u32>| p.unwrap_or_else(|n| hashes[n as usize]);
        parts.into_iter().fold(all, |h, p| mix(h, root(p)))
    }
}

/// A digest of the values themselves, whatever the objects among them hold.
///
/// # Safety
/// As [`digest`].
pub unsafe fn outline(values: &[Value]) -> u64 {
    let mut graph = Graph::default();
    // SAFETY: as promised.
    let part = |v: &Value| unsafe { graph.part(*v).unwrap_or(v.tag.0 as u64) };
    values.iter().map(part).fold(0, mix)
}

/// The digest of what programs can reach through globals.
///
/// # Safety
/// As [`digest`].
pub unsafe fn of_globals(g: &Global) -> u64 {
    let globals = Value::ptr(g.hot.globals, Tag::TABLE);
    // SAFETY: as promised.
    unsafe { digest(g, &[globals]) }
}
