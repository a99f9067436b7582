//! What needs the state: memory of objects, calls, helpers, allocation, barrier, poll, frames.

use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};
use traceorus_trace::ir::IrOp::*;
use traceorus_trace::ir::{CallId, FieldId, Filling, Ins, Part, REF_NONE, Recipe, Ref, SnapNo, Ty};
use traceorus_trace::loc::{Link, Loc, NewObject};

use crate::harness::*;

#[test]
fn tagged_runs() {
    let mut m = Machine::new();
    // tags 0..8 lie before the payloads
    let mut run = [0u64; 9];
    for k in 0..8 {
        run[1 + k] = 100 + k as u64;
    }
    let p = run.as_mut_ptr().wrapping_add(1);
    for k in 0..8 {
        // SAFETY: tag bytes of the run.
        unsafe { *(p as *mut i8).sub(1 + k) = if k % 2 == 0 { 0 } else { -0x3f } };
    }
    *m.slot(0) = Value::int(3);
    *m.slot(1) = Value::ptr(p, Tag::INT);
    let mut t = Build::new();
    let i = t.slot(Ty::Int, 0);
    let run_ref = t.slot(Ty::Ptr, 1);
    let ni = t.op(Not, Ty::Int, i, REF_NONE);
    let at = t.op(ATRef, Ty::Ptr, run_ref, ni);
    let tag = t.op(LdB, Ty::Tag, at, REF_NONE);
    t.snap(&[]);
    t.guard(TEq, Ty::Void, tag, Ref(Tag::TABLE.0 as i16 as u16));
    let a = t.op(ARef, Ty::Ptr, run_ref, i);
    let v = t.op(LdV, Ty::Int, a, REF_NONE);
    // constant indices
    let five = t.int(5);
    let a5 = t.op(ARef, Ty::Ptr, run_ref, five);
    let v5 = t.op(LdV, Ty::Int, a5, REF_NONE);
    let h = t.lit(HRef, Ty::Ptr, run_ref, 6);
    let ht = t.lit(HTRef, Ty::Ptr, run_ref, 6);
    let v6 = t.op(LdV, Ty::Any, h, REF_NONE);
    let t6 = t.op(LdB, Ty::Tag, ht, REF_NONE);
    let sum = t.op(Add, Ty::Int, v, v5);
    t.op(StV, Ty::Int, a5, sum);
    let nt = t.tag(Tag::FLOAT);
    let n5 = t.int(!5);
    let at5 = t.op(ATRef, Ty::Ptr, run_ref, n5);
    t.op(StB, Ty::Tag, at5, nt);
    t.op(StB, Ty::Tag, ht, tag);
    let kint = t.tag(Tag::INT);
    t.snap_tagged(&[(0, v, kint), (1, v6, t6)]);
    let (snap, s) = m.go(&t.0, Link::Exit);
    assert_eq!(snap, 1);
    assert_eq!(s[&0].0, 103);
    assert_eq!(s[&1], (106, 0));
    assert_eq!(run[1 + 5], 208);
    // SAFETY: as above.
    let tag_at = |k: usize| unsafe { *(p as *const i8).sub(1 + k) };
    assert_eq!(tag_at(5), 1);
    assert_eq!(tag_at(6), -0x3f);
    assert_eq!(tag_at(4), 0);
}

