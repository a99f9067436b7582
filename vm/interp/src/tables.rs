//! Table access: cached fields, methods and globals, array elements, length.

use std::mem::offset_of;

use traceorus_asm::operand::{at, at_index};
use traceorus_asm::{AluOp, BitCond, Cond, Gpr, Label, Masm, Scale, ShiftOp, d};
use traceorus_base::Tag;
use traceorus_base::bytecode::Op;
use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::{
    Dict, DictEntry, GcHeader, INT_FACTOR, LOOKUP_ADD, LOOKUP_SIZE, LookupEntry, POINTER_FACTOR,
    Shape, Str, Table, USERDATA_BIT, flags,
};

use crate::meta::{self, Arg};
use crate::misc::{barrier, upcell};
use crate::{B8, B16, B32, B64, Gen, NIL, S8To32, S16To64, U32, U64, extra, goff};

const SHAPE: i32 = offset_of!(GcHeader, word) as i32;
const KIND: i32 = offset_of!(GcHeader, extra) as i32;
const ARRAY: i32 = offset_of!(Table, array) as i32;
const CAP: i32 = offset_of!(Table, arr_cap) as i32;
const LEN: i32 = offset_of!(Table, arr_len) as i32;
const HASH: i32 = offset_of!(Table, hash) as i32;
const META: i32 = offset_of!(Table, metatable) as i32;
const FLAGS: i32 = offset_of!(GcHeader, flags) as i32;
const TABLE_SHAPE: i32 = offset_of!(Table, shape) as i32;
const FIELD_CAP: i32 = offset_of!(Table, field_cap) as i32;
const NFIELDS: i32 = offset_of!(Shape, nfields) as i32;
const EPOCH: i32 = offset_of!(LookupEntry, epoch) as i32;
const KEY: i32 = offset_of!(LookupEntry, key) as i32;
const PAYLOAD: i32 = offset_of!(LookupEntry, payload) as i32;
const TAG: i32 = offset_of!(LookupEntry, tag) as i32;
const ENTRY_SLOT: i32 = offset_of!(LookupEntry, slot) as i32;
const ABSENT: i32 = offset_of!(Table, meta_absent) as i32;
const VAL: i32 = offset_of!(DictEntry, val_payload) as i32;
const VAL_TAG: i32 = offset_of!(DictEntry, val_tag) as i32;
const ENTRY_KEY: i32 = offset_of!(DictEntry, key_payload) as i32;
const ENTRY_KEY_TAG: i32 = offset_of!(DictEntry, key_tag) as i32;
const ENTRIES: i32 = offset_of!(Dict, entries) as i32;
const INDEX: i32 = offset_of!(Dict, index) as i32;
const MASK: i32 = offset_of!(Dict, index_mask) as i32;

/// Tag of a constant in the look-up cache that says: the key is missing, and the metatable has a function for that.
const ASK_META: i64 = Tag::ANY.0 as i64;

/// Tag of an entry in the look-up cache that says: ask for the metatable's id. From here on (unsigned) tags are no constants.
const BY_META: i64 = LookupEntry::BY_META.0 as i64;

/// Marks a SelfGet cache whose receiver is a string (ORDER: `vm::dispatch::STRING_RECEIVER`).
const STRING_RECEIVER: i64 = u32::MAX as i64 - 1;

