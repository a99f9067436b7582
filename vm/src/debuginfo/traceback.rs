//! Tracebacks, and names of library functions.

use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};

use super::{Frame, current_line, frame_name, frames, func_info};
use crate::state::Global;
use crate::string::str_bytes;
use crate::table;

/// Frames shown at the top and at the bottom of a long traceback.
const FIRST: i64 = 10;
const LAST: i64 = 11;

/// The name under which a loaded module (or the globals, then without "_G.") holds the function: "string.rep", "print".
///
/// # Safety
/// [GC-LIVE] `f` is live.
pub unsafe fn func_name_in_modules(g: &mut Global, f: Value) -> Option<Vec<u8>> {
    // SAFETY: [GC-LIVE] everything looked at is reachable from the registry; nothing here allocates but a short string.
    unsafe {
        let key = g.str_new(b"_LOADED");
        let loaded = table::table_get_str(g.hot.registry, key);
        let mut name = find_field(loaded, f, 2)?;
        if name.starts_with(b"_G.") {
            name.drain(..3);
        }
        Some(name)
    }
}

/// Searches string keys of a table, and of the tables in it down to `levels`, for an object.
unsafe fn find_field(t: Value, f: Value, levels: u32) -> Option<Vec<u8>> {
    if levels == 0 || t.tag != Tag::TABLE {
        return None;
    }
    // SAFETY: [GC-LIVE] as the caller.
    unsafe {
        if levels == 1 {
            return table::table_name_of(t.as_ptr(), f).map(|k| str_bytes(k).to_vec());
        }
        let (mut key, mut hint) = (Value::NIL, 0);
        while let Ok(Some((k, v, h))) = table::table_next(t.as_ptr(), key, hint) {
            (key, hint) = (k, h);
            if k.tag != Tag::STRING {
                continue;
            }
            let name = || str_bytes(k.as_ptr()).to_vec();
            if v.same(f) {
                return Some(name());
            }
            if let Some(inner) = find_field(v, f, levels - 1) {
                return Some([&name(), b".".as_slice(), &inner].concat());
            }
        }
        None
    }
}

/// The traceback of thread `l`, from `level` on, below `msg`; as `luaL_traceback`.
///
/// # Safety
/// [STACK-STABLE] as [`frames`].
pub unsafe fn traceback(l: *mut Thread, msg: Option<&[u8]>, level: i32) -> Vec<u8> {
    // SAFETY: as promised.
    unsafe {
        let g = Global::of((*l).global);
        let mut out = Vec::new();
        if let Some(m) = msg {
            out.extend_from_slice(m);
            out.push(b'\n');
        }
        out.extend_from_slice(b"stack traceback:");
        let Ok(level) = usize::try_from(level) else {
            return out;
        };
        let last = frames(l).count() as i64 - 1;
        let all = last - level as i64 <= FIRST + LAST;
        let mut rest = frames(l).skip(level);
        let mut shown = 0;
        let mut at = level as i64;
        while let Some(f) = rest.next() {
            if !all && shown == FIRST {
                // This one and those up to the last eleven. (PUC does not count this one.)
                let skipped = last - at - LAST;
                out.extend_from_slice(format!("\n\t...\t(skipping {skipped} levels)").as_bytes());
                rest.nth(skipped as usize - 1);
                at += skipped;
            } else {
                line(g, &f, &mut out);
            }
            at += 1;
            shown += 1;
        }
        out
    }
}

/// "\n\tchunk:line: in function 'f'".
unsafe fn line(g: &mut Global, f: &Frame, out: &mut Vec<u8>) {
    // SAFETY: [GC-LIVE] the frame keeps its function.
    unsafe {
        let info = func_info(f.function());
        out.extend_from_slice(b"\n\t");
        out.extend_from_slice(&info.short_src);
        let n = current_line(f);
        if n > 0 {
            out.extend_from_slice(format!(":{n}").as_bytes());
        }
        out.extend_from_slice(b": in ");
        if let Some(name) = func_name_in_modules(g, f.function()) {
            out.extend_from_slice(b"function '");
            out.extend_from_slice(&name);
            out.push(b'\'');
        } else if let Some(name) = frame_name(f) {
            out.extend_from_slice(name.kind.as_bytes());
            out.extend_from_slice(b" '");
            out.extend_from_slice(&name.text);
            out.push(b'\'');
        } else if info.what == "main" {
            out.extend_from_slice(b"main chunk");
        } else if info.what != "C" {
            out.extend_from_slice(b"function <");
            out.extend_from_slice(&info.short_src);
            out.extend_from_slice(format!(":{}>", info.line_defined).as_bytes());
        } else {
            out.push(b'?');
        }
        if f.tail {
            out.extend_from_slice(b"\n\t(...tail calls...)");
        }
    }
}
