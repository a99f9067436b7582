//! The table library. Semantics and messages are those of ltablib.c (PUC 5.4.8).
//!
//! A table without metatable is accessed raw; what lies in its array part is moved as memory. Any other value goes
//! through the operations that honour metamethods, in PUC's order.
//!
//! `sort` is PUC's quicksort with the same comparisons in the same order (its pivots for badly unbalanced large arrays
//! are chosen by a fixed number instead of the clock), so that programs that count comparisons, or whose order function
//! is inconsistent, see the same. Where no program can see the difference (integers, floats, strings without an order
//! function), the payloads are sorted in place by the standard library's sort.

use traceorus_base::fastfn::FastFn;
use traceorus_base::objects::{Table, run_get};
use traceorus_base::{Tag, Value};
use traceorus_vm::arith::lt;
use traceorus_vm::body::{self, Body};
use traceorus_vm::convert::{append_elements, plain_int};
use traceorus_vm::ctx::{Ctx, LResult};
use traceorus_vm::exec;
use traceorus_vm::native;
use traceorus_vm::number::fmt_number;
use traceorus_vm::repeat::Repeat;
use traceorus_vm::table::{
    table_get_int, table_len, table_may_move, table_move_elements, table_replace, table_set_int,
    table_settle, table_sort,
};

use crate::string::buf::{Buf, append};

/// Makes the library's table.
pub fn open(cx: Ctx<'_>) -> *mut Table {
    let lib = cx.new_table(0, 8);
    cx.push(Value::ptr(lib, Tag::TABLE));
    cx.set_funcs(
        lib,
        &[
            ("concat", native!(concat)),
            ("insert", native!(insert)),
            ("move", native!(move_)),
            ("pack", native!(pack)),
            ("remove", native!(remove)),
            ("sort", native!(sort)),
            ("unpack", native!(unpack)),
        ],
    );
    cx.pop();
    lib
}

// ---- access --------------------------------------------------------------------------------------------------------

/// The table, if nothing but raw access can happen to it.
#[inline(always)]
pub(crate) fn raw(v: Value) -> Option<*mut Table> {
    if v.tag != Tag::TABLE {
        return None;
    }
    let t = v.as_ptr::<Table>();
    // SAFETY: [GC-LIVE] a table value.
    unsafe { (*t).metatable.is_null() }.then_some(t)
}

/// Slots of the array part.
#[inline(always)]
fn array_cap(t: *mut Table) -> i64 {
    // SAFETY: [GC-LIVE] a live table.
    i64::from(unsafe { (*t).arr_cap })
}

#[inline(always)]
fn raw_get(t: *mut Table, i: i64) -> Value {
    // SAFETY: [GC-LIVE] a live table; the index is below the capacity.
    unsafe {
        if (i as u64) < u64::from((*t).arr_cap) {
            run_get((*t).array, i as usize)
        } else {
            table_get_int(t, i)
        }
    }
}

/// May collect: `v` must be reachable.
#[inline(always)]
fn raw_set(cx: Ctx, t: *mut Table, i: i64, v: Value) -> LResult<()> {
    // SAFETY: [GC-LIVE] a live table; a store to the array part takes no memory; [GC-BARRIER] in the callee.
    unsafe {
        if (i as u64) < u64::from((*t).arr_cap) {
            table_set_int(cx.g(), t, i, v);
            Ok(())
        } else {
            cx.raw_set(t, Value::int(i), v)
        }
    }
}

/// `t[i]`, leaving the function on an error. A macro, because a `Result` of a value goes through memory and would be
/// read back in other pieces than it was written.
macro_rules! get {
    ($cx:expr, $t:expr, $i:expr) => {
        match raw($t) {
            Some(t) => raw_get(t, $i),
            None => $cx.geti($t, $i)?,
        }
    };
}

/// `t[i] = v`; `v` must be reachable.
#[inline]
fn set(cx: Ctx, t: Value, i: i64, v: Value) -> LResult<()> {
    match raw(t) {
        Some(t) => raw_set(cx, t, i, v),
        None => cx.seti(t, i, v),
    }
}

/// What an argument must be able to do if it is no table.
#[derive(Clone, Copy)]
struct Needs {
    read: bool,
    write: bool,
    len: bool,
}