pub(crate) fn emit<M: Masm>(g: &mut Gen<M>, op: Op) -> bool {
    match op {
        Op::GetGlobal => {
            g.dec_ab();
            let slow = g.slow();
            env(g, M::T2, slow);
            g.m.load(U32, d(M::T5), at(M::PC, 8));
            // an environment in shape mode
            let record = g.cold(move |g| {
                g.m.load(U64, d(M::T6), at(M::PC, 24));
                probe(g, 0, slow);
                own_field(g, slow);
                g.m.branch(Cond::Eq, B32, M::T7, NIL, slow);
                g.put(M::T1, M::T6, M::T7);
                g.next(4);
            });
            g.m.branch(Cond::Ne, B32, M::T5, at(M::T4, SHAPE), record);
            g.m.load(U64, d(M::T6), at(M::PC, 16));
            g.m.load(U32, d(M::T5), at(M::T6, VAL_TAG));
            g.m.branch(Cond::Eq, B32, M::T5, NIL, slow);
            g.m.load(U64, d(M::T6), at(M::T6, VAL));
            g.put(M::T1, M::T6, M::T5);
            g.next(4);
        }
        Op::SetGlobal => {
            g.dec_ab();
            let slow = g.slow();
            env(g, M::T2, slow);
            g.m.load(U32, d(M::T5), at(M::PC, 8));
            let record = g.cold(move |g| {
                barrier(g, M::T4, slow);
                g.m.load(U64, d(M::T6), at(M::PC, 24));
                probe(g, 0, slow);
                g.m.mov(d(M::T3), M::T1);
                set_own_field(g, slow);
                g.next(4);
            });
            g.m.branch(Cond::Ne, B32, M::T5, at(M::T4, SHAPE), record);
            g.m.load(U64, d(M::T6), at(M::PC, 16));
            g.m.branch_mem(Cond::Eq, B32, at(M::T6, VAL_TAG), NIL, slow);
            g.m.load(U64, d(M::T5), at(M::T4, HASH));
            barrier(g, M::T5, slow);
            barrier(g, M::T4, slow);
            g.m.load(U64, d(M::T5), Gen::<M>::pay(M::T1));
            g.m.load(U32, d(M::T4), Gen::<M>::tag(M::T1));
            g.m.store(B64, at(M::T6, VAL), M::T5);
            g.m.store(B32, at(M::T6, VAL_TAG), M::T4);
            g.next(4);
        }
        Op::GetField => {
            g.dec_ab();
            let slow = g.slow();
            let userdata = meta::userdata(g, M::T2, move |g| {
                g.m.load(U64, d(M::T6), at(M::PC, 16));
                g.m.load(U32, d(M::T5), at(M::T0, SHAPE));
                probe_id(g, 4, slow);
                inherited(g, slow);
                let served = g.cold(|g| meta::index(g, Tag::USERDATA, None));
                g.m.branch(Cond::Eq, B32, M::T7, ASK_META, served);
                g.put(M::T1, M::T6, M::T7);
                g.next(3);
            });
            g.expect(M::T2, Tag::TABLE, userdata);
            g.m.load(U64, d(M::T4), Gen::<M>::pay(M::T2));
            g.m.load(U32, d(M::T5), at(M::PC, 8));
            let slot = g.m.new_label();
            let miss = g.cold(move |g| {
                let (dict, own) = (g.m.new_label(), g.m.new_label());
                g.m.load(U64, d(M::T6), at(M::PC, 16));
                is_dict(g, dict);
                probe(g, 0, slow);
                g.m.branch_mem(Cond::Eq, B32, at(M::T7, EPOCH), 0, own);
                inherited(g, slow);
                let served = g.cold(move |g| not_there(g, slow, 3));
                g.m.branch(Cond::Eq, B32, M::T7, ASK_META, served);
                g.put(M::T1, M::T6, M::T7);
                g.next(3);
                g.m.bind(own);
                g.m.load(U32, d(M::T6), at(M::T7, PAYLOAD));
                remember(g);
                g.m.jump(slot);
                g.m.bind(dict);
                g.m.mov_imm(d(M::T5), i64::from(Tag::STRING.0));
                dict_get(g, Key::Short, slow, 3);
            });
            g.m.branch(Cond::Ne, B32, M::T5, at(M::T4, SHAPE), miss);
            g.m.load(U32, d(M::T6), at(M::PC, 12));
            g.m.bind(slot);
            g.m.load(U64, d(M::T5), at(M::T4, HASH));
            get_run(g, M::T5, M::T6, M::T7);
            let above = g.cold(move |g| {
                g.m.load(U64, d(M::T6), at(M::PC, 16));
                probe(g, 2, slow);
                inherited(g, slow);
                let served = g.cold(move |g| not_there(g, slow, 3));
                g.m.branch(Cond::Eq, B32, M::T7, ASK_META, served);
                g.put(M::T1, M::T6, M::T7);
                g.next(3);
            });
            absent(g, M::T7, M::T4, above, 3);
            g.put(M::T1, M::T6, M::T7);
            g.next(3);
        }
        Op::SetField => {
            g.dec_ab();
            let slow = g.slow();
            let userdata = meta::userdata(g, M::T1, move |g| {
                let call = g.cold(|g| {
                    g.m.load(U64, d(M::T4), Gen::<M>::pay(M::T1));
                    g.m.load(U64, d(M::T0), at(M::T4, meta::USERDATA_META));
                    meta::newindex(g, Tag::USERDATA, None, 2);
                });
                meta::newindex_table(g, call);
                barrier(g, M::T4, slow);
                g.m.load(U64, d(M::T6), at(M::PC, 16));
                probe(g, 0, slow);
                g.m.mov(d(M::T3), M::T2);
                set_own_field(g, slow);
                g.next(3);
            });
            g.expect(M::T1, Tag::TABLE, userdata);
            g.m.load(U64, d(M::T4), Gen::<M>::pay(M::T1));
            g.m.load(U32, d(M::T5), at(M::PC, 8));
            barrier(g, M::T4, slow);
            let slot = g.m.new_label();
            let miss = g.cold(move |g| {
                let (add, dict) = (g.m.new_label(), g.m.new_label());
                g.m.load(U64, d(M::T6), at(M::PC, 16));
                is_dict(g, dict);
                probe(g, 0, add);
                g.m.branch_mem(Cond::Ne, B32, at(M::T7, EPOCH), 0, slow);
                g.m.load(U32, d(M::T6), at(M::T7, PAYLOAD));
                remember(g);
                g.m.jump(slot);
                // a key that the table does not have yet: the entry says which shape it gets
                g.m.bind(add);
                g.m.load(U64, d(M::T6), at(M::PC, 16));
                probe(g, 1, slow);
                g.m.load(U32, d(M::T5), at(M::T7, EPOCH));
                epoch_is(g, M::T5, slow);
                g.m.load(U64, d(M::T3), at(M::T7, PAYLOAD));
                let served = g.cold(|g| {
                    g.m.load(U64, d(M::T0), at(M::T4, META));
                    meta::newindex(g, Tag::TABLE, None, 2);
                });
                g.m.branch(Cond::Eq, B64, M::T3, 0, served);
                let plain = g.m.new_label();
                no_newindex(g, M::T4, plain, slow);
                g.m.bind(plain);
                g.m.load(U32, d(M::T6), at(M::T3, NFIELDS));
                g.m.branch(Cond::Above, B32, M::T6, at(M::T4, FIELD_CAP), slow);
                g.m.load(U32, d(M::T7), Gen::<M>::tag(M::T2));
                g.m.branch(Cond::Eq, B32, M::T7, NIL, slow);
                g.m.load(U32, d(M::T5), at(M::T3, SHAPE));
                g.m.store(B64, at(M::T4, TABLE_SHAPE), M::T3);
                g.m.store(B32, at(M::T4, SHAPE), M::T5);
                g.m.load(U64, d(M::T5), at(M::T4, HASH));
                g.m.load(U64, d(M::T4), Gen::<M>::pay(M::T2));
                // slot number nfields - 1
                g.m.neg(B64, d(M::T3), M::T6);
                g.m.store(B8, at_index(M::T5, M::T3, Scale::S1, 0), M::T7);
                g.m.store(B64, at_index(M::T5, M::T6, Scale::S8, -8), M::T4);
                g.next(3);
                g.m.bind(dict);
                not_proto(g, slow);
                g.m.mov_imm(d(M::T5), i64::from(Tag::STRING.0));
                dict_entry(g, Key::Short, slow);
                g.dec_b();
                dict_store(g, M::T2, slow);
                g.next(3);
            });
            g.m.branch(Cond::Ne, B32, M::T5, at(M::T4, SHAPE), miss);
            g.m.load(U32, d(M::T6), at(M::PC, 12));
            g.m.bind(slot);
            g.m.load(U64, d(M::T5), at(M::T4, HASH));
            g.m.load(U64, d(M::T4), Gen::<M>::pay(M::T2));
            g.m.load(U32, d(M::T7), Gen::<M>::tag(M::T2));
            g.m.not(B64, d(M::T3), M::T6);
            let store = g.m.new_label();
            let fresh = g.cold(move |g| {
                g.m.load(U64, d(M::T0), Gen::<M>::pay(M::T1));
                no_newindex(g, M::T0, store, slow);
            });
            g.m.branch_mem(
                Cond::Eq,
                B8,
                at_index(M::T5, M::T3, Scale::S1, 0),
                NIL,
                fresh,
            );
            g.m.bind(store);
            g.m.store(B8, at_index(M::T5, M::T3, Scale::S1, 0), M::T7);
            g.m.store(B64, at_index(M::T5, M::T6, Scale::S8, 0), M::T4);
            g.next(3);
        }
        Op::SelfGet => self_get(g),
        Op::GetIndex => {
            g.dec_abc();
            let slow = g.slow();
            let userdata = meta::userdata(g, M::T2, |g| {
                meta::index(g, Tag::USERDATA, Some(Arg::Reg(3)));
            });
            g.expect(M::T2, Tag::TABLE, userdata);
            g.m.load(U64, d(M::T4), Gen::<M>::pay(M::T2));
            g.m.load(U64, d(M::T6), Gen::<M>::pay(M::T3));
            let other = get_other(g, slow);
            g.expect(M::T3, Tag::INT, other);
            get_element(g, other);
        }
        Op::GetInt => {
            g.dec_ab();
            let slow = g.slow();
            let userdata = meta::userdata(g, M::T2, |g| {
                meta::index(g, Tag::USERDATA, Some(Arg::Imm));
            });
            g.expect(M::T2, Tag::TABLE, userdata);
            g.m.load(U64, d(M::T4), Gen::<M>::pay(M::T2));
            g.m.load(S16To64, d(M::T6), at(M::PC, 6));
            get_element(g, slow);
        }
        Op::SetIndex => {
            g.dec_abc();
            let slow = g.slow();
            let userdata = meta::userdata(g, M::T1, |g| {
                meta::newindex(g, Tag::USERDATA, Some(Arg::Reg(2)), 3);
            });
            g.expect(M::T1, Tag::TABLE, userdata);
            g.m.load(U64, d(M::T4), Gen::<M>::pay(M::T1));
            g.m.load(U64, d(M::T6), Gen::<M>::pay(M::T2));
            let other = set_other(g, slow);
            g.expect(M::T2, Tag::INT, other);
            set_element(g, slow, other);
        }
        Op::SetInt => {
            g.dec_a();
            g.dec_c();
            let slow = g.slow();
            let userdata = meta::userdata(g, M::T1, |g| {
                meta::newindex(g, Tag::USERDATA, Some(Arg::ImmB), 3);
            });
            g.expect(M::T1, Tag::TABLE, userdata);
            g.m.load(U64, d(M::T4), Gen::<M>::pay(M::T1));
            g.m.load(S16To64, d(M::T6), at(M::PC, 4));
            set_element(g, slow, slow);
        }
        Op::Concat => {
            let slow = g.slow();
            g.dec_b();
            let object = g.m.new_label();
            let meta = meta::binary(g, MetaMethod::Concat, Arg::Reg(2), Arg::AfterB);
            for at in [8, 24] {
                for tag in [Tag::TABLE, Tag::USERDATA] {
                    let operand = Gen::<M>::reg(M::T2, at);
                    g.m.branch_mem(Cond::Eq, B32, operand, i64::from(tag.0), object);
                }
            }
            g.m.jump(slow);
            g.m.bind(object);
            g.m.branch_mem(Cond::Ne, B16, at(M::PC, 6), 2, slow);
            g.m.jump(meta);
        }
        Op::Len => {
            g.dec_ab();
            let slow = g.slow();
            g.m.load(U64, d(M::T4), Gen::<M>::pay(M::T2));
            let meta = meta::binary(g, MetaMethod::Len, Arg::Reg(2), Arg::Reg(2));
            let string = g.cold(move |g| {
                g.expect(M::T2, Tag::STRING, meta);
                g.m.load(U64, d(M::T5), at(M::T4, offset_of!(Str, len) as i32));
                g.m.store(B64, Gen::<M>::pay(M::T1), M::T5);
                g.m.store_imm(B32, Gen::<M>::tag(M::T1), Tag::INT.0);
                g.next(1);
            });
            g.expect(M::T2, Tag::TABLE, string);
            let own = g.m.new_label();
            let with_meta = g.cold(move |g| {
                let lacks = 1i64 << MetaMethod::Len as u32;
                g.m.branch_bits_mem(BitCond::Zero, B32, at(M::T5, ABSENT), lacks, meta);
                g.m.jump(own);
            });
            g.m.load(U64, d(M::T5), at(M::T4, META));
            g.m.branch(Cond::Ne, B64, M::T5, 0, with_meta);
            g.m.bind(own);
            // the hint is the border if its slot is not nil and the next one, inside the array, is
            g.m.load(U32, d(M::T5), at(M::T4, LEN));
            g.m.load(U64, d(M::T6), at(M::T4, ARRAY));
            g.m.alu(AluOp::Add, B32, d(M::T7), M::T5, 1);
            g.m.branch(Cond::AboveEq, B32, M::T7, at(M::T4, CAP), slow);
            g.m.not(B64, d(M::T7), M::T7);
            g.m.branch_mem(
                Cond::Ne,
                B8,
                at_index(M::T6, M::T7, Scale::S1, 0),
                NIL,
                slow,
            );
            let zero = g.m.new_label();
            g.m.branch(Cond::Eq, B32, M::T5, 0, zero);
            g.m.branch_mem(
                Cond::Eq,
                B8,
                at_index(M::T6, M::T7, Scale::S1, 1),
                NIL,
                slow,
            );
            g.m.bind(zero);
            g.m.store(B64, Gen::<M>::pay(M::T1), M::T5);
            g.m.store_imm(B32, Gen::<M>::tag(M::T1), Tag::INT.0);
            g.next(1);
        }
        _ => return false,
    }
    true
}

