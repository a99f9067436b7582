//! Operating system library, over the C library.

use std::ffi::CStr;

use libc::{c_char, c_int, time_t, tm};
use traceorus_base::objects::Table;
use traceorus_base::{Tag, Value};
use traceorus_vm::ctx::{Ctx, LResult};
use traceorus_vm::{native, number, state};

use crate::{c_ptr, cfile, exec_result, file_result};

unsafe extern "C" {
    fn clock() -> libc::clock_t;
}

/// Opens the library.
pub fn open(cx: Ctx) -> *mut Table {
    let t = cx.new_table(0, 11);
    cx.set_funcs(
        t,
        &[
            ("clock", native!(os_clock)),
            ("date", native!(date)),
            ("difftime", native!(difftime)),
            ("execute", native!(execute)),
            ("exit", native!(exit)),
            ("getenv", native!(getenv)),
            ("remove", native!(remove)),
            ("rename", native!(rename)),
            ("setlocale", native!(setlocale)),
            ("time", native!(time)),
            ("tmpname", native!(tmpname)),
        ],
    );
    t
}

/// The string at `p`, nil for a null pointer.
///
/// # Safety
/// `p` is null or a C string.
unsafe fn c_str_value(cx: Ctx, p: *const c_char) -> Value {
    if p.is_null() {
        return Value::NIL;
    }
    // SAFETY: as promised.
    cx.str(unsafe { CStr::from_ptr(p) }.to_bytes())
}

fn os_clock(cx: Ctx) -> LResult<usize> {
    // SAFETY: no requirement.
    let t = unsafe { clock() };
    cx.ret(Value::float(t as f64 / 1e6)) // POSIX fixes CLOCKS_PER_SEC
}

fn execute(cx: Ctx) -> LResult<usize> {
    let cmd = cx.opt_str(1)?;
    cfile::sync_print();
    cfile::set_errno(0);
    match cmd {
        Some(cmd) => {
            // SAFETY: a C string.
            let status = unsafe { libc::system(c_ptr(cmd)) };
            exec_result(cx, status)
        }
        None => {
            // SAFETY: asks whether there is a shell.
            let shell = unsafe { libc::system(std::ptr::null()) };
            cx.ret(Value::bool(shell != 0))
        }
    }
}

fn remove(cx: Ctx) -> LResult<usize> {
    let name = cx.check_str(1)?;
    cfile::set_errno(0);
    // SAFETY: a C string.
    let ok = unsafe { libc::remove(c_ptr(name)) } == 0;
    file_result(cx, ok, Some(name))
}

fn rename(cx: Ctx) -> LResult<usize> {
    let (from, to) = (cx.check_str(1)?, cx.check_str(2)?);
    cfile::set_errno(0);
    // SAFETY: C strings.
    let ok = unsafe { libc::rename(c_ptr(from), c_ptr(to)) } == 0;
    file_result(cx, ok, None)
}

fn tmpname(cx: Ctx) -> LResult<usize> {
    let mut name = *b"/tmp/lua_XXXXXX\0";
    // SAFETY: a C string that `mkstemp` fills in; the descriptor is ours.
    unsafe {
        let fd = libc::mkstemp(name.as_mut_ptr().cast());
        if fd == -1 {
            return Err(cx.error("unable to generate a unique filename"));
        }
        libc::close(fd);
    }
    cx.ret(cx.str(&name[..name.len() - 1]))
}

fn getenv(cx: Ctx) -> LResult<usize> {
    let name = cx.check_str(1)?;
    // SAFETY: a C string; the result is copied at once.
    let v = unsafe { c_str_value(cx, libc::getenv(c_ptr(name))) };
    cx.ret(v)
}

fn setlocale(cx: Ctx) -> LResult<usize> {
    const NAMES: &[&str] = &["all", "collate", "ctype", "monetary", "numeric", "time"];
    const CATEGORIES: [c_int; 6] = [
        libc::LC_ALL,
        libc::LC_COLLATE,
        libc::LC_CTYPE,
        libc::LC_MONETARY,
        libc::LC_NUMERIC,
        libc::LC_TIME,
    ];
    let locale = cx.opt_str(1)?;
    let category = CATEGORIES[cx.check_option(2, Some("all"), NAMES)?];
    // SAFETY: a C string or null; the result is copied at once.
    let v = unsafe {
        c_str_value(
            cx,
            libc::setlocale(category, locale.map_or(std::ptr::null(), c_ptr)),
        )
    };
    cx.ret(v)
}