#[test]
fn cells_entries_fields() {
    let mut m = Machine::new();
    let mut cell: Box<Cell> = zeroed();
    cell.value = Value::int(5);
    let entry = DictEntry {
        key_payload: 1,
        val_payload: 2.5f64.to_bits(),
        val_tag: Tag::FLOAT,
        key_tag: Tag::STRING,
    };
    let mut table: Box<Table> = zeroed();
    table.hdr.word = 0xfff0_0001;
    table.hdr.extra = 0x7f;
    table.arr_cap = 9;
    table.metatable = 0x1230 as *mut Table;
    let mut closure = [0u64; 8];
    closure[LuaClosure::UPVALS / 8 + 2] = &raw const *cell as u64;
    let mut t = Build::new();
    let c = {
        let f = t.ptr(closure.as_ptr());
        t.lit(UpRef, Ty::Cell, f, 2)
    };
    let cr = t.op(CRef, Ty::Ptr, c, REF_NONE);
    let ct = t.op(CTRef, Ty::Ptr, c, REF_NONE);
    let v = t.op(LdV, Ty::Int, cr, REF_NONE);
    let tag = t.op(LdW, Ty::Tag, ct, REF_NONE);
    t.snap(&[]);
    t.guard(TEq, Ty::Void, tag, Ref(0));
    let one = t.int(1);
    let v1 = t.op(Add, Ty::Int, v, one);
    t.op(StV, Ty::Int, cr, v1);
    let e = t.ptr(&raw const entry);
    let er = t.op(ERef, Ty::Ptr, e, REF_NONE);
    let et = t.op(ETRef, Ty::Ptr, e, REF_NONE);
    let ev = t.op(LdV, Ty::Float, er, REF_NONE);
    let ev2 = t.op(Add, Ty::Float, ev, ev);
    t.op(StV, Ty::Float, er, ev2);
    t.op(StW, Ty::Tag, et, tag);
    let tab = t.ptr(&raw const *table);
    let shape = t.lit(FLd, Ty::U32, tab, FieldId::TabShape as u16);
    let k = t.0.k(Ty::U32, 0xfff0_0001);
    t.guard(Eq, Ty::U32, shape, k);
    let kind = t.lit(FLd, Ty::U8, tab, FieldId::TabKind as u16);
    let k = t.0.k(Ty::U8, 0x7f);
    t.guard(Eq, Ty::U8, kind, k);
    let cap = t.lit(FLd, Ty::U32, tab, FieldId::TabCap as u16);
    let eight = t.0.k(Ty::U32, 8);
    t.guard(Ugt, Ty::U32, cap, eight);
    let meta = t.lit(FLd, Ty::Ptr, tab, FieldId::TabMeta as u16);
    let km = t.0.k_ptr(0x1230);
    t.guard(Eq, Ty::Ptr, meta, km);
    let len = t.lit(FRef, Ty::U32, tab, FieldId::TabLen as u16);
    let nlen = t.0.k(Ty::U32, 77);
    t.op(FSt, Ty::U32, len, nlen);
    let bits = t.lit(FLd, Ty::U8, tab, FieldId::TabFlags as u16);
    let mask = t.0.k(Ty::U8, 6);
    t.guard(BitsZ, Ty::U8, bits, mask);
    let x = t.lit(XRef, Ty::Ptr, e, 8);
    let xv = t.op(LdV, Ty::Int, x, REF_NONE);
    t.snap(&[(0, v), (1, ev), (2, xv)]);
    let (snap, s) = m.go(&t.0, Link::Exit);
    assert_eq!(snap, 1, "a guard failed");
    assert_eq!(s[&0].0, 5);
    assert_eq!(f64::from_bits(s[&1].0), 2.5);
    assert_eq!(f64::from_bits(s[&2].0), 5.0);
    assert_eq!(cell.value.as_int(), 6);
    assert_eq!(table.arr_len, 77);
    assert_eq!(f64::from_bits(entry.val_payload), 5.0);
    assert_eq!(entry.val_tag, Tag::INT);
    assert_eq!(entry.key_tag, Tag::STRING);
    assert_eq!(entry.key_payload, 1);
}

#[test]
fn string_bytes() {
    let mut m = Machine::new();
    let mut text = [0u8; 64];
    text[Str::DATA..Str::DATA + 5].copy_from_slice(b"hel\xfeo");
    *m.slot(0) = Value::int(3);
    let mut t = Build::new();
    let s = t.ptr(text.as_ptr());
    let i = t.slot(Ty::Int, 0);
    let b = t.op(StrByte, Ty::Int, s, i);
    assert_eq!(value_of(&mut m, t, b), 0xfe);
}

/// Values stay alive across calls, arguments are put in place in parallel, results are found.
#[test]
fn calls() {
    let mut m = Machine::new();
    for k in 0..24 {
        *m.slot(k) = Value::float(2.0 + f64::from(k));
    }
    let mut t = Build::new();
    let v: Vec<_> = (0..24).map(|k| t.slot(Ty::Float, k)).collect();
    let ints: Vec<_> = v
        .iter()
        .map(|&f| t.op(Cast, Ty::Int, f, REF_NONE))
        .collect();
    let list = t.op(CArg, Ty::Void, v[3], v[1]);
    let p = t.lit(CallN, Ty::Float, list, CallId::Pow as u16);
    let k = t.num(1.5);
    let list = t.op(CArg, Ty::Void, p, k);
    let q = t.lit(CallN, Ty::Float, list, CallId::FMod as u16);
    let out: Vec<_> = v
        .iter()
        .chain(&ints)
        .chain(&[p, q])
        .enumerate()
        .map(|(k, &v)| (k as i16, v))
        .collect();
    t.snap(&out);
    let (_, s) = m.go(&t.0, Link::Exit);
    for k in 0..24 {
        let f = 2.0 + f64::from(k);
        assert_eq!(f64::from_bits(s[&k].0), f);
        assert_eq!(f64::from_bits(s[&(24 + k)].0), f);
    }
    assert_eq!(f64::from_bits(s[&48].0), 125.0);
    assert_eq!(f64::from_bits(s[&49].0), 125.0 % 1.5);
}