/// T4 = the table in the upvalue whose offset is in `r`.
fn env<M: Masm>(g: &mut Gen<M>, r: Gpr, slow: Label) {
    upcell(g, r, M::T4);
    let cell = crate::misc::CELL;
    g.m.branch_mem(
        Cond::Ne,
        B32,
        at(M::T4, cell + 8),
        i64::from(Tag::TABLE.0),
        slow,
    );
    g.m.load(U64, d(M::T4), at(M::T4, cell));
}

/// `slot` = payload, `tag` = tag of slot number `slot` of the tagged run `run`.
fn get_run<M: Masm>(g: &mut Gen<M>, run: Gpr, slot: Gpr, tag: Gpr) {
    g.m.not(B64, d(tag), slot);
    g.m.load(S8To32, d(tag), at_index(run, tag, Scale::S1, 0));
    g.m.load(U64, d(slot), at_index(run, slot, Scale::S8, 0));
}

/// A nil was found in the table `t`: that is the value if there is no metatable.
fn absent<M: Masm>(g: &mut Gen<M>, tag: Gpr, t: Gpr, slow: Label, words: i32) {
    let nil = g.cold(move |g| {
        g.m.branch_mem(Cond::Ne, B64, at(t, META), 0, slow);
        g.m.store_imm(B32, Gen::<M>::tag(M::T1), NIL as i32);
        g.next(words);
    });
    g.m.branch(Cond::Eq, B32, tag, NIL, nil);
}

