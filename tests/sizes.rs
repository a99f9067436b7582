//! Sizes of the types that programs make many of, and of those whose layout emitted code knows. A change here is a
//! decision: memory use and the offsets in generated code change with it.

use std::mem::{align_of, size_of};

use traceorus::raw::base::objects::{
    Activation, Cell, Dict, DictEntry, GcHeader, LocVar, LuaClosure, NativeClosure, Proto, Shape,
    Str, Table, Thread, UpvalDesc, Userdata, tagged_run_size,
};
use traceorus::raw::base::{Tag, Value};

#[test]
fn hot_types() {
    let sizes = [
        ("Tag", size_of::<Tag>(), 4),
        ("Value", size_of::<Value>(), 16),
        ("GcHeader", size_of::<GcHeader>(), 8),
        ("Str", size_of::<Str>(), 24),
        ("Table", size_of::<Table>(), 56),
        ("Dict", size_of::<Dict>(), 48),
        ("DictEntry", size_of::<DictEntry>(), 24),
        ("Cell", size_of::<Cell>(), 24),
        ("LuaClosure", size_of::<LuaClosure>(), 24),
        ("NativeClosure", size_of::<NativeClosure>(), 56),
        ("Userdata", size_of::<Userdata>(), 32),
        ("Shape", size_of::<Shape>(), 64),
        ("Proto", size_of::<Proto>(), 112),
        ("UpvalDesc", size_of::<UpvalDesc>(), 16),
        ("LocVar", size_of::<LocVar>(), 16),
        ("Activation", size_of::<Activation>(), 64),
        ("Thread", size_of::<Thread>(), 192),
    ];
    let wrong: Vec<_> = sizes
        .iter()
        .filter(|(_, is, pinned)| is != pinned)
        .collect();
    assert!(wrong.is_empty(), "(type, size, pinned size): {wrong:?}");
}

#[test]
fn objects_with_parts_behind_them() {
    assert_eq!(Str::size_for(0), 25, "header and the final NUL");
    assert_eq!(Table::size_for(0), 56);
    assert_eq!(
        Table::size_for(4),
        96,
        "the tags of up to 8 fields take 8 bytes, each field 8 more"
    );
    assert_eq!(LuaClosure::size_for(2), 40);
    assert_eq!(NativeClosure::size_for(1), 72);
    assert_eq!(Userdata::block_offset(1), 48);
    // an array element takes 9 bytes
    assert_eq!(tagged_run_size(1000), (9000, 1000));
    assert_eq!(tagged_run_size(1), (16, 8));
}

#[test]
fn alignment() {
    assert_eq!(align_of::<Value>(), 8);
    assert!(
        align_of::<Thread>() <= 16,
        "cells of the collector are aligned to 16 bytes"
    );
}