fn exit(cx: Ctx) -> LResult<usize> {
    let status = match cx.arg(1).tag {
        Tag::TRUE => libc::EXIT_SUCCESS,
        Tag::FALSE => libc::EXIT_FAILURE,
        _ => cx.opt_int(1, i64::from(libc::EXIT_SUCCESS))? as c_int,
    };
    if cx.to_bool(2) {
        // SAFETY: nothing of the state is used afterwards: the process ends.
        unsafe { state::close(cx.l) };
    }
    // SAFETY: ends the process.
    unsafe { libc::exit(final_status(status)) }
}

/// The exit status after flushing standard output: failure, with a message, if not everything could be written.
pub fn final_status(status: c_int) -> c_int {
    match cfile::finish_output() {
        Err(e) if status == libc::EXIT_SUCCESS => {
            let m = [
                b"cannot write to standard output: ",
                &cfile::strerror(e)[..],
                b"\n",
            ]
            .concat();
            cfile::write_stderr(&m);
            libc::EXIT_FAILURE
        }
        _ => status,
    }
}

// ---- time --------------------------------------------------------------------------------------------------------

/// Conversions of `strftime` (C99).
const CONVERSIONS: &[u8] = b"aAbBcCdDeFgGhHIjmMnprRStTuUVwWxXyYzZ%";
/// What may follow `E` and `O`.
const E_CONVERSIONS: &[u8] = b"cCxXyY";
const O_CONVERSIONS: &[u8] = b"deHImMSuUVwWy";

/// Length of the conversion that the text (after `%`) starts with.
fn conversion_len(s: &[u8]) -> Option<usize> {
    match s {
        [c, ..] if CONVERSIONS.contains(c) => Some(1),
        [b'E', c, ..] if E_CONVERSIONS.contains(c) => Some(2),
        [b'O', c, ..] if O_CONVERSIONS.contains(c) => Some(2),
        _ => None,
    }
}

fn zero_tm() -> tm {
    // SAFETY: integers and a pointer, for which zero is valid.
    unsafe { std::mem::zeroed() }
}

fn now() -> time_t {
    // SAFETY: a null argument is allowed.
    unsafe { libc::time(std::ptr::null_mut()) }
}

/// Sets the fields of a date table.
fn set_fields(cx: Ctx, t: Value, tm: &tm) -> LResult<()> {
    let fields = [
        ("year", i64::from(tm.tm_year) + 1900),
        ("month", i64::from(tm.tm_mon) + 1),
        ("day", i64::from(tm.tm_mday)),
        ("hour", i64::from(tm.tm_hour)),
        ("min", i64::from(tm.tm_min)),
        ("sec", i64::from(tm.tm_sec)),
        ("yday", i64::from(tm.tm_yday) + 1),
        ("wday", i64::from(tm.tm_wday) + 1),
    ];
    for (name, v) in fields {
        cx.set_index(t, cx.str(name), Value::int(v))?;
    }
    if tm.tm_isdst >= 0 {
        cx.set_index(t, cx.str("isdst"), Value::bool(tm.tm_isdst != 0))?;
    }
    Ok(())
}