/// T7 = the look-up cache's entry for the table T4 and the key T6 (`add`: see `LookupEntry::key`); T5 = the shape
/// id. Branches to `miss` if there is none.
pub(crate) fn probe<M: Masm>(g: &mut Gen<M>, add: i32, miss: Label) {
    g.m.load(U32, d(M::T5), at(M::T4, SHAPE));
    probe_id(g, add, miss);
}

/// What is remembered of prototypes since the epoch in `epoch` holds still.
fn epoch_is<M: Masm>(g: &mut Gen<M>, epoch: Gpr, miss: Label) {
    g.m.branch(
        Cond::Ne,
        B32,
        epoch,
        at(M::GLOBAL, goff!(proto_epoch)),
        miss,
    );
}

/// T5 = the id by which the cache of a SelfGet knows userdata with the metatable T0.
fn userdata_id<M: Masm>(g: &mut Gen<M>) {
    g.m.load(U32, d(M::T5), at(M::T0, SHAPE));
    g.m.alu(
        AluOp::Xor,
        B32,
        d(M::T5),
        M::T5,
        i64::from(USERDATA_BIT as i32),
    );
}

/// [`probe`] for the shape id T5.
fn probe_id<M: Masm>(g: &mut Gen<M>, add: i32, miss: Label) {
    g.m.shift(ShiftOp::Shr, B64, d(M::T7), M::T6, 4);
    let far = add * LOOKUP_ADD as i32;
    g.m.lea(d(M::T7), at_index(M::T7, M::T5, Scale::S8, 0));
    if far != 0 {
        g.m.alu(AluOp::Add, B64, d(M::T7), M::T7, i64::from(far));
        g.m.alu(AluOp::Add, B64, d(M::T6), M::T6, i64::from(add));
    }
    g.m.alu(AluOp::And, B32, d(M::T7), M::T7, (LOOKUP_SIZE - 1) as i64);
    g.m.shift(ShiftOp::Shl, B64, d(M::T7), M::T7, 5);
    g.m.alu(
        AluOp::Add,
        B64,
        d(M::T7),
        M::T7,
        at(M::GLOBAL, goff!(lookup)),
    );
    g.m.branch(Cond::Ne, B32, M::T5, at(M::T7, 0), miss);
    g.m.branch(Cond::Ne, B64, M::T6, at(M::T7, KEY), miss);
}

/// T6, T7 = payload and tag of the own field that the look-up cache's entry T7 tells of the table T4; `slow` if it tells
/// something else.
fn own_field<M: Masm>(g: &mut Gen<M>, slow: Label) {
    g.m.branch_mem(Cond::Ne, B32, at(M::T7, EPOCH), 0, slow);
    g.m.load(U32, d(M::T6), at(M::T7, PAYLOAD));
    g.m.load(U64, d(M::T5), at(M::T4, HASH));
    get_run(g, M::T5, M::T6, M::T7);
}

/// Stores register T3 into the own field that the look-up cache's entry T7 tells of the table T4, if it is not nil. Destroys T2.
fn set_own_field<M: Masm>(g: &mut Gen<M>, slow: Label) {
    g.m.branch_mem(Cond::Ne, B32, at(M::T7, EPOCH), 0, slow);
    g.m.load(U32, d(M::T6), at(M::T7, PAYLOAD));
    g.m.load(U64, d(M::T5), at(M::T4, HASH));
    g.m.not(B64, d(M::T2), M::T6);
    g.m.branch_mem(
        Cond::Eq,
        B8,
        at_index(M::T5, M::T2, Scale::S1, 0),
        NIL,
        slow,
    );
    g.m.load(U64, d(M::T4), Gen::<M>::pay(M::T3));
    g.m.load(U32, d(M::T7), Gen::<M>::tag(M::T3));
    g.m.store(B8, at_index(M::T5, M::T2, Scale::S1, 0), M::T7);
    g.m.store(B64, at_index(M::T5, M::T6, Scale::S8, 0), M::T4);
}