/// Arguments in general registers, exchanged, and still alive behind the call.
#[test]
fn calls_with_objects() {
    let mut m = Machine::new();
    let text = |s: &[u8]| {
        let mut words = vec![0u64; 8];
        words[std::mem::offset_of!(Str, len) / 8] = s.len() as u64;
        for (k, &b) in s.iter().enumerate() {
            words[(Str::DATA + k) / 8] |= u64::from(b) << (8 * ((Str::DATA + k) % 8));
        }
        words
    };
    let (a, b) = (text(b"abc"), text(b"abd"));
    *m.slot(0) = Value::ptr(a.as_ptr(), Tag::STRING);
    *m.slot(1) = Value::ptr(b.as_ptr(), Tag::STRING);
    let mut t = Build::new();
    let (x, y) = (t.slot(Ty::Str, 0), t.slot(Ty::Str, 1));
    let list = t.op(CArg, Ty::Void, x, y);
    let less = t.lit(CallN, Ty::Int, list, CallId::StrCmp as u16);
    let list = t.op(CArg, Ty::Void, y, x);
    let more = t.lit(CallN, Ty::Int, list, CallId::StrCmp as u16);
    let list = t.op(CArg, Ty::Void, y, y);
    let same = t.lit(CallN, Ty::Int, list, CallId::StrEq as u16);
    let k = t.0.k(Ty::Str, a.as_ptr() as u64);
    let list = t.op(CArg, Ty::Void, k, y);
    let differ = t.lit(Call, Ty::Int, list, CallId::StrEq as u16);
    let unused = t.op(CArg, Ty::Void, y, k);
    t.lit(Call, Ty::Int, unused, CallId::StrEq as u16);
    t.snap(&[(0, x), (1, y), (2, less), (3, more), (4, same), (5, differ)]);
    let (_, s) = m.go(&t.0, Link::Exit);
    assert_eq!(s[&0].0, a.as_ptr() as u64);
    assert_eq!(s[&1].0, b.as_ptr() as u64);
    let got: Vec<_> = (2..6).map(|k| s[&k].0 as i64).collect();
    assert_eq!(got, [-1, 1, 1, 0]);
}

/// Code memory that is used up, and places that are not in it.
#[test]
fn code_area_limits() {
    use traceorus_trace::abort::Abort;
    use traceorus_trace::lower::area::AREA_BYTES;
    let mut m = Machine::new();
    let used = m.area.used();
    assert_eq!(used % 16, 0);
    let big = vec![0xccu8; AREA_BYTES];
    assert_eq!(m.area.install(&big), Err(Abort::CodeMemory));
    assert_eq!(m.area.used(), used);
    let at = m.area.install(&[0x90; 24]).unwrap();
    assert!(m.area.contains(at) && !m.area.contains(at + 32));
    m.area.patch(at + 8, 0x1122_3344_5566_7788).unwrap();
    assert_eq!(m.area.read(at + 8, 2), Some(&[0x88, 0x77][..]));
    assert!(m.area.patch(at + 4, 0).is_err(), "not aligned");
    assert!(m.area.patch(at + 64, 0).is_err(), "not handed out");
    m.area.reset(used);
    assert_eq!(m.area.next_address(), at);
}

/// More values than there are spill slots: an abort, not a wrong trace.
#[test]
fn too_many_values() {
    use traceorus_trace::abort::Abort;
    let mut m = Machine::new();
    let mut t = Build::new();
    let loads: Vec<_> = (0..300).map(|k| t.slot(Ty::Int, k % 40)).collect();
    let ones: Vec<_> = loads
        .iter()
        .map(|&l| t.op(Neg, Ty::Int, l, REF_NONE))
        .collect();
    t.snap(&ones.iter().map(|&v| (0, v)).collect::<Vec<_>>());
    let made = m.compile(&t.0, Link::Exit, &[], 0);
    assert_eq!(made.err(), Some(Abort::Registers));
}