const READ: Needs = Needs {
    read: true,
    write: false,
    len: false,
};
const WRITE: Needs = Needs {
    read: false,
    write: true,
    len: false,
};
const READ_LEN: Needs = Needs {
    read: true,
    write: false,
    len: true,
};
const READ_WRITE_LEN: Needs = Needs {
    read: true,
    write: true,
    len: true,
};

fn check_tab(cx: Ctx, i: usize, needs: Needs) -> LResult<()> {
    let v = cx.arg(i);
    if v.tag == Tag::TABLE {
        return Ok(());
    }
    let meta = cx.metatable_of(v);
    let has = |wanted: bool, name| !wanted || !cx.raw_get_field(meta, name).is_nil();
    if !meta.is_null()
        && has(needs.read, "__index")
        && has(needs.write, "__newindex")
        && has(needs.len, "__len")
    {
        return Ok(());
    }
    cx.check_table(i).map(|_| ())
}

/// Length of argument 1.
#[inline]
fn length(cx: Ctx, needs: Needs) -> LResult<i64> {
    if let Some(t) = raw(cx.arg(1)) {
        // SAFETY: [GC-LIVE] the slot keeps it.
        return Ok(unsafe { table_len(t) } as i64);
    }
    check_tab(cx, 1, needs)?;
    cx.len(cx.arg(1))
}

/// See [`table_may_move`].
fn may_move(cx: Ctx, t: *mut Table) -> bool {
    // SAFETY: [GC-LIVE] a live table.
    unsafe { table_may_move(cx.g(), t) }
}

// ---- functions -----------------------------------------------------------------------------------------------------

fn insert(cx: Ctx) -> LResult<usize> {
    let t = cx.arg(1);
    let end = length(cx, READ_WRITE_LEN)?.wrapping_add(1); // first empty element
    match cx.top() {
        2 => set(cx, t, end, cx.arg(2))?,
        3 => {
            let pos = cx.check_int(2)?;
            if (pos as u64).wrapping_sub(1) >= end as u64 {
                return Err(cx.arg_error(2, "position out of bounds"));
            }
            open_gap(cx, t, pos, end)?;
            set(cx, t, pos, cx.arg(3))?;
        }
        _ => return Err(cx.error("wrong number of arguments to 'insert'")),
    }
    Ok(0)
}

/// Moves elements `pos .. end` up by one.
fn open_gap(cx: Ctx, t: Value, pos: i64, end: i64) -> LResult<()> {
    let mut i = end;
    if let Some(t) = raw(t)
        && end - pos > 4
    {
        raw_set(cx, t, end, raw_get(t, end - 1))?;
        i -= 1;
        if end <= array_cap(t) && may_move(cx, t) {
            // SAFETY: [GC-LIVE] `end - 1` is in the array part.
            unsafe { table_move_elements(t, pos as usize, pos as usize + 1, (i - pos) as usize) };
            return Ok(());
        }
    }
    while i > pos {
        cx.push(get!(cx, t, i - 1));
        set(cx, t, i, cx.arg(cx.top()))?;
        cx.pop();
        i -= 1;
    }
    Ok(())
}

fn remove(cx: Ctx) -> LResult<usize> {
    let t = cx.arg(1);
    let size = length(cx, READ_WRITE_LEN)?;
    let mut pos = cx.opt_int(2, size)?;
    if pos != size && (pos as u64).wrapping_sub(1) > size as u64 {
        return Err(cx.arg_error(2, "position out of bounds"));
    }
    let removed = get!(cx, t, pos);
    cx.push(removed);
    if let Some(t) = raw(t)
        && size - pos > 4
        && size < array_cap(t)
        && may_move(cx, t)
    {
        // SAFETY: [GC-LIVE] `size` is in the array part.
        unsafe { table_move_elements(t, pos as usize + 1, pos as usize, (size - pos) as usize) };
        pos = size;
    }
    while pos < size {
        cx.push(get!(cx, t, pos + 1));
        set(cx, t, pos, cx.arg(cx.top()))?;
        cx.pop();
        pos += 1;
    }
    set(cx, t, pos, Value::NIL)?;
    Ok(1)
}