/// T6, T7 = payload and tag of the constant in the look-up cache's entry T7, if it still holds. Destroys T5.
pub(crate) fn constant<M: Masm>(g: &mut Gen<M>, slow: Label) {
    g.m.load(U32, d(M::T5), at(M::T7, EPOCH));
    epoch_is(g, M::T5, slow);
    g.m.load(U64, d(M::T6), at(M::T7, PAYLOAD));
    g.m.load(U32, d(M::T7), at(M::T7, TAG));
}

/// The same of a constant, a value that a prototype holds, or what the metatable of the table T4 tells. Destroys T0, too.
fn inherited<M: Masm>(g: &mut Gen<M>, slow: Label) {
    let (again, done) = (g.m.new_label(), g.m.new_label());
    let special = g.cold(move |g| {
        let by_meta = g.m.new_label();
        g.m.branch(Cond::Eq, B32, M::T7, BY_META, by_meta);
        g.m.load(U32, d(M::T5), at(M::T5, ENTRY_SLOT));
        let dict = i64::from(flags::TAB_DICT);
        g.m.branch_bits_mem(BitCond::NonZero, B8, at(M::T6, FLAGS), dict, slow);
        g.m.load(U64, d(M::T6), at(M::T6, HASH));
        g.m.not(B64, d(M::T7), M::T5);
        g.m.load(S8To32, d(M::T7), at_index(M::T6, M::T7, Scale::S1, 0));
        g.m.load(U64, d(M::T6), at_index(M::T6, M::T5, Scale::S8, 0));
        g.m.jump(done);
        g.m.bind(by_meta);
        g.m.load(U64, d(M::T6), at(M::T5, KEY));
        g.m.alu(AluOp::And, B64, d(M::T6), M::T6, -8);
        probe_meta(g, slow);
        g.m.jump(again);
    });
    g.m.bind(again);
    g.m.load(U32, d(M::T5), at(M::T7, EPOCH));
    epoch_is(g, M::T5, slow);
    g.m.mov(d(M::T5), M::T7);
    g.m.load(U64, d(M::T6), at(M::T7, PAYLOAD));
    g.m.load(U32, d(M::T7), at(M::T7, TAG));
    g.m.branch(Cond::AboveEq, B32, M::T7, BY_META, special);
    g.m.bind(done);
}

/// T7 = the look-up cache's entry for what the metatable of the table T4, which has one, tells of the key T6; T5 = the metatable's id, T0
/// the metatable.
fn probe_meta<M: Masm>(g: &mut Gen<M>, miss: Label) {
    g.m.load(U64, d(M::T0), at(M::T4, META));
    g.m.load(U32, d(M::T5), at(M::T0, SHAPE));
    probe_id(g, 4, miss);
}

/// Puts the shape id T5 and the slot T6 into the inline cache: the latest one is the likeliest.
fn remember<M: Masm>(g: &mut Gen<M>) {
    g.m.store(B32, at(M::PC, 8), M::T5);
    g.m.store(B32, at(M::PC, 12), M::T6);
}

/// Branches if the table T4 is a dictionary.
fn is_dict<M: Masm>(g: &mut Gen<M>, dict: Label) {
    g.m.branch_bits_mem(
        BitCond::NonZero,
        B8,
        at(M::T4, FLAGS),
        i64::from(flags::TAB_DICT),
        dict,
    );
}

/// The table module must see stores into prototypes.
fn not_proto<M: Masm>(g: &mut Gen<M>, slow: Label) {
    g.m.branch_bits_mem(
        BitCond::NonZero,
        B8,
        at(M::T4, FLAGS),
        i64::from(flags::TAB_PROTO),
        slow,
    );
}

/// What is known of a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    /// Any key.
    Any,
    /// A short string.
    Short,
}

/// T0 = the entry of the key T6 (tag in T5) in the dictionary T4 (a table), `missing` if there is none. T1, T2, T3 are the
/// operands A, B, C afterwards, T4 is the table in B or A. Rare keys are the slow path's.
fn dict_entry<M: Masm>(g: &mut Gen<M>, key: Key, missing: Label) {
    let slow = g.slow();
    let (found, home) = (g.m.new_label(), g.m.new_label());
    let set = matches!(g.op, Op::SetField | Op::SetIndex);
    // collisions, small dictionaries without index, other keys
    let far = g.cold(move |g| {
        g.extra(extra::DICT_STEP);
        g.m.move_args(&[M::T4.into(), M::T6.into(), M::T5.into()]);
        g.m.call_reg(M::T7);
        g.m.mov(d(M::T0), M::RET0);
        g.dec_abc();
        let table = if set { M::T1 } else { M::T2 };
        g.m.load(U64, d(M::T4), Gen::<M>::pay(table));
        // 1: a float that is an integer
        let rare = g.m.new_label();
        g.m.branch(Cond::BelowEq, B64, M::T0, 1, rare);
        g.m.jump(found);
        g.m.bind(rare);
        g.m.branch(Cond::Ne, B64, M::T0, 0, slow);
        g.m.jump(missing);
    });
    if key == Key::Any {
        let int = g.cold(move |g| {
            g.m.shift(ShiftOp::Shr, B64, d(M::T7), M::T6, 32);
            g.m.mul(B32, d(M::T7), M::T7, i64::from(INT_FACTOR as i32));
            g.m.alu(AluOp::Add, B32, d(M::T7), M::T7, M::T6);
            g.m.jump(home);
        });
        g.m.branch(Cond::Eq, B32, M::T5, i64::from(Tag::INT.0), int);
        g.m.branch(Cond::Ge, B32, M::T5, 0, far);
        let object = g.m.new_label();
        g.m.branch(Cond::Ne, B32, M::T5, i64::from(Tag::STRING.0), object);
        g.m.branch_bits_mem(
            BitCond::Zero,
            B8,
            at(M::T6, FLAGS),
            i64::from(flags::STR_SHORT),
            far,
        );
        g.m.bind(object);
    }
    g.m.mov_imm(d(M::T7), POINTER_FACTOR as i64);
    g.m.mul(B64, d(M::T7), M::T7, M::T6);
    g.m.shift(ShiftOp::Shr, B64, d(M::T7), M::T7, 32);
    g.m.bind(home);
    g.m.load(U64, d(M::T2), at(M::T4, HASH));
    g.m.load(U64, d(M::T0), at(M::T2, INDEX));
    g.m.branch(Cond::Eq, B64, M::T0, 0, far);
    g.m.alu(AluOp::And, B32, d(M::T7), M::T7, at(M::T2, MASK));
    let gone = g.cold(move |g| {
        g.dec_abc();
        g.m.jump(missing);
    });
    let second = g.cold(move |g| {
        // the next word of the home's group of four
        g.m.load(U64, d(M::T0), at(M::T2, INDEX));
        g.m.alu(AluOp::Add, B32, d(M::T1), M::T7, 1);
        g.m.alu(AluOp::And, B32, d(M::T1), M::T1, 3);
        g.m.alu(AluOp::And, B32, d(M::T7), M::T7, -4);
        g.m.alu(AluOp::Or, B32, d(M::T7), M::T7, M::T1);
        entry_at(g, far, gone);
        g.dec_abc();
        g.m.jump(found);
    });
    entry_at(g, second, gone);
    g.dec_abc();
    g.m.bind(found);
}