#[test]
fn allocation() {
    let mut m = Machine::new();
    let mut shape: Box<Shape> = zeroed();
    shape.hdr.word = 4711;
    let mut code = [0u64; 4];
    let mut proto: Box<Proto> = zeroed();
    proto.code = code.as_mut_ptr();
    proto.ninstances = 41;
    for (stocked, proto_max) in [(true, false), (false, true)] {
        let mut store = vec![[0xaaaa_aaaa_aaaa_aaaau64; 32]; 16];
        for (k, class) in [
            (0, Table::size_for(2)),
            (1, Table::size_for(4)),
            (2, size_of::<Cell>()),
            (3, LuaClosure::size_for(2)),
            (4, Table::size_for(0)),
        ] {
            store[k][0] = 0x5550;
            m.g.free[small_class(class)] = if stocked {
                store[k].as_mut_ptr().cast()
            } else {
                std::ptr::null_mut()
            };
        }
        if proto_max {
            proto.ninstances = u32::MAX;
        }
        *m.slot(0) = Value::int(9);
        let mut t = Build::new();
        let live: Vec<_> = (0..20)
            .map(|_| {
                let x = t.slot(Ty::Int, 0);
                t.op(Mul, Ty::Int, x, x)
            })
            .collect();
        let sh = t.ptr(&raw const *shape);
        let table = t.lit(TNew, Ty::Tab, sh, 1);
        let run = t.op(TRun, Ty::Ptr, table, REF_NONE);
        let h0 = t.lit(HRef, Ty::Ptr, run, 0);
        let t0 = t.lit(HTRef, Ty::Ptr, run, 0);
        t.op(StV, Ty::Int, h0, live[3]);
        let ti = t.tag(Tag::INT);
        t.op(StB, Ty::Tag, t0, ti);
        let array = t.lit(TArr, Ty::Tab, sh, 3);
        let empty = t.lit(TNew, Ty::Tab, sh, 0);
        let cell = t.lit(CNew, Ty::Cell, REF_NONE, 1);
        let cr = t.op(CRef, Ty::Ptr, cell, REF_NONE);
        t.op(StV, Ty::Tab, cr, table);
        let ct = t.op(CTRef, Ty::Ptr, cell, REF_NONE);
        let tt = t.tag(Tag::TABLE);
        t.op(StW, Ty::Tag, ct, tt);
        let pr = t.ptr(&raw const *proto);
        let f = t.lit(FNew, Ty::Func, pr, 2);
        let u = t.lit(UpAddr, Ty::Ptr, f, 1);
        t.op(StV, Ty::Cell, u, cell);
        let mut out = vec![(0, table), (1, array), (2, cell), (3, f), (4, empty)];
        out.extend(live.iter().enumerate().map(|(k, &v)| (10 + k as i16, v)));
        t.snap(&out);
        let (_, s) = m.go(&t.0, Link::Exit);
        for k in 0..20 {
            assert_eq!(s[&(10 + k)].0, 81);
        }
        if stocked {
            for k in 0..5 {
                assert_eq!(s[&k].0, store[k as usize].as_ptr() as u64);
            }
            assert_eq!(m.g.free[small_class(Table::size_for(2))] as u64, 0x5550);
        }
        // SAFETY: the cells are in `store` or `CELLS`, and were initialised as these types.
        unsafe {
            let table = &*(s[&0].0 as *const Table);
            let inline = s[&0].0 + Table::INLINE_FIELDS as u64;
            assert_eq!(table.hdr.kind, ObjKind::Table as u8);
            assert_eq!((table.hdr.barrier, table.hdr.flags), (0, 0));
            assert_eq!(table.hdr.extra, Tag::NIL.byte() as u8);
            assert_eq!(table.hdr.word, 4711);
            assert_eq!(table.hash as u64, inline);
            assert_eq!((table.field_cap, table.arr_cap, table.arr_len), (2, 0, 0));
            assert_eq!(table.shape as *const Shape, &raw const *shape);
            assert!(table.metatable.is_null() && table.array.is_null());
            assert_eq!(table.meta_absent, 0);
            let run = inline as *const u64;
            assert_eq!(run_get(run, 0).as_int(), 81);
            assert_eq!(run_get(run, 0).tag, Tag::INT);
            assert_eq!(run_get(run, 1).tag, Tag::NIL);
            let array = &*(s[&1].0 as *const Table);
            assert_eq!(array.array as u64, s[&1].0 + Table::INLINE_FIELDS as u64);
            assert_eq!((array.arr_cap, array.arr_len, array.field_cap), (3, 2, 0));
            assert!(array.hash.is_null());
            assert_eq!(run_get(array.array, 2).tag, Tag::NIL);
            let cell = &*(s[&2].0 as *const Cell);
            assert_eq!(cell.hdr.kind, ObjKind::Cell as u8);
            assert_eq!(cell.hdr.flags, flags::CELL_READONLY);
            assert_eq!((cell.value.payload, cell.value.tag), (s[&0].0, Tag::TABLE));
            let f = &*(s[&3].0 as *const LuaClosure);
            assert_eq!((f.hdr.kind, f.hdr.extra), (ObjKind::LuaClosure as u8, 2));
            assert_eq!(f.hdr.word, 0);
            assert_eq!(f.pc as u64, code.as_ptr() as u64 + 8);
            assert_eq!(f.proto as *const Proto, &raw const *proto);
            assert_eq!(
                *((s[&3].0 + LuaClosure::UPVALS as u64 + 8) as *const u64),
                s[&2].0
            );
            let empty = &*(s[&4].0 as *const Table);
            assert!(empty.array.is_null() && empty.hash.is_null());
            assert_eq!(empty.field_cap, 0);
        }
        assert_eq!(proto.ninstances, if proto_max { u32::MAX } else { 42 });
    }
}