fn move_(cx: Ctx) -> LResult<usize> {
    let f = cx.check_int(2)?;
    let e = cx.check_int(3)?;
    let t = cx.check_int(4)?;
    let to = if cx.is_none_or_nil(5) { 1 } else { 5 };
    check_tab(cx, 1, READ)?;
    check_tab(cx, to, WRITE)?;
    let (a, b) = (cx.arg(1), cx.arg(to));
    if e >= f {
        if f <= 0 && e >= i64::MAX.wrapping_add(f) {
            return Err(cx.arg_error(3, "too many elements to move"));
        }
        let n = e - f + 1;
        if t > i64::MAX - n + 1 {
            return Err(cx.arg_error(4, "destination wrap around"));
        }
        let copy = |i: i64| -> LResult<()> {
            cx.push(get!(cx, a, f + i));
            set(cx, b, t + i, cx.arg(cx.top()))?;
            cx.pop();
            Ok(())
        };
        if t > e || t <= f || (to != 1 && !cx.equals(a, b)?) {
            for i in 0..n {
                copy(i)?;
            }
        } else {
            for i in (0..n).rev() {
                copy(i)?;
            }
        }
    }
    cx.ret(b)
}

fn concat(cx: Ctx) -> LResult<usize> {
    let len = length(cx, READ_LEN)?;
    let t = cx.arg(1);
    let sep = cx.opt_str(2)?.unwrap_or(b"");
    let first = cx.opt_int(3, 1)?;
    let last = cx.opt_int(4, len)?;
    let mut out = Buf::new();
    let mut i = first;
    while i <= last {
        if i != first
            && last < i64::MAX
            && let Some(t) = raw(t)
        {
            // SAFETY: [GC-LIVE] an argument.
            i = unsafe { append_elements(out.room(cx, 0)?, t, sep, i, last) };
            if i > last {
                break;
            }
        }
        let v = get!(cx, t, i);
        let sep = if i == first { b"" } else { sep };
        match v.tag {
            Tag::STRING => {
                let s = cx.bytes(v);
                cx.push(v); // keeps it until it is copied
                add_field(cx, &mut out, sep, s)?;
                cx.pop();
            }
            Tag::INT => {
                let room = out.room(cx, sep.len() + 32)?;
                append(room, sep);
                plain_int(room, v.as_int());
            }
            tag if tag.is_number() => add_field(cx, &mut out, sep, &fmt_number(v))?,
            tag => {
                let tag = tag.type_name();
                return Err(cx.error(format_args!(
                    "invalid value ({tag}) at index {i} in table for 'concat'"
                )));
            }
        }
        if i == last {
            break;
        }
        i += 1;
    }
    let v = out.finish(cx)?;
    cx.ret(v)
}

#[inline(always)]
fn add_field(cx: Ctx, out: &mut Buf, sep: &[u8], s: &[u8]) -> LResult<()> {
    let room = out.room(cx, sep.len() + s.len())?;
    append(room, sep);
    append(room, s);
    Ok(())
}

fn pack(cx: Ctx) -> LResult<usize> {
    let n = cx.top();
    if n > 256 {
        cx.reserve(n * 9 + 256)?;
    }
    let t = cx.new_table(n, 1);
    cx.push(Value::ptr(t, Tag::TABLE));
    for i in 1..=n {
        raw_set(cx, t, i as i64, cx.arg(i))?;
    }
    if n != 0 && !cx.arg(n).is_nil() {
        // SAFETY: [GC-LIVE] the table has room for them all.
        unsafe { table_settle(t, n as u32) };
    }
    cx.raw_set_field(t, "n", Value::int(n as i64));
    Ok(1)
}

fn unpack(cx: Ctx) -> LResult<usize> {
    let t = cx.arg(1);
    let i = cx.opt_int(2, 1)?;
    let e = if cx.is_none_or_nil(3) {
        cx.len(t)?
    } else {
        cx.check_int(3)?
    };
    if i > e {
        return Ok(0);
    }
    let n = (e as u64).wrapping_sub(i as u64); // one less than the number
    if n >= stack_room(cx) {
        return Err(cx.error("too many results to unpack"));
    }
    let n = n as usize + 1;
    cx.check_stack(n, "too many results to unpack")?;
    if let Some(t) = raw(t)
        && i >= 0
        && e < array_cap(t)
    {
        for k in i as usize..=e as usize {
            // SAFETY: [GC-LIVE] the slot keeps the table; `k` is in its array part.
            cx.push(unsafe { run_get((*t).array, k) });
        }
        return Ok(n);
    }
    for k in i..e {
        cx.push(get!(cx, t, k));
    }
    cx.push(get!(cx, t, e));
    Ok(n)
}