/// T0 = the entry that word T7 of the index T0 of the dictionary T2 tells, if its key is T6 (tag in T5); else goes on at
/// `other`, or at `gone` if the word is empty. Destroys T1 and T3.
fn entry_at<M: Masm>(g: &mut Gen<M>, other: Label, gone: Label) {
    g.m.load(U32, d(M::T1), at_index(M::T0, M::T7, Scale::S4, 0));
    g.m.branch(Cond::Eq, B32, M::T1, 0, gone);
    g.m.alu(AluOp::And, B32, d(M::T1), M::T1, at(M::T2, MASK));
    const { assert!(size_of::<DictEntry>() == 24) };
    g.m.lea(d(M::T1), at_index(M::T1, M::T1, Scale::S2, 0));
    g.m.load(U64, d(M::T3), at(M::T2, ENTRIES));
    g.m.lea(d(M::T0), at_index(M::T3, M::T1, Scale::S8, -24));
    g.m.branch(Cond::Ne, B64, M::T6, at(M::T0, ENTRY_KEY), other);
    g.m.branch(Cond::Ne, B32, M::T5, at(M::T0, ENTRY_KEY_TAG), other);
}

/// Stores the register `v` into the dictionary entry T0, if its value is not nil.
fn dict_store<M: Masm>(g: &mut Gen<M>, v: Gpr, slow: Label) {
    g.m.branch_mem(Cond::Eq, B32, at(M::T0, VAL_TAG), NIL, slow);
    g.m.load(U64, d(M::T4), Gen::<M>::pay(v));
    g.m.load(U32, d(M::T5), Gen::<M>::tag(v));
    g.m.store(B64, at(M::T0, VAL), M::T4);
    g.m.store(B32, at(M::T0, VAL_TAG), M::T5);
}

/// Register T1 = the value of the key T6 (tag in T5) in the dictionary T4.
fn dict_get<M: Masm>(g: &mut Gen<M>, key: Key, slow: Label, words: i32) {
    let missing = g.cold(move |g| not_there(g, slow, words));
    dict_entry(g, key, missing);
    g.m.load(U32, d(M::T5), at(M::T0, VAL_TAG));
    g.m.branch(Cond::Eq, B32, M::T5, NIL, missing);
    g.m.load(U64, d(M::T6), at(M::T0, VAL));
    g.put(M::T1, M::T6, M::T5);
    g.next(words);
}

/// GetIndex with the table T4 and a key T6 that is no index into the array part.
fn get_other<M: Masm>(g: &mut Gen<M>, slow: Label) -> Label {
    g.cold(move |g| {
        let (dict, string) = (g.m.new_label(), g.m.new_label());
        let missing = g.cold(move |g| not_there(g, slow, 1));
        g.m.load(U32, d(M::T5), Gen::<M>::tag(M::T3));
        is_dict(g, dict);
        // nothing but short strings is in a record
        g.m.branch(Cond::Eq, B32, M::T5, i64::from(Tag::STRING.0), string);
        g.m.branch(Cond::Eq, B32, M::T5, i64::from(Tag::INT.0), missing);
        g.m.jump(slow);
        g.m.bind(string);
        probe(g, 0, slow);
        let fixed = g.cold(move |g| {
            inherited(g, slow);
            g.m.branch(Cond::Eq, B32, M::T7, ASK_META, missing);
            g.put(M::T1, M::T6, M::T7);
            g.next(1);
        });
        own_field(g, fixed);
        g.m.branch(Cond::Eq, B32, M::T7, NIL, missing);
        g.put(M::T1, M::T6, M::T7);
        g.next(1);
        g.m.bind(dict);
        dict_get(g, Key::Any, slow, 1);
    })
}

/// SetIndex with the table T4 and a key T6 that is no index into the array part: stores to keys that are there.
fn set_other<M: Masm>(g: &mut Gen<M>, slow: Label) -> Label {
    g.cold(move |g| {
        let dict = g.m.new_label();
        barrier(g, M::T4, slow);
        not_proto(g, slow);
        is_dict(g, dict);
        let number = g.cold(move |g| {
            g.expect(M::T2, Tag::INT, slow);
            new_key(g, slow);
        });
        g.expect(M::T2, Tag::STRING, number);
        probe(g, 0, slow);
        set_own_field(g, slow);
        g.next(1);
        g.m.bind(dict);
        g.m.load(U32, d(M::T5), Gen::<M>::tag(M::T2));
        dict_entry(g, Key::Any, slow);
        dict_store(g, M::T3, slow);
        g.next(1);
    })
}