#[test]
fn barriers() {
    let mut m = Machine::new();
    let mut header = [0u64; 4];
    for dirty in [0u64, 1] {
        header[0] = dirty;
        BARRIERS.with(|b| b.borrow_mut().clear());
        *m.slot(0) = Value::int(5);
        *m.slot(1) = Value::float(6.0);
        *m.slot(2) = Value::new(0x1000, Tag::STRING);
        let mut t = Build::new();
        let o = t.ptr(header.as_ptr());
        let i = t.slot(Ty::Int, 0);
        let f = t.slot(Ty::Float, 1);
        let any = t.slot(Ty::Any, 2);
        let anyt = t.op(SLoadT, Ty::Tag, Ref(2), REF_NONE);
        let k = t.0.k(Ty::Tab, 0x1234_5678_9abc);
        for v in [i, f, any, k] {
            t.op(Bar, Ty::Void, o, v);
        }
        let ki = t.tag(Tag::INT);
        let kf = t.tag(Tag::FLOAT);
        t.snap_tagged(&[(0, i, ki), (1, f, kf), (2, any, anyt)]);
        let (_, s) = m.go(&t.0, Link::Exit);
        assert_eq!(s[&0].0, 5);
        assert_eq!(f64::from_bits(s[&1].0), 6.0);
        assert_eq!(s[&2], (0x1000, Tag::STRING.0));
        let at = header.as_ptr() as u64;
        let mut calls = BARRIERS.with(|b| b.borrow().clone());
        for c in &mut calls {
            c[2] = c[2] as u32 as u64;
        }
        if dirty == 0 {
            assert!(calls.is_empty());
        } else {
            assert_eq!(
                calls,
                [
                    [at, 5, 0],
                    [at, 6.0f64.to_bits(), 1],
                    [at, 0x1000, Tag::STRING.0 as u32 as u64],
                    [at, 0x1234_5678_9abc, Tag::TABLE.0 as u32 as u64],
                ]
            );
        }
    }
}

/// A poll goes on with all registers as they were, or leaves; its map names what the collector must see.
#[test]
fn polls() {
    let mut m = Machine::new();
    for k in 0..24 {
        *m.slot(k) = Value::int(i64::from(k));
    }
    for (word, answer) in [(0, 0), (1, 0), (1, 1)] {
        m.g.poll = word;
        POLL.with(|p| *p.borrow_mut() = (answer, 0));
        let mut t = Build::new();
        let v: Vec<_> = (0..24).map(|k| t.slot(Ty::Int, k)).collect();
        let f: Vec<_> = v
            .iter()
            .map(|&v| t.op(ItoF, Ty::Float, v, REF_NONE))
            .collect();
        let table = t.slot(Ty::Tab, 7);
        let array = t.lit(FLd, Ty::Ptr, table, FieldId::TabArray as u16);
        let _ = array;
        let any = t.slot(Ty::Any, 8);
        let anyt = t.op(SLoadT, Ty::Tag, Ref(8), REF_NONE);
        t.snap(&[(0, v[5])]);
        t.op(Poll, Ty::Void, REF_NONE, REF_NONE);
        let mut out: Vec<_> = v
            .iter()
            .chain(&f)
            .enumerate()
            .map(|(k, &x)| {
                let tag = t.0.ty(x).tag().unwrap();
                (k as i16, x, t.0.k_tag(tag))
            })
            .collect();
        let tt = t.tag(Tag::TABLE);
        out.push((60, table, tt));
        out.push((61, any, anyt));
        t.snap_tagged(&out);
        let (code, at) = m.compile(&t.0, Link::Exit, &[], 0).unwrap();
        let exit = m.run(at);
        let calls = POLL.with(|p| p.borrow().1);
        assert_eq!(calls, word);
        let roots = &code.exits[0].roots;
        assert_eq!(roots.len(), 2, "{roots:?}");
        if answer == 0 {
            assert_eq!(exit.snap, 1);
            let s = exit.restore(&code.exits[1]);
            for k in 0..24 {
                assert_eq!(s[&k].0, k as u64);
                assert_eq!(f64::from_bits(s[&(24 + k)].0), f64::from(k));
            }
        } else {
            assert_eq!(exit.snap, 0);
            assert_eq!(exit.restore(&code.exits[0])[&0].0, 5);
            let read: Vec<_> = roots
                .iter()
                .map(|r| (exit.read(r.0), exit.read(r.1) as i32))
                .collect();
            assert!(
                read.contains(&(7, Tag::TABLE.0)) && read.contains(&(8, 0)),
                "{read:?}"
            );
        }
    }
}