/// Values that the stack can take at most.
fn stack_room(cx: Ctx) -> u64 {
    /// As LUAI_MAXSTACK.
    const MAX_STACK: usize = 1_000_000;
    // SAFETY: [NATIVE-FRAME] both point into the thread's stack.
    let used = unsafe { (*cx.l).top.offset_from((*cx.l).stack) as usize };
    MAX_STACK.saturating_sub(used) as u64
}

// ---- sort ----------------------------------------------------------------------------------------------------------

/// The sort with an order function that is written in Lua.
static SORT: Body = Body {
    id: body::SORT,
    name: "table.sort",
    source: include_str!("bodies/sort.lua"),
    helpers: &[
        ("leave", native!(body::leave), FastFn::BodyLeave),
        ("invalid", native!(invalid_order), FastFn::Other),
    ],
    closed: true,
    slow: false,
};

fn invalid_order(cx: Ctx) -> LResult<usize> {
    Err(cx.error("invalid order function for sorting"))
}

/// Arrays larger than this may use pivots that are not in the middle.
const RANDOM_LIMIT: u32 = 100;
/// What stands for a random number.
const FIXED_RANDOM: u32 = !0;

fn sort(cx: Ctx) -> LResult<usize> {
    let n = length(cx, READ_WRITE_LEN)?;
    if n > 1 {
        if n >= i64::from(i32::MAX) {
            return Err(cx.arg_error(1, "array too big"));
        }
        if !cx.is_none_or_nil(2) {
            cx.check_function(2)?;
        }
        cx.set_top(2);
        let (t, f) = (cx.arg(1), cx.arg(2));
        if f.is_nil()
            && let Some(t) = raw(t)
            // SAFETY: [GC-LIVE] the slot keeps it.
            && unsafe { table_sort(cx.g(), t, n as usize) }
        {
            return Ok(0);
        }
        if n >= body::FEW
            // SAFETY: [GC-LIVE] the slot keeps the function.
            && let Some(way) = unsafe { body::way_of(cx.l, &SORT, f) }
        {
            return body::enter(cx, &SORT, way, &[t, f, Value::int(n)]);
        }
        cx.set_top(SLOTS);
        // SAFETY: [NATIVE-FRAME] slot 2 keeps the function; `Sort` leaves the top where it is.
        let order = (!f.is_nil()).then(|| unsafe { Repeat::new(cx.l, f) });
        let event = None;
        let mut s = Sort {
            cx,
            t,
            order,
            event,
        };
        s.sort(1, n as u32, 0)?;
    }
    Ok(0)
}

/// Frame of the quicksort: table, function, and the values at hand, which the order function may take out of the table:
/// the pivot and two others.
const PIVOT: usize = 3;
const LEFT: usize = 4;
const RIGHT: usize = 5;
const SLOTS: usize = 5;

struct Sort<'c> {
    cx: Ctx<'c>,
    t: Value,
    order: Option<Repeat>,
    /// Without an order function: the `__lt` in the slot of that.
    event: Option<Repeat>,
}

/// Reads an element and keeps it in a slot of the frame. A macro, as `get`.
macro_rules! fetch {
    ($s:expr, $slot:expr, $i:expr) => {{
        let i = $i as usize;
        match raw($s.t) {
            Some(t) if (i as i64) < array_cap(t) => {
                // SAFETY: [GC-LIVE] the frame keeps the table.
                let v = unsafe { run_get((*t).array, i) };
                $s.cx.set($slot, v);
                v
            }
            _ => {
                $s.fetch_beyond($slot, i as i64)?;
                // SAFETY: [NATIVE-FRAME] below the top.
                unsafe { Value::load($s.cx.base().add($slot - 1)) }
            }
        }
    }};
}