/// A SetIndex of a key that the table T4 does not have: calls a function in `__newindex`.
fn new_key<M: Masm>(g: &mut Gen<M>, slow: Label) {
    g.m.load(U64, d(M::T0), at(M::T4, META));
    g.m.branch(Cond::Eq, B64, M::T0, 0, slow);
    g.m.branch_bits_mem(
        BitCond::NonZero,
        B32,
        at(M::T0, ABSENT),
        1i64 << MetaMethod::NewIndex as u32,
        slow,
    );
    meta::newindex(g, Tag::TABLE, Some(Arg::Reg(2)), 3);
}

/// The table T4 does not have the key of the running GetIndex or GetField: what its metatable says. T1, T2, T3 are the
/// operands.
fn not_there<M: Masm>(g: &mut Gen<M>, slow: Label, words: i32) {
    let nil = g.m.new_label();
    g.m.load(U64, d(M::T0), at(M::T4, META));
    g.m.branch(Cond::Eq, B64, M::T0, 0, nil);
    g.m.branch_bits_mem(
        BitCond::NonZero,
        B32,
        at(M::T0, ABSENT),
        1i64 << MetaMethod::Index as u32,
        nil,
    );
    match g.op {
        Op::GetIndex => meta::index(g, Tag::TABLE, Some(Arg::Reg(3))),
        Op::GetInt => meta::index(g, Tag::TABLE, Some(Arg::Imm)),
        Op::GetField => meta::index(g, Tag::TABLE, None),
        _ => g.m.jump(slow),
    }
    g.m.bind(nil);
    g.m.store_imm(B32, Gen::<M>::tag(M::T1), NIL as i32);
    g.next(words);
}

/// Register T1 = element T6 of the table T4.
fn get_element<M: Masm>(g: &mut Gen<M>, outside: Label) {
    let slow = g.slow();
    g.m.load(U32, d(M::T5), at(M::T4, CAP));
    g.m.branch(Cond::AboveEq, B64, M::T6, M::T5, outside);
    g.m.load(U64, d(M::T5), at(M::T4, ARRAY));
    get_run(g, M::T5, M::T6, M::T7);
    let missing = g.cold(move |g| not_there(g, slow, 1));
    g.m.branch(Cond::Eq, B32, M::T7, NIL, missing);
    g.put(M::T1, M::T6, M::T7);
    g.next(1);
}

/// Element T6 of the table T4 = register T3.
fn set_element<M: Masm>(g: &mut Gen<M>, slow: Label, outside: Label) {
    g.m.load(U32, d(M::T5), at(M::T4, CAP));
    g.m.branch(Cond::AboveEq, B64, M::T6, M::T5, outside);
    barrier(g, M::T4, slow);
    g.m.load(U32, d(M::T7), Gen::<M>::tag(M::T3));
    g.m.load(U64, d(M::T5), at(M::T4, ARRAY));
    g.m.not(B64, d(M::T2), M::T6);
    let (same, store) = (g.m.new_label(), g.m.new_label());
    // an element of the same type is there: only the payload changes
    let other = g.cold(move |g| {
        // the array's kind must allow the new type
        g.m.load(S8To32, d(M::T0), at(M::T4, KIND));
        let kind_ok = g.m.new_label();
        g.m.branch(Cond::Eq, B32, M::T0, M::T7, kind_ok);
        g.m.branch(Cond::Ne, B32, M::T0, i64::from(Tag::ANY.0), slow);
        g.m.bind(kind_ok);
        g.m.branch_mem(
            Cond::Ne,
            B8,
            at_index(M::T5, M::T2, Scale::S1, 0),
            NIL,
            store,
        );
        let fresh = g.m.new_label();
        no_newindex(g, M::T4, fresh, slow);
        g.m.bind(fresh);
        // appending moves the border hint along
        g.m.alu(AluOp::Sub, B64, d(M::T0), M::T6, 1);
        g.m.branch(Cond::Ne, B32, M::T0, at(M::T4, LEN), store);
        g.m.store(B32, at(M::T4, LEN), M::T6);
        g.m.bind(store);
        g.m.store(B8, at_index(M::T5, M::T2, Scale::S1, 0), M::T7);
        g.m.jump(same);
    });
    let nil = g.cold(move |g| {
        let (over, clear, last, nothing) = (
            g.m.new_label(),
            g.m.new_label(),
            g.m.new_label(),
            g.m.new_label(),
        );
        g.m.branch_mem(
            Cond::Ne,
            B8,
            at_index(M::T5, M::T2, Scale::S1, 0),
            NIL,
            over,
        );
        no_newindex(g, M::T4, nothing, slow);
        g.m.bind(nothing);
        g.next(1);
        // [DENSE]
        g.m.bind(over);
        g.m.branch_mem(Cond::Eq, B8, at(M::T4, KIND), i64::from(Tag::ANY.0), clear);
        g.m.branch(Cond::Eq, B32, M::T6, 0, clear);
        g.m.branch(Cond::Above, B32, M::T6, at(M::T4, LEN), clear);
        g.m.branch(Cond::Eq, B32, M::T6, at(M::T4, LEN), last);
        g.m.store_imm(B8, at(M::T4, KIND), Tag::ANY.0);
        g.m.bind(clear);
        g.m.store(B8, at_index(M::T5, M::T2, Scale::S1, 0), M::T7);
        g.next(1);
        g.m.bind(last);
        g.m.alu(AluOp::Sub, B32, d(M::T0), M::T6, 1);
        g.m.store(B32, at(M::T4, LEN), M::T0);
        g.m.jump(clear);
    });
    g.m.branch(Cond::Eq, B32, M::T7, NIL, nil);
    g.m.branch_mem(
        Cond::Ne,
        B8,
        at_index(M::T5, M::T2, Scale::S1, 0),
        M::T7,
        other,
    );
    g.m.bind(same);
    g.m.load(U64, d(M::T7), Gen::<M>::pay(M::T3));
    g.m.store(B64, at_index(M::T5, M::T6, Scale::S8, 0), M::T7);
    g.next(1);
}