/// An exit knows what is in sunk objects, in one another too; a POLL has their contents as roots; removed bytes are counted down.
#[test]
fn sunk_objects() {
    let mut m = Machine::new();
    for k in 0..24 {
        *m.slot(k) = Value::int(i64::from(k));
    }
    m.g.poll = 0;
    m.g.sunk_left = 100;
    for (limit, left) in [(0, 28), (1, 1 << 20)] {
        let mut t = Build::new();
        // more values than registers
        let v: Vec<_> = (0..24).map(|k| t.slot(Ty::Int, k)).collect();
        let held = t.slot(Ty::Tab, 7);
        let float = t.op(ItoF, Ty::Float, v[3], REF_NONE);
        let shape = t.ptr(m.g.empty_shape);
        t.0.objects = vec![
            Ins::new(TNew, Ty::Tab, shape, Ref(3)),
            Ins::new(CNew, Ty::Cell, REF_NONE, Ref(1)),
        ];
        let record = t.op(Sunk, Ty::Tab, Ref(0), Ref(72));
        let cell = t.op(Sunk, Ty::Cell, Ref(1), Ref(0));
        let (int, num, tab, ct) = (
            t.tag(Tag::INT),
            t.tag(Tag::FLOAT),
            t.tag(Tag::TABLE),
            t.tag(Tag::CELL),
        );
        let filling = |part, val, tag| Filling { part, val, tag };
        for snap in 0..2 {
            let start = t.0.fillings.len() as u32;
            t.0.fillings.extend([
                filling(Part::Slot(0), v[2], int),
                filling(Part::Slot(1), float, num),
                filling(Part::Slot(2), held, tab),
            ]);
            let end = t.0.fillings.len() as u32;
            let recipe = |object, start, end| Recipe {
                snap: SnapNo(snap),
                object,
                start,
                end,
            };
            t.0.recipes.push(recipe(record, start, end));
            t.0.fillings.push(filling(Part::Cell, record, tab));
            t.0.recipes.push(recipe(cell, end, end + 1));
        }
        t.snap_tagged(&[(0, cell, ct), (1, record, tab)]);
        t.op(Poll, Ty::Void, REF_NONE, REF_NONE);
        let mut slots: Vec<_> = (0..24).map(|k| (k as i16 + 2, v[k], int)).collect();
        slots.push((0, cell, ct));
        t.snap_tagged(&slots);
        let limit = t.int(limit);
        t.guard(Eq, Ty::Int, v[1], limit);
        let (code, at) = m.compile(&t.0, Link::Exit, &[], 0).unwrap();
        let exit = m.run(at);
        assert_eq!(exit.snap, 1);
        assert_eq!(m.g.sunk_left, left);
        for map in &code.exits {
            assert_eq!(
                map.slots.iter().find(|s| s.slot == 0).unwrap().val,
                Loc::Sunk(1)
            );
            assert_eq!(map.roots, []);
            let [r, c] = &map.objects[..] else {
                panic!("{:?}", map.objects);
            };
            assert_eq!(c.new, NewObject::Cell { readonly: true });
            assert!(matches!(r.new, NewObject::Table { slots: 3, .. }));
            assert_eq!(
                (c.parts[0].part, c.parts[0].val),
                (Part::Cell, Loc::Sunk(0))
            );
        }
        let read: Vec<_> = code.exits[1].objects[0]
            .parts
            .iter()
            .map(|p| (exit.read(p.val), exit.read(p.tag) as i32))
            .collect();
        let want = [
            (2, Tag::INT.0),
            (3f64.to_bits(), Tag::FLOAT.0),
            (7, Tag::TABLE.0),
        ];
        assert_eq!(read, want);
    }
}