impl Sort<'_> {
    /// `fetch` of what is not in an array part, or asks a metamethod.
    #[cold]
    fn fetch_beyond(&self, slot: usize, i: i64) -> LResult<()> {
        self.cx.set(slot, get!(self.cx, self.t, i));
        Ok(())
    }
    #[inline(always)]
    fn set(&self, i: u32, v: Value) -> LResult<()> {
        match raw(self.t) {
            // SAFETY: [GC-LIVE] the frame keeps table and value.
            Some(t) if unsafe { table_replace(t, i as usize, v) } => Ok(()),
            _ => self.set_any(i, v.payload, v.tag),
        }
    }
    #[cold]
    fn set_any(&self, i: u32, payload: u64, tag: Tag) -> LResult<()> {
        set(self.cx, self.t, i64::from(i), Value::new(payload, tag))
    }
    #[inline(always)]
    fn less(&mut self, a: Value, b: Value) -> LResult<bool> {
        self.less_parts(a.payload, a.tag, b.payload, b.tag)
    }
    /// `less` of values in parts: whole ones would be passed in memory, and read there in other pieces than they were written.
    #[inline(never)]
    fn less_parts(&mut self, a: u64, a_tag: Tag, b: u64, b_tag: Tag) -> LResult<bool> {
        let (a, b) = (Value::new(a, a_tag), Value::new(b, b_tag));
        match &mut self.order {
            // SAFETY: [NATIVE-FRAME] see `sort`.
            Some(f) => unsafe { f.test(a, b) },
            // SAFETY: [GC-LIVE] the frame's slots keep both.
            None => match unsafe { lt(a, b) } {
                Some(r) => Ok(r),
                None => self.less_by_event(a, b),
            },
        }
    }
    /// The order of values that have none of their own.
    fn less_by_event(&mut self, a: Value, b: Value) -> LResult<bool> {
        let cx = self.cx;
        // SAFETY: [GC-LIVE] the frame's slots keep both; [NATIVE-FRAME] slot 2 keeps the function.
        unsafe {
            let (f, _) = exec::order_meta(cx.g(), a, b, false);
            if f.tag != Tag::FUNCTION {
                return cx.less_than(a, b);
            }
            let event = match &mut self.event {
                Some(e) if cx.arg(2).same(f) => e,
                e => {
                    cx.set(2, f);
                    e.insert(Repeat::new(cx.l, f))
                }
            };
            event.test(a, b)
        }
    }

    fn sort(&mut self, mut lo: u32, mut up: u32, mut random: u32) -> LResult<()> {
        while lo < up {
            // Order elements `lo`, `mid` and `up`.
            let (low, high) = (fetch!(self, LEFT, lo), fetch!(self, RIGHT, up));
            if self.less(high, low)? {
                self.set(lo, high)?;
                self.set(up, low)?;
            }
            if up - lo == 1 {
                break;
            }
            let mid = if up - lo < RANDOM_LIMIT || random == 0 {
                lo.midpoint(up)
            } else {
                let quarter = (up - lo) / 4;
                random % (quarter * 2) + (lo + quarter)
            };
            let (pivot, low) = (fetch!(self, PIVOT, mid), fetch!(self, LEFT, lo));
            if self.less(pivot, low)? {
                self.set(mid, low)?;
                self.set(lo, pivot)?;
            } else {
                let high = fetch!(self, RIGHT, up);
                if self.less(high, pivot)? {
                    self.set(mid, high)?;
                    self.set(up, pivot)?;
                }
            }
            if up - lo == 2 {
                break;
            }
            let (pivot, other) = (fetch!(self, PIVOT, mid), fetch!(self, RIGHT, up - 1));
            self.set(mid, other)?;
            self.set(up - 1, pivot)?;
            let p = self.partition(lo, up, pivot)?;
            // Recurse into the smaller part, go on with the larger one.
            let smaller;
            if p - lo < up - p {
                self.sort(lo, p - 1, random)?;
                smaller = p - lo;
                lo = p + 1;
            } else {
                self.sort(p + 1, up, random)?;
                smaller = up - p;
                up = p - 1;
            }
            if up.wrapping_sub(lo) / 128 > smaller {
                random = FIXED_RANDOM;
            }
        }
        Ok(())
    }

    /// With `a[lo] <= pivot == a[up - 1] <= a[up]`: parts the rest; where the pivot is then.
    fn partition(&mut self, lo: u32, up: u32, pivot: Value) -> LResult<u32> {
        let cx = self.cx;
        let (mut i, mut j) = (lo, up - 1);
        loop {
            i += 1;
            let mut left = fetch!(self, LEFT, i);
            while self.less(left, pivot)? {
                if i == up - 1 {
                    return invalid_order(cx).map(|_| i);
                }
                i += 1;
                left = fetch!(self, LEFT, i);
            }
            j -= 1;
            let mut right = fetch!(self, RIGHT, j);
            while self.less(pivot, right)? {
                if j < i {
                    return invalid_order(cx).map(|_| i);
                }
                j -= 1;
                right = fetch!(self, RIGHT, j);
            }
            if j < i {
                self.set(up - 1, left)?;
                self.set(i, pivot)?;
                return Ok(i);
            }
            self.set(i, right)?;
            self.set(j, left)?;
        }
    }
}