/// Goes on at `ok` if a store to a nil slot of the table `t` calls no `__newindex`: no metatable, or one that is known to
/// lack it. Destroys T0.
fn no_newindex<M: Masm>(g: &mut Gen<M>, t: Gpr, ok: Label, slow: Label) {
    g.m.load(U64, d(M::T0), at(t, META));
    g.m.branch(Cond::Eq, B64, M::T0, 0, ok);
    g.m.branch_bits_mem(
        BitCond::Zero,
        B32,
        at(M::T0, ABSENT),
        1i64 << MetaMethod::NewIndex as u32,
        slow,
    );
    g.m.jump(ok);
}

/// T6 = the function that the look-up cache's entry T7 has, `epoch` the epoch in which that holds: this one.
fn method<M: Masm>(g: &mut Gen<M>, epoch: Gpr, slow: Label) {
    g.m.load(U32, d(epoch), at(M::T7, EPOCH));
    epoch_is(g, epoch, slow);
    let function = i64::from(Tag::FUNCTION.0);
    g.m.branch_mem(Cond::Ne, B32, at(M::T7, TAG), function, slow);
    g.m.load(U64, d(M::T6), at(M::T7, PAYLOAD));
}

/// Caches: word 1 = u32 shape, u32 epoch (0: word 2 is the slot of an own field); word 2 = the function.
fn self_get<M: Masm>(g: &mut Gen<M>) {
    g.dec_ab();
    let slow = g.slow();
    let found = g.m.new_label();
    g.m.load(U64, d(M::T4), Gen::<M>::pay(M::T2));
    g.m.load(U32, d(M::T5), Gen::<M>::tag(M::T2));
    g.m.load(U32, d(M::T6), at(M::PC, 8));
    let userdata = meta::userdata(g, M::T2, move |g| {
        let known = g.m.new_label();
        userdata_id(g);
        let miss = g.cold(move |g| {
            g.m.load(U64, d(M::T6), at(M::PC, 24));
            g.m.load(U32, d(M::T5), at(M::T0, SHAPE));
            probe_id(g, 4, slow);
            method(g, M::T3, slow);
            userdata_id(g);
            g.m.store(B32, at(M::PC, 8), M::T5);
            g.m.store(B32, at(M::PC, 12), M::T3);
            g.m.store(B64, at(M::PC, 16), M::T6);
            g.m.jump(known);
        });
        g.m.load(U32, d(M::T6), at(M::PC, 8));
        g.m.branch(Cond::Ne, B32, M::T6, M::T5, miss);
        g.m.load(U32, d(M::T6), at(M::PC, 12));
        epoch_is(g, M::T6, miss);
        g.m.bind(known);
        g.m.mov_imm(d(M::T5), i64::from(Tag::USERDATA.0));
        g.m.jump(found);
    });
    let string = g.cold(move |g| {
        g.m.branch(Cond::Ne, B32, M::T5, i64::from(Tag::STRING.0), userdata);
        g.m.branch(Cond::Ne, B32, M::T6, STRING_RECEIVER, slow);
        g.m.load(U32, d(M::T6), at(M::PC, 12));
        epoch_is(g, M::T6, slow);
        g.m.jump(found);
    });
    g.m.branch(Cond::Ne, B32, M::T5, i64::from(Tag::TABLE.0), string);
    let slot = g.m.new_label();
    let done = g.m.new_label();
    let miss = g.cold(move |g| {
        let (own, by_meta) = (g.m.new_label(), g.m.new_label());
        g.m.load(U64, d(M::T6), at(M::PC, 24));
        probe(g, 0, slow);
        g.m.load(U32, d(M::T5), at(M::T7, EPOCH));
        g.m.load(U64, d(M::T6), at(M::T7, PAYLOAD));
        g.m.branch(Cond::Eq, B32, M::T5, 0, own);
        g.m.branch_mem(Cond::Eq, B32, at(M::T7, TAG), BY_META, by_meta);
        method(g, M::T5, slow);
        let remember = |g: &mut Gen<M>| {
            g.m.load(U32, d(M::T3), at(M::T4, SHAPE));
            g.m.store(B32, at(M::PC, 8), M::T3);
            g.m.store(B32, at(M::PC, 12), M::T5);
            g.m.store(B64, at(M::PC, 16), M::T6);
            g.m.mov_imm(d(M::T5), i64::from(Tag::TABLE.0));
        };
        remember(g);
        g.m.jump(done);
        g.m.bind(own);
        remember(g);
        g.m.jump(slot);
        g.m.bind(by_meta);
        g.m.load(U64, d(M::T6), at(M::PC, 24));
        probe_meta(g, slow);
        method(g, M::T5, slow);
        g.m.mov_imm(d(M::T5), i64::from(Tag::TABLE.0));
        g.m.jump(done);
    });
    g.m.branch(Cond::Ne, B32, M::T6, at(M::T4, SHAPE), miss);
    g.m.load(U32, d(M::T6), at(M::PC, 12));
    let own = g.cold(move |g| {
        g.m.branch(Cond::Ne, B32, M::T6, 0, slow);
        g.m.load(U64, d(M::T6), at(M::PC, 16));
        g.m.bind(slot);
        g.m.load(U64, d(M::T7), at(M::T4, HASH));
        get_run(g, M::T7, M::T6, M::T3);
        g.m.branch(Cond::Eq, B32, M::T3, NIL, slow);
        g.m.store(B64, Gen::<M>::reg(M::T1, 16), M::T4);
        g.m.store(B32, Gen::<M>::reg(M::T1, 24), M::T5);
        g.put(M::T1, M::T6, M::T3);
        g.next(4);
    });
    epoch_is(g, M::T6, own);
    g.m.bind(found);
    g.m.load(U64, d(M::T6), at(M::PC, 16));
    g.m.bind(done);
    g.m.store(B64, Gen::<M>::reg(M::T1, 16), M::T4);
    g.m.store(B32, Gen::<M>::reg(M::T1, 24), M::T5);
    g.m.store(B64, Gen::<M>::pay(M::T1), M::T6);
    g.m.store_imm(B32, Gen::<M>::tag(M::T1), Tag::FUNCTION.0);
    g.next(4);
}