/// The table stays known while only its array part is used.
#[test]
fn interior_pointers_keep_their_object() {
    let mut m = Machine::new();
    m.g.poll = 0;
    let mut t = Build::new();
    let table = t.slot(Ty::Tab, 0);
    let array = t.lit(FLd, Ty::Ptr, table, FieldId::TabArray as u16);
    t.snap(&[]);
    t.op(Poll, Ty::Void, REF_NONE, REF_NONE);
    let h = t.lit(HRef, Ty::Ptr, array, 1);
    let v = t.op(LdV, Ty::Int, h, REF_NONE);
    t.snap(&[(1, v)]);
    let (code, _) = m.compile(&t.0, Link::Exit, &[], 0).unwrap();
    assert_eq!(code.exits[0].roots.len(), 1);
}

#[test]
fn stack_checks_and_frames() {
    let mut m = Machine::new();
    for (slots, fits) in [(10, true), (200, false)] {
        let mut t = Build::new();
        t.snap(&[]);
        t.op(StkChk, Ty::Void, Ref(slots), REF_NONE);
        t.snap(&[]);
        let (snap, _) = m.go(&t.0, Link::Exit);
        assert_eq!(snap == 1, fits);
    }
    let limit = m.thread.limit;
    m.thread.limit = std::ptr::null_mut();
    let mut t = Build::new();
    t.snap(&[]);
    t.op(StkChk, Ty::Void, Ref(0), REF_NONE);
    t.snap(&[]);
    assert_eq!(m.go(&t.0, Link::Exit).0, 0);
    m.thread.limit = limit;
    for word in [0x1234_5678_9abc_def0u64, 5] {
        m.slot(-1).tag = Tag(word as i32);
        m.slot(-1).aux = (word >> 32) as u32;
        *m.slot(-3) = Value::int(66);
        let mut t = Build::new();
        let w = t.0.k(Ty::Word, 0x1234_5678_9abc_def0);
        t.snap(&[]);
        t.lit(RetF, Ty::Void, w, 3);
        let v = t.slot(Ty::Int, 0);
        t.snap(&[(0, v)]);
        let (code, at) = m.compile(&t.0, Link::Exit, &[], 0).unwrap();
        let exit = m.run(at);
        if word == 5 {
            assert_eq!((exit.snap, exit.base), (0, 0));
        } else {
            assert_eq!((exit.snap, exit.base), (1, -3));
            assert_eq!(exit.restore(&code.exits[1])[&0].0, 66);
        }
    }
}

/// A switch to another thread and back, as coroutines are recorded.
#[test]
fn switches_of_the_stack() {
    const WORD: u64 = 0x7_1234_5678;
    for (word, goes) in [(WORD, true), (WORD + 8, false), (5, false)] {
        let mut m = Machine::new();
        m.g.code_base = 0x4242 as *const u8;
        let mut other: Box<Thread> = zeroed();
        let mut stack = vec![Value::NIL; 16];
        stack[3].tag = Tag(word as i32);
        stack[3].aux = (word >> 32) as u32;
        stack[1] = Value::int(77);
        // SAFETY: inside the stack.
        other.base = unsafe { stack.as_mut_ptr().add(4) };
        *m.slot(0) = Value::ptr(&raw mut *other, Tag::THREAD);
        *m.slot(1) = Value::int(3);
        let mut t = Build::new();
        let to = t.slot(Ty::Thread, 0);
        let at = t.0.k_ptr(&raw const m.g.current as u64);
        let at = t.lit(XRef, Ty::Ptr, at, 0);
        let me = t.op(LdV, Ty::Thread, at, REF_NONE);
        let base = t.lit(FLd, Ty::Ptr, to, FieldId::ThreadBase as u16);
        let w = t.0.k(Ty::Word, WORD);
        t.snap(&[]);
        t.op(CoWord, Ty::Void, base, w);
        t.lit(CoLeave, Ty::Void, me, 5);
        t.lit(CoEnter, Ty::Void, to, 2);
        let theirs = t.slot(Ty::Int, -1);
        t.lit(CoLeave, Ty::Void, to, 1);
        t.lit(CoEnter, Ty::Void, me, 5);
        let ours = t.slot(Ty::Int, 1);
        t.snap(&[(1, ours), (2, theirs)]);
        let (code, at) = m.compile(&t.0, Link::Exit, &[], 0).unwrap();
        let exit = m.run(at);
        assert_eq!((exit.snap == 1, exit.base), (goes, 0));
        assert_eq!(m.g.current, &raw mut *m.thread);
        let base = m.base();
        if goes {
            let slots = exit.restore(&code.exits[1]);
            assert_eq!((slots[&1].0, slots[&2].0), (3, 77));
            // SAFETY: inside the stacks.
            unsafe {
                assert_eq!((m.thread.base, m.thread.top), (base.add(5), base.add(5)));
                assert_eq!(other.base, stack.as_mut_ptr().add(3));
            }
            assert_eq!(
                (m.thread.dispatch, other.dispatch),
                (m.g.code_base, m.g.code_base)
            );
        } else {
            assert!(m.thread.dispatch.is_null() && other.dispatch.is_null());
        }
    }
}