fn date(cx: Ctx) -> LResult<usize> {
    let mut s = cx.opt_str(1)?.unwrap_or(b"%c");
    let t: time_t = if cx.is_none_or_nil(2) {
        now()
    } else {
        cx.check_int(2)?
    };
    let mut tm = zero_tm();
    let utc = s.first() == Some(&b'!');
    // SAFETY: both fill the local structure.
    let ok = unsafe {
        if utc {
            s = &s[1..];
            !libc::gmtime_r(&t, &mut tm).is_null()
        } else {
            !libc::localtime_r(&t, &mut tm).is_null()
        }
    };
    if !ok {
        return Err(cx.error("date result cannot be represented in this installation"));
    }
    if cfile::until_nul(s) == b"*t" {
        let t = Value::ptr(cx.new_table(0, 9), Tag::TABLE);
        cx.push(t);
        set_fields(cx, t, &tm)?;
        return Ok(1);
    }
    let mut out = Vec::new();
    while let Some(at) = s.iter().position(|&b| b == b'%') {
        out.extend_from_slice(&s[..at]);
        s = &s[at + 1..];
        let Some(n) = conversion_len(s) else {
            let rest = String::from_utf8_lossy(cfile::until_nul(s));
            return Err(cx.arg_error(1, format_args!("invalid conversion specifier '%{rest}'")));
        };
        let mut spec = [0u8; 4];
        spec[0] = b'%';
        spec[1..=n].copy_from_slice(&s[..n]);
        s = &s[n..];
        let mut item = [0u8; 250];
        // SAFETY: a C string, and a buffer as long as said.
        let len =
            unsafe { libc::strftime(item.as_mut_ptr().cast(), item.len(), c_ptr(&spec), &tm) };
        out.extend_from_slice(&item[..len]);
    }
    out.extend_from_slice(s);
    let v = cx.try_str(&out)?;
    cx.ret(v)
}

/// An integer field of a date table, less `delta`. Without default if that is negative.
fn date_field(cx: Ctx, name: &str, default: c_int, delta: i64) -> LResult<c_int> {
    let v = cx.index(cx.arg(1), cx.str(name))?;
    // SAFETY: [GC-LIVE] a field of the argument.
    match unsafe { number::tointeger(v) } {
        Some(n) => {
            let fits = if n >= 0 {
                n - delta <= i64::from(c_int::MAX)
            } else {
                i64::from(c_int::MIN) + delta <= n
            };
            if !fits {
                return Err(cx.error(format_args!("field '{name}' is out-of-bound")));
            }
            Ok((n - delta) as c_int)
        }
        None if !v.is_nil() => Err(cx.error(format_args!("field '{name}' is not an integer"))),
        None if default < 0 => Err(cx.error(format_args!("field '{name}' missing in date table"))),
        None => Ok(default),
    }
}

fn time(cx: Ctx) -> LResult<usize> {
    let t = if cx.is_none_or_nil(1) {
        now()
    } else {
        cx.check_table(1)?;
        cx.set_top(1);
        let mut tm = zero_tm();
        tm.tm_year = date_field(cx, "year", -1, 1900)?;
        tm.tm_mon = date_field(cx, "month", -1, 1)?;
        tm.tm_mday = date_field(cx, "day", -1, 0)?;
        tm.tm_hour = date_field(cx, "hour", 12, 0)?;
        tm.tm_min = date_field(cx, "min", 0, 0)?;
        tm.tm_sec = date_field(cx, "sec", 0, 0)?;
        let dst = cx.index(cx.arg(1), cx.str("isdst"))?;
        tm.tm_isdst = if dst.is_nil() {
            -1
        } else {
            c_int::from(!dst.is_falsy())
        };
        // SAFETY: reads and normalises the local structure.
        let t = unsafe { libc::mktime(&mut tm) };
        set_fields(cx, cx.arg(1), &tm)?;
        t
    };
    if t == -1 {
        return Err(cx.error("time result cannot be represented in this installation"));
    }
    cx.ret(Value::int(t))
}

fn difftime(cx: Ctx) -> LResult<usize> {
    let (a, b) = (cx.check_int(1)?, cx.check_int(2)?);
    // SAFETY: no requirement.
    cx.ret(Value::float(unsafe { libc::difftime(a, b) }))
}

#[cfg(test)]
mod tests {
    use super::conversion_len;

    #[test]
    fn conversions() {
        assert_eq!(conversion_len(b"Y-"), Some(1));
        assert_eq!(conversion_len(b"%"), Some(1));
        assert_eq!(conversion_len(b"Ey"), Some(2));
        assert_eq!(conversion_len(b"Od"), Some(2));
        assert_eq!(conversion_len(b"Ez"), None);
        assert_eq!(conversion_len(b"O"), None);
        assert_eq!(conversion_len(b""), None);
    }
}