/// The call by which a thread waits: its kind of frame and the results that it wants are checked.
#[test]
fn calls_that_wait() {
    // operand C of an instruction is its number of results
    let call = [3u64 << 48];
    let pc = call.as_ptr() as u64;
    for (word, wanted, goes) in [(pc, 3, true), (pc, 2, false), (pc + 1, 3, false)] {
        let mut m = Machine::new();
        let mut stack = [Value::NIL, Value::new(0, Tag(word as i32)), Value::NIL];
        stack[1].aux = (word >> 32) as u32;
        let mut t = Build::new();
        let base = t.ptr(&raw const stack[2]);
        t.snap(&[]);
        let found = t.lit(CoPc, Ty::Ptr, base, wanted);
        let found = t.op(Cast, Ty::Int, found, REF_NONE);
        t.snap(&[(0, found)]);
        let (snap, slots) = m.go(&t.0, Link::Exit);
        assert_eq!(snap == 1, goes);
        if goes {
            assert_eq!(slots[&0].0, pc);
        }
    }
}

const PC: u64 = 0x5_0000_1000;

/// The helper of the tests: checks what the thread says, moves the base by two slots.
unsafe extern "C" fn helper(l: *mut Thread, pc: u64) -> u64 {
    // SAFETY: the harness's thread.
    unsafe {
        assert_eq!((*l).pc as u64, pc);
        (*l).base = (*l).base.add(2);
        (*(*l).base).payload += 1;
    }
    pc + 8
}
fn helper_of(pc: u64) -> u64 {
    assert_eq!(pc, PC);
    helper as *const () as u64
}

#[test]
fn helpers() {
    let mut m = Machine::with_helpers(helper_of);
    for (op, next, disturbed) in [
        (XOp, PC + 8, 0),
        (XOpQ, PC + 8, 0),
        (XOpR, PC + 8, 0),
        (XOp, PC + 16, 0),
        (XOp, PC + 8, 1),
    ] {
        m.g.error_handled = disturbed;
        for k in 0..20 {
            *m.slot(k) = Value::int(i64::from(k));
        }
        let mut t = Build::new();
        let v: Vec<_> = (0..20).map(|k| t.slot(Ty::Int, k)).collect();
        let (pc, nx) = (t.0.k_ptr(PC), t.0.k_ptr(next));
        let list = t.op(CArg, Ty::Void, pc, nx);
        t.lit(op, Ty::Void, list, 1);
        let after = t.slot(Ty::Int, 3);
        let mut out: Vec<_> = v.iter().enumerate().map(|(k, &v)| (k as i16, v)).collect();
        out.push((30, after));
        t.snap(&out);
        let (code, at) = m.compile(&t.0, Link::Exit, &[], 0).unwrap();
        let exit = m.run(at);
        if next != PC + 8 || disturbed != 0 {
            assert!(exit.save.is_empty());
            assert_eq!(exit.next, PC + 8);
            continue;
        }
        // XOP: the helper's frame was one slot above and moved by two
        assert_eq!(exit.base, if op == XOpR { 3 } else { 2 });
        let s = exit.restore(&code.exits[0]);
        for k in 0..20 {
            assert_eq!(s[&k].0, k as u64);
        }
        assert_eq!(s[&30].0, if op == XOpR { 6 } else { 5 });
        assert_eq!(m.slot(3).payload, 4);
    }
}
